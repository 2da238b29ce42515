//! A search in the copies of its collections: whether they will do, and what they find.

use super::entry::Entry;
use super::{IndexHandle, Key, convert};
use crate::store::{CollectionId, Found, Plan, SearchChunks, Sight, SpaceId, TenantId, TermKey};
use mcp_rag_hot as hot;
use mcp_rag_hot::dense::Effort;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What copies must hold to answer.
#[derive(Debug, Clone)]
pub struct Needs {
    pub tenant: TenantId,
    /// Each with the epoch that must have been reached; of several the best are sought together.
    pub collections: Vec<(CollectionId, i64)>,
    /// The space that is searched, if vectors are compared.
    pub space: Option<SpaceId>,
    /// Whether newer ones are worth waiting for.
    pub wait: bool,
}

/// Copies that together answer a search.
pub struct Ready {
    entries: Vec<Arc<Entry>>,
}

pub enum Readiness {
    Ready(Ready),
    /// All are here, and not all as new as is needed.
    Behind(Ready),
    Absent,
}

thread_local! {
    static SCRATCH: RefCell<hot::Scratch> = RefCell::default();
}

impl IndexHandle {
    /// Whether copies are kept at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.shared.settings.is_on()
    }

    /// Whether any search could be answered here.
    #[must_use]
    pub fn holds_any(&self) -> bool {
        !self.shared.entries.load().is_empty()
    }

    /// Whether copies of all of these are here and have reached these epochs, in the space that is searched, if any is.
    #[must_use]
    pub fn holds(
        &self,
        tenant: TenantId,
        space: Option<SpaceId>,
        collections: impl IntoIterator<Item = (CollectionId, i64)>,
    ) -> bool {
        let entries = self.shared.entries.load();
        collections.into_iter().all(|(collection, epoch)| {
            entries.get(&(tenant, collection)).is_some_and(|entry| {
                let of_space = space.is_none() || entry.space.as_ref().map(|space| space.id) == space;
                of_space && entry.epoch() >= epoch
            })
        })
    }

    /// The copies of some collections; those that are not new enough are waited for, for a moment.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn ready(&self, needs: &Needs) -> Readiness {
        let Some(entries) = self.found(needs) else { return Readiness::Absent };
        let ready = Ready { entries };
        if ready.reached(&needs.collections) {
            return Readiness::Ready(ready);
        }
        if !needs.wait {
            return Readiness::Behind(ready);
        }
        let behind =
            ready.entries.iter().zip(&needs.collections).filter(|(entry, (_, epoch))| entry.epoch() < *epoch);
        self.shared.behind().extend(behind.map(|(entry, _)| entry.key));
        self.shared.stirred.notify_one();
        let all = async {
            for (entry, (_, epoch)) in ready.entries.iter().zip(&needs.collections) {
                entry.reaches(*epoch).await;
            }
        };
        let patience = Duration::from_millis(self.shared.settings.wait_ms);
        if tokio::time::timeout(patience, all).await.is_ok() {
            return Readiness::Ready(ready);
        }
        metrics::counter!("mcp_rag_index_searches_total", "outcome" => "behind").increment(1);
        Readiness::Behind(ready)
    }

    /// What is not here is counted, so that it may be.
    fn found(&self, needs: &Needs) -> Option<Vec<Arc<Entry>>> {
        if !self.is_on() || needs.collections.is_empty() {
            return None;
        }
        let entries = self.shared.entries.load();
        let mut found = Vec::with_capacity(needs.collections.len());
        let mut absent: Vec<Key> = Vec::new();
        for (collection, _) in &needs.collections {
            let key = (needs.tenant, *collection);
            match entries.get(&key) {
                Some(entry)
                    if needs.space.is_none() || entry.space.as_ref().map(|space| space.id) == needs.space =>
                {
                    entry.count_search();
                    found.push(Arc::clone(entry));
                }
                // Of another space, which the next look at it finds out.
                Some(entry) => {
                    self.shared.behind().insert(entry.key);
                    self.shared.stirred.notify_one();
                    return None;
                }
                None => absent.push(key),
            }
        }
        if absent.is_empty() {
            return Some(found);
        }
        let now = Instant::now();
        let mut missed = self.shared.missed();
        let mut wanted = false;
        for key in absent {
            wanted |= missed.count(key, self.shared.settings.min_searches, now);
        }
        drop(missed);
        metrics::counter!("mcp_rag_index_searches_total", "outcome" => "absent").increment(1);
        if wanted {
            self.shared.stirred.notify_one();
        }
        None
    }

    /// How rare terms are in a collection, if it is here.
    #[must_use]
    pub fn weights(
        &self,
        tenant: TenantId,
        collection: CollectionId,
        terms: &[String],
    ) -> Option<HashMap<String, f32>> {
        let entry = self.shared.get((tenant, collection))?;
        let bases: Vec<i64> = terms.iter().map(|term| TermKey::of(collection, term, 1).base).collect();
        Some(terms.iter().cloned().zip(entry.collection.idf(&bases)).collect())
    }
}

