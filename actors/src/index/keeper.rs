//! The `index` service: one task that keeps the copies up to date, one that makes new ones.

use super::build::build;
use super::entry::Entry;
use super::follow::{Copy, Ended, FollowError, catch_up};
use super::{Key, Shared, budget, disk};
use crate::resilience::Deadline;
use crate::store::{FindChanged, StoreError, StoreHandle, TenantId};
use crate::supervise::{Lifeline, Service};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Of one question.
const ASK: Duration = Duration::from_secs(5);
/// Between two looks at least: changes that come thick are taken in together.
const PAUSE: Duration = Duration::from_millis(2);
/// While PostgreSQL does not answer.
const AWAY: Duration = Duration::from_millis(250);
/// Between two measurements and weighings of everything.
const WEIGH: Duration = Duration::from_secs(5);
/// Between two looks for what is searched often enough.
const CHOOSE: Duration = Duration::from_millis(100);
/// How long what did not fit, or could not be made, is left alone.
const REFUSED: Duration = Duration::from_secs(60);

pub(super) struct Keeper {
    shared: Arc<Shared>,
    tasks: [JoinHandle<()>; 3],
}

impl Service for Keeper {
    /// What is in memory is there again after the next start, if it was written by then.
    async fn stop(self: Rc<Self>) {
        self.tasks.iter().for_each(JoinHandle::abort);
        for entry in self.shared.entries.load_full().values() {
            let saved = entry.state().saved;
            if self.shared.settings.snapshot_interval_ms > 0
                && saved.is_none_or(|(epoch, _)| epoch != entry.epoch())
            {
                disk::save(&self.shared, entry).await;
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Keeper {
    pub(super) fn start(shared: Arc<Shared>, store: StoreHandle, lifeline: &Lifeline) -> Self {
        // What an incarnation before was in the middle of is not to be trusted.
        for (key, entry) in shared.entries.load().iter() {
            if entry.changing.load(Ordering::Acquire) {
                drop_copy(&shared, *key, "broken");
            }
        }
        let work = Rc::new(Work { shared: Arc::clone(&shared), store, lifeline: lifeline.clone() });
        let (other, third) = (Rc::clone(&work), Rc::clone(&work));
        let follow = lifeline.spawn(async move { work.follow().await });
        let make = lifeline.spawn(async move { other.make().await });
        let write = lifeline.spawn(async move { third.write().await });
        Self { shared, tasks: [follow, make, write] }
    }
}

fn drop_copy(shared: &Shared, key: Key, reason: &'static str) {
    shared.remove(key);
    metrics::counter!("mcp_rag_index_drops_total", "reason" => reason).increment(1);
}

struct Work {
    shared: Arc<Shared>,
    store: StoreHandle,
    lifeline: Lifeline,
}

impl Work {
    /// Never ends.
    async fn follow(&self) {
        let poll = Duration::from_millis(self.shared.settings.poll_ms);
        let (mut polled, mut weighed) = (Instant::now(), Instant::now());
        loop {
            let due = tokio::time::timeout_at((polled + poll).into(), self.shared.stirred.notified());
            let _ = due.await;
            self.lifeline.failpoint("look");
            let behind: HashSet<Key> = self.shared.behind().drain().collect();
            let stirred = self.look(behind).await;
            polled = Instant::now();
            if weighed.elapsed() >= WEIGH {
                weighed = Instant::now();
                self.weigh();
            }
            self.tell();
            let pause = match stirred {
                Ok(()) => PAUSE,
                Err(error) => {
                    tracing::debug!(%error, "the index cannot be brought up to date for now");
                    AWAY
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Those that somebody waits for first, then all of which something has changed.
    async fn look(&self, behind: HashSet<Key>) -> Result<(), StoreError> {
        for key in &behind {
            self.bring_up(*key).await?;
        }
        let mut tenants: HashMap<TenantId, Vec<Arc<Entry>>> = HashMap::new();
        for (key, entry) in self.shared.entries.load().iter() {
            if !behind.contains(key) {
                tenants.entry(key.0).or_default().push(Arc::clone(entry));
            }
        }
        for (tenant, entries) in tenants {
            let looks = entries.iter().map(|entry| (entry.key.1, entry.state().position.clone())).collect();
            let changed = self.store.call(FindChanged { tenant, looks }, Deadline::within(ASK)).await?;
            for entry in entries {
                if changed.contains(&entry.key.1) {
                    self.bring_up(entry.key).await?;
                } else {
                    entry.confirm();
                }
            }
        }
        Ok(())
    }

    async fn bring_up(&self, key: Key) -> Result<(), StoreError> {
        let Some(entry) = self.shared.get(key) else { return Ok(()) };
        // Being written to disk: the next look will do.
        let Ok(_alone) = entry.alone.try_lock() else { return Ok(()) };
        let position = entry.state().position.clone();
        let copy = Copy {
            key,
            collection: &entry.collection,
            space: entry.space.as_ref(),
            threads: self.shared.threads(),
        };
        entry.changing.store(true, Ordering::Release);
        let caught = catch_up(&self.store, &copy, position).await;
        match caught {
            Ok((head, taken)) => {
                entry.changing.store(false, Ordering::Release);
                let behind = head.epoch - entry.epoch();
                metrics::gauge!("mcp_rag_index_epochs_behind").set(behind as f64);
                metrics::counter!("mcp_rag_index_changes_total").increment(taken as u64);
                entry.reached(head);
                Ok(())
            }
            Err(FollowError::Store(error)) => {
                entry.changing.store(false, Ordering::Release);
                Err(error)
            }
            Err(FollowError::Ended(ended)) => {
                drop_copy(&self.shared, key, ended.reason());
                disk::remove(&self.shared, key);
                match &ended {
                    Ended::Differs { .. } | Ended::Hot(_) => {
                        tracing::error!(tenant = %key.0, collection = %key.1, error = %ended, "a copy was wrong and is made anew");
                    }
                    Ended::Gone => {}
                    Ended::Space | Ended::Precise | Ended::Memory => {
                        tracing::info!(tenant = %key.0, collection = %key.1, reason = %ended, "a copy is made anew");
                    }
                }
                if !matches!(ended, Ended::Gone) {
                    self.shared.missed().want(key, entry.rate(), self.shared.settings.min_searches);
                }
                Ok(())
            }
        }
    }

    /// What all take; should changes have made it too much, the least searched go.
    fn weigh(&self) {
        let entries = self.shared.entries.load_full();
        let mut held = Vec::with_capacity(entries.len());
        for entry in entries.values() {
            entry.measure();
            held.push(budget::Held { key: entry.key, bytes: entry.bytes(), rate: entry.rate() });
        }
        let budget = self.shared.settings.memory_bytes;
        for key in budget::displaced(&held, 0, budget, None).unwrap_or_default() {
            tracing::info!(tenant = %key.0, collection = %key.1, "a copy gives way: index.memory_bytes is used up");
            metrics::counter!("mcp_rag_index_evictions_total").increment(1);
            drop_copy(&self.shared, key, Ended::Memory.reason());
            self.shared.missed().refuse(key, Instant::now() + REFUSED);
        }
    }

    /// Never ends.
    async fn write(&self) {
        loop {
            tokio::time::sleep(WEIGH).await;
            for entry in disk::due(&self.shared) {
                disk::save(&self.shared, &entry).await;
            }
        }
    }

    fn tell(&self) {
        let entries = self.shared.entries.load();
        let oldest = entries.values().map(|entry| entry.age()).max().unwrap_or_default();
        metrics::gauge!("mcp_rag_index_lag_seconds").set(oldest.as_secs_f64());
        metrics::gauge!("mcp_rag_index_bytes").set(self.shared.bytes() as f64);
        metrics::gauge!("mcp_rag_index_collections").set(entries.len() as f64);
    }

    /// Never ends.
    async fn make(&self) {
        disk::load_all(&self.shared, &self.store).await;
        loop {
            tokio::time::sleep(CHOOSE).await;
            let wanted = self.shared.missed().wanted(self.shared.settings.min_searches, Instant::now());
            let Some((key, rate)) = wanted.into_iter().next() else { continue };
            if self.shared.get(key).is_some() {
                self.shared.missed().forget(key);
                continue;
            }
            self.lifeline.failpoint("build");
            self.make_one(key, rate).await;
        }
    }

    async fn make_one(&self, key: Key, rate: f64) {
        let began = Instant::now();
        let made = build(&self.shared, &self.store, key, rate).await;
        let outcome = match &made {
            Ok(_) => "built",
            Err(FollowError::Store(_)) => "away",
            Err(FollowError::Ended(ended)) => ended.reason(),
        };
        metrics::counter!("mcp_rag_index_builds_total", "outcome" => outcome).increment(1);
        match made {
            Ok(entry) => {
                let (documents, chunks, _) = entry.collection.totals();
                let (seconds, bytes) = (began.elapsed().as_secs_f64(), entry.bytes());
                metrics::histogram!("mcp_rag_index_build_seconds").record(seconds);
                tracing::info!(tenant = %key.0, collection = %key.1, documents, chunks, bytes, seconds, "a collection is searched in memory");
                self.shared.insert(key, &Arc::new(entry));
                self.shared.missed().forget(key);
            }
            Err(FollowError::Store(error)) => {
                tracing::debug!(%error, "a collection cannot be read for now");
                tokio::time::sleep(AWAY).await;
            }
            // Under our hands, as with the first document of all: the next attempt is about the new one.
            Err(FollowError::Ended(Ended::Space)) => tokio::time::sleep(AWAY).await,
            Err(FollowError::Ended(ended)) => {
                tracing::info!(tenant = %key.0, collection = %key.1, reason = %ended, "a collection is not kept in memory");
                self.shared.missed().refuse(key, Instant::now() + REFUSED);
            }
        }
    }
}
