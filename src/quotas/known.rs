//! What was set for tenants and keys in place of the configured limits, remembered as keys are ([`crate::identity`]):
//! for `auth.key_ttl_ms`, looked up again in the background from half of that on, and for as long as the database is
//! away. Somebody of whom nothing is known while it is has the configured limits.

use super::limits::Limits;
use crate::config::AuthSettings;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{FindLimits, FoundLimits, KeyId, StoreHandle, TenantId};
use moka::future::Cache;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

const MOST: u64 = 10_000;
const MOST_LOOKUPS: usize = 32;
const PATIENCE: Duration = Duration::from_millis(250);

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Known(Arc<Inner>);

struct Inner {
    store: StoreHandle,
    seen: Cache<(TenantId, Option<KeyId>), Arc<Seen>>,
    lookups: Semaphore,
}

/// What was set, at a time.
pub(super) struct Seen {
    pub(super) key: Limits,
    pub(super) tenant: Limits,
    at: Instant,
    renewing: AtomicBool,
}

impl Known {
    pub(super) fn new(store: StoreHandle) -> Self {
        let (seen, lookups) = (Cache::new(MOST), Semaphore::new(MOST_LOOKUPS));
        Self(Arc::new(Inner { store, seen, lookups }))
    }

    pub(super) async fn of(&self, tenant: TenantId, key: Option<KeyId>, auth: &AuthSettings) -> Arc<Seen> {
        let fresh = Duration::from_millis(auth.key_ttl_ms);
        let before = self.0.seen.get(&(tenant, key)).await;
        if let Some(seen) = &before {
            let age = seen.at.elapsed();
            if age < fresh {
                if age >= fresh / 2 && !seen.renewing.swap(true, Ordering::Relaxed) {
                    let known = self.clone();
                    tokio::spawn(async move { known.look_up(tenant, key).await });
                }
                return Arc::clone(seen);
            }
        }
        match (self.look_up(tenant, key).await, before) {
            (Some(seen), _) | (None, Some(seen)) => seen,
            (None, None) => Arc::new(Seen::new(Limits::default(), Limits::default())),
        }
    }

    async fn look_up(&self, tenant: TenantId, key: Option<KeyId>) -> Option<Arc<Seen>> {
        let _place = self.0.lookups.try_acquire().ok()?;
        let found = self.0.store.call(FindLimits { tenant, key }, Deadline::within(PATIENCE)).await;
        let FoundLimits { tenant: of_tenant, key: of_key } = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "limits were not looked up");
                // Found out again by the next request, which has the older ones meanwhile.
                if let Some(seen) = self.0.seen.get(&(tenant, key)).await {
                    seen.renewing.store(false, Ordering::Relaxed);
                }
                return None;
            }
        };
        let seen = Arc::new(Seen::new(read(of_key), read(of_tenant)));
        self.0.seen.insert((tenant, key), Arc::clone(&seen)).await;
        Some(seen)
    }

    /// After a change of this process's own.
    pub(super) async fn forget(&self, tenant: TenantId, key: KeyId) {
        self.0.seen.invalidate(&(tenant, Some(key))).await;
    }
}

impl Seen {
    fn new(key: Limits, tenant: Limits) -> Self {
        Self { key, tenant, at: Instant::now(), renewing: AtomicBool::new(false) }
    }
}

/// What another version has set may hold more than is known here.
pub(super) fn read(value: Value) -> Limits {
    let Value::Object(mut fields) = value else { return Limits::default() };
    fields.retain(|name, value| {
        let one = [(name.clone(), value.clone())].into_iter().collect();
        serde_json::from_value::<Limits>(Value::Object(one)).is_ok()
    });
    serde_json::from_value(Value::Object(fields)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_newer_version_has_set_does_not_take_the_rest_away() {
        let limits = read(json!({"search_per_second": 5, "poems_per_day": 2, "answers_per_minute": "x"}));
        assert_eq!(limits, Limits { search_per_second: Some(5), ..Limits::default() });
        assert_eq!(read(Value::Null), Limits::default());
    }
}