impl Ready {
    /// How old what is found may be.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.entries.iter().map(|entry| entry.age()).max().unwrap_or_default()
    }

    /// Whether each of the collections has reached its epoch; in the order in which they were asked for.
    #[must_use]
    pub fn reached(&self, epochs: &[(CollectionId, i64)]) -> bool {
        self.entries.iter().zip(epochs).all(|(entry, (_, epoch))| entry.epoch() >= *epoch)
    }

    /// What the store's statement would find; `recall` is the share of the nearest that it is to find, or how many
    /// candidates are looked at. `words` are of the same search.
    ///
    /// # Errors
    /// What is kept is not to be used: the store answers.
    pub fn search(
        &self,
        search: &SearchChunks,
        sight: &Sight,
        effort: Effort,
        words: Option<&Words>,
    ) -> Result<Found, hot::HotError> {
        let now = words.map_or_else(convert::now, |words| words.now);
        let (effort, words) = (effort, words.map(|words| &words.found));
        let hits = self.ask(search, sight, now, |collections, wanted, scratch| {
            hot::search(collections, &hot::Search { effort, words, ..wanted }, scratch)
        })?;
        metrics::counter!("mcp_rag_index_searches_total", "outcome" => "hot").increment(1);
        Ok(Found {
            hits: hits.into_iter().map(convert::hit).collect(),
            plan: Some(Plan::Hot),
            complete: true,
        })
    }

    /// The lexical leg of a hybrid search whose vector is not there yet.
    #[must_use]
    pub fn words(&self, search: &SearchChunks, sight: &Sight) -> Words {
        let now = convert::now();
        let found = self.ask(search, sight, now, |collections, wanted, scratch| {
            hot::words(collections, &wanted, scratch)
        });
        Words { now, found }
    }

    fn ask<T>(
        &self,
        search: &SearchChunks,
        sight: &Sight,
        now: i64,
        ask: impl FnOnce(&[&hot::Collection], hot::Search<'_>, &mut hot::Scratch) -> T,
    ) -> T {
        let names = convert::names(sight);
        let terms = convert::terms(search);
        let wanted = hot::Search {
            mode: convert::mode(search.mode),
            vector: search.embedding.as_ref().map(|(vector, _)| vector.as_slice()),
            effort: Effort::Exact,
            terms: &terms,
            filter: search.filter.as_ref(),
            sight: convert::sight(sight, &names),
            now,
            limit: usize::from(search.limit),
            candidates: usize::from(search.candidates),
            words: None,
        };
        let collections: Vec<&hot::Collection> =
            self.entries.iter().map(|entry| entry.collection.as_ref()).collect();
        SCRATCH.with_borrow_mut(|scratch| ask(&collections, wanted, scratch))
    }
}

/// What [`Ready::words`] found, and at what time.
pub struct Words {
    now: i64,
    found: hot::Words,
}
