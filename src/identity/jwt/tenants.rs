//! Tenants by the names that tokens give them, remembered: a name means the same tenant for as long as both exist.

use crate::error::{Code, Error};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{FindTenant, StoreHandle, TenantId};
use moka::future::Cache;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

const MOST: u64 = 10_000;
/// Each opens a connection.
const MOST_LOOKUPS: usize = 4;
const KNOWN_FOR: Duration = Duration::from_secs(600);
/// How soon a tenant that was just made is found.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(2);
const SHORT_PATIENCE: Duration = Duration::from_millis(250);

pub(super) struct Tenants {
    store: StoreHandle,
    known: Cache<String, (Option<TenantId>, Instant)>,
    lookups: Semaphore,
}

impl Tenants {
    pub(super) fn new(store: StoreHandle) -> Self {
        Self { store, known: Cache::new(MOST), lookups: Semaphore::new(MOST_LOOKUPS) }
    }

    /// None where there is no such tenant. `stale` is how long a name that is known is good while the database is away.
    ///
    /// # Errors
    /// [`Code::Unavailable`] or [`Code::Overloaded`] when that cannot be known now.
    pub(super) async fn find(&self, name: &str, stale: Duration) -> Result<Option<TenantId>, Error> {
        let before = self.known.get(name).await;
        if let Some((found, at)) = before
            && at.elapsed() < if found.is_some() { KNOWN_FOR } else { UNKNOWN_FOR }
        {
            return Ok(found);
        }
        let before = before.filter(|(found, at)| found.is_some() && at.elapsed() < KNOWN_FOR.max(stale));
        let patience = if before.is_some() { SHORT_PATIENCE } else { PATIENCE };
        match (self.look_up(name, patience).await, before) {
            (Ok(found), _) => {
                self.known.insert(name.to_owned(), (found, Instant::now())).await;
                Ok(found)
            }
            (Err(error), Some((found, _))) if error.is_temporary() => Ok(found),
            (Err(error), _) => Err(error),
        }
    }

    async fn look_up(&self, name: &str, patience: Duration) -> Result<Option<TenantId>, Error> {
        let deadline = Deadline::within(patience);
        let place = tokio::time::timeout_at(deadline.instant().into(), self.lookups.acquire()).await;
        let Ok(Ok(_place)) = place else {
            return Err(Error::new(Code::Overloaded, "too much is under way: try again shortly"));
        };
        self.store.call(FindTenant { name: name.to_owned() }, deadline).await.map_err(|error| {
            let message = "credentials cannot be checked now: try again shortly";
            Error { message: message.into(), code: Code::Unavailable, ..Error::from(error) }
        })
    }
}
