use crate::error::{Code, Error};
use mcp_rag_actors::store::{Collection, ListCollections, StoreError, StoreHandle, TenantId};
use moka::future::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Caller;

/// The tenant's collections, remembered for a moment so that a cached search needs no database.
///
/// A write by this process forgets them at once; one by another replica is seen within the
/// time to live.
#[derive(Clone)]
pub struct Catalog {
    store: StoreHandle,
    known: Cache<(TenantId, u64), Arc<Vec<Collection>>>,
    /// Part of the key: a load that began before a write ends under a key that nobody asks for any
    /// more, so it cannot bring back what the write made stale.
    generation: Arc<AtomicU64>,
}

impl Catalog {
    pub(super) fn new(store: StoreHandle, ttl: Duration) -> Self {
        Self {
            store,
            known: Cache::builder().max_capacity(10_000).time_to_live(ttl).build(),
            generation: Arc::default(),
        }
    }

    pub async fn all(&self, caller: Caller) -> Result<Arc<Vec<Collection>>, Error> {
        let load = async {
            let list = ListCollections { tenant: caller.tenant };
            self.store.call(list, caller.deadline).await.map(Arc::new)
        };
        // Concurrent callers share one query.
        let key = (caller.tenant, self.generation.load(Ordering::Acquire));
        let shared = self.known.try_get_with(key, load).await;
        shared.map_err(|error| copy(&error).into())
    }

    pub async fn get(&self, caller: Caller, name: &str) -> Result<Collection, Error> {
        let all = self.all(caller).await?;
        let found = all.iter().find(|collection| collection.name == name);
        found.cloned().ok_or_else(|| Error::not_found("collection"))
    }

    /// The named collections, or all of them.
    pub async fn select(&self, caller: Caller, names: Option<&[String]>) -> Result<Vec<Collection>, Error> {
        let all = self.all(caller).await?;
        let Some(names) = names else { return Ok(all.to_vec()) };
        if names.is_empty() {
            return Err(Error::invalid(
                "collections",
                "name at least one collection, or leave `collections` out",
            ));
        }
        let mut chosen: Vec<Collection> = Vec::with_capacity(names.len());
        for name in names {
            let found = all.iter().find(|collection| collection.name == *name).ok_or_else(|| {
                Error::new(Code::NotFound, "unknown collection: GET /v1/collections lists them")
                    .about("collections")
            })?;
            if chosen.iter().all(|collection| collection.id != found.id) {
                chosen.push(found.clone());
            }
        }
        Ok(chosen)
    }

    /// Called after every write that changes what a search can return.
    pub fn forget(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}

/// The cache shares one error among its waiters; each needs its own.
fn copy(error: &StoreError) -> StoreError {
    match error {
        StoreError::NotFound(what) => StoreError::NotFound(what),
        StoreError::Conflict(text) => StoreError::Conflict(text.clone()),
        StoreError::Unavailable(text) => StoreError::Unavailable(text.clone()),
        StoreError::Saturated => StoreError::Saturated,
        StoreError::Timeout => StoreError::Timeout,
        StoreError::Call(call) => StoreError::Call(*call),
        StoreError::Internal(text) => StoreError::Internal(text.clone()),
    }
}
