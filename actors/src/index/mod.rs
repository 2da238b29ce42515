//! Sole owner of the copies of collections that this process keeps in memory, so that they are searched faster than
//! PostgreSQL searches them, and while it is away (docs/adr/0036-hot-index.md). PostgreSQL stays the only truth.
//!
//! * The copies lie beside the handle: a search costs no hop, and a restart of the actor forgets nothing. A copy says
//!   up to which epoch of its collection it is known to be whole; whoever needs a newer one waits for it or asks PostgreSQL.
//! * A collection that is searched often enough is read page by page, and from then on kept by the feed
//!   (`actors/src/store/feed.rs`). After each look the copy's counts are compared with the collection's own of the same
//!   moment: one that differs is dropped and made anew.
//! * A copy belongs to one tenant, one collection and one embedding space; none is ever asked for two tenants.
//! * Bounds: [`IndexSettings::memory_bytes`] for all copies together, measured, and checked before each page is taken
//!   in; [`MOST`] copies; one is made at a time. What is searched least gives way.
//! * Overload and cancel safety: a search here takes no place and leaves nothing behind.

mod budget;
mod build;
mod convert;
mod disk;
mod entry;
mod follow;
mod keeper;
mod ready;
mod settings;
mod status;

pub use mcp_rag_hot::HotError;
pub use mcp_rag_hot::dense::Effort;
pub use ready::{Needs, Readiness, Ready, Words};
pub use settings::IndexSettings;
pub use status::{CopyStatus, IndexStatus};

use crate::store::{CollectionId, StoreHandle, TenantId};
use crate::supervise::{Handle, Lifeline, StartError, Tree};
use arc_swap::ArcSwap;
use budget::Rates;
use entry::Entry;
use keeper::Keeper;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

const NAME: &str = "index";
/// Copies at once: each costs a question of the feed.
const MOST: usize = 256;

type Key = (TenantId, CollectionId);

/// What searches and the actor share.
struct Shared {
    settings: IndexSettings,
    /// Where snapshots are kept.
    folder: PathBuf,
    entries: ArcSwap<HashMap<Key, Arc<Entry>>>,
    /// How often what is not here is searched.
    missed: Mutex<Rates>,
    /// Copies that somebody waits for.
    behind: Mutex<HashSet<Key>>,
    /// Something may have changed, or is wanted.
    stirred: Notify,
}

impl Shared {
    fn get(&self, key: Key) -> Option<Arc<Entry>> {
        self.entries.load().get(&key).cloned()
    }

    fn insert(&self, key: Key, entry: &Arc<Entry>) {
        self.entries.rcu(|entries| {
            let mut entries = HashMap::clone(entries);
            entries.insert(key, Arc::clone(entry));
            entries
        });
    }

    /// Nobody finds it any more; searches that have it end with it.
    fn remove(&self, key: Key) {
        self.entries.rcu(|entries| {
            let mut entries = HashMap::clone(entries);
            entries.remove(&key);
            entries
        });
    }

    fn missed(&self) -> MutexGuard<'_, Rates> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn behind(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> usize {
        crate::local::threads(self.settings.threads)
    }

    /// What all copies take together, as measured last.
    fn bytes(&self) -> usize {
        self.entries.load().values().map(|entry| entry.bytes()).sum()
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct IndexHandle {
    shared: Arc<Shared>,
    /// Absent where the index is turned off.
    _handle: Option<Handle<Keeper>>,
}

impl IndexHandle {
    /// `store` must see all documents: copies tell for themselves who sees which.
    pub async fn start(
        tree: &Tree,
        settings: &IndexSettings,
        folder: PathBuf,
        store: StoreHandle,
    ) -> Result<Self, StartError> {
        let shared = Arc::new(Shared {
            settings: settings.clone(),
            folder,
            entries: ArcSwap::default(),
            missed: Mutex::default(),
            behind: Mutex::default(),
            stirred: Notify::new(),
        });
        if !settings.is_on() {
            return Ok(Self { shared, _handle: None });
        }
        let kept = Arc::clone(&shared);
        let factory = move |lifeline: Lifeline| {
            let keeper = Keeper::start(Arc::clone(&kept), store.clone(), &lifeline);
            std::future::ready(Ok::<_, String>(keeper))
        };
        let handle = tree.start(tree.spec(NAME, 1), factory).await?;
        Ok(Self { shared, _handle: Some(handle) })
    }

    /// Something was written: what changed is fetched at once.
    pub fn stir(&self) {
        self.shared.stirred.notify_one();
    }
}
