//! One copy: what is searched, and what is known of it.

use super::Key;
use super::budget::Rate;
use crate::store::{Head, Position, Space};
use mcp_rag_hot::Collection;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) collection: Arc<Collection>,
    /// Whose vectors it holds; none before anything was published.
    pub(super) space: Option<Arc<Space>>,
    /// It holds all that its collection held at this epoch, or newer.
    epoch: watch::Sender<i64>,
    /// Something is being taken in: one that is left so is not to be trusted.
    pub(super) changing: AtomicBool,
    /// Held by whoever changes it or writes it to disk.
    pub(super) alone: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    /// Since they were last added to the rate.
    searches: AtomicU32,
    bytes: AtomicUsize,
}

pub(super) struct State {
    pub(super) position: Position,
    /// When PostgreSQL last said that this is its state.
    pub(super) confirmed: Instant,
    pub(super) rate: Rate,
    /// The epoch of the snapshot on disk, and when it was written.
    pub(super) saved: Option<(i64, Instant)>,
    /// How long that took.
    pub(super) saving: Duration,
}

impl Entry {
    /// Of a copy that is whole at `head`.
    pub(super) fn new(key: Key, collection: Arc<Collection>, head: Head, saved: Option<i64>) -> Self {
        let now = Instant::now();
        let state = State {
            position: head.position,
            confirmed: now,
            rate: Rate::new(now),
            saved: saved.map(|epoch| (epoch, now)),
            saving: Duration::ZERO,
        };
        Self {
            key,
            bytes: AtomicUsize::new(collection.memory_bytes()),
            collection,
            space: head.space,
            epoch: watch::Sender::new(head.epoch),
            changing: AtomicBool::new(false),
            alone: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
            searches: AtomicU32::new(0),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn epoch(&self) -> i64 {
        *self.epoch.borrow()
    }

    /// It is whole at `head`, which PostgreSQL has just said.
    pub(super) fn reached(&self, head: Head) {
        let mut state = self.state();
        state.position = head.position;
        state.confirmed = Instant::now();
        drop(state);
        self.epoch.send_if_modified(|epoch| std::mem::replace(epoch, head.epoch) != head.epoch);
    }

    /// Nothing has changed since.
    pub(super) fn confirm(&self) {
        self.state().confirmed = Instant::now();
    }

    /// How old what it holds may be.
    pub(super) fn age(&self) -> Duration {
        self.state().confirmed.elapsed()
    }

    /// Waits for an epoch.
    pub(super) async fn reaches(&self, epoch: i64) {
        let mut news = self.epoch.subscribe();
        // The sender is ours: it cannot be gone.
        let _ = news.wait_for(|now| *now >= epoch).await;
    }

    pub(super) fn count_search(&self) {
        self.searches.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it is searched.
    pub(super) fn rate(&self) -> f64 {
        let (searches, now) = (self.searches.swap(0, Ordering::Relaxed), Instant::now());
        let mut state = self.state();
        state.rate.add(f64::from(searches), now);
        state.rate.at(now)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn measure(&self) {
        self.bytes.store(self.collection.memory_bytes(), Ordering::Relaxed);
    }
}
