//! API keys as they were looked up, remembered so that a request pays no round trip for its key.
//!
//! * A key that was looked up is good for `auth.key_ttl_ms`, which is how long another replica's revocation may take;
//!   this process's own takes effect at once. From half of that time on it is looked up again in the background.
//! * While the database is away a key that is remembered stays good for `auth.key_stale_ms`; one that is not is
//!   answered 503: nobody knows whose it is, so nobody is told that it is wrong.
//! * Bounds: [`MOST`] prefixes, unknown ones included, and [`MOST_LOOKUPS`] look-ups at once; beyond these a request
//!   with an unknown key is refused as overload.

use super::{Credential, Identity, Scopes, secret};
use crate::config::AuthSettings;
use crate::error::{Code, Error};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{FindKey, FoundKey, KeyId, StoreHandle, TenantId, TouchKeys};
use moka::future::Cache;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

const MOST: u64 = 10_000;
const MOST_LOOKUPS: usize = 32;
/// How long the database is asked for, with and without an older answer at hand.
const PATIENCE: Duration = Duration::from_secs(2);
const SHORT_PATIENCE: Duration = Duration::from_millis(250);
/// Keys used between two times that this is written down.
const MOST_USED: usize = 10_000;

/// A prefix's keys at a time.
struct Known {
    keys: Vec<(FoundKey, Arc<Identity>)>,
    at: Instant,
    renewing: AtomicBool,
}

/// Cheap to clone; shared by all HTTP threads.
#[derive(Clone)]
pub(super) struct Keys(Arc<Inner>);

struct Inner {
    store: StoreHandle,
    known: Cache<String, Arc<Known>>,
    lookups: Semaphore,
    used: Mutex<HashMap<(TenantId, KeyId), OffsetDateTime>>,
}

impl Keys {
    pub(super) fn new(store: StoreHandle) -> Self {
        Self(Arc::new(Inner {
            store,
            known: Cache::new(MOST),
            lookups: Semaphore::new(MOST_LOOKUPS),
            used: Mutex::default(),
        }))
    }

    /// Whose key it is; none when it is nobody's, or over.
    ///
    /// # Errors
    /// [`Code::Unavailable`] or [`Code::Overloaded`] when that cannot be known now.
    pub(super) async fn identify(
        &self,
        presented: &[u8],
        prefix: &str,
        auth: &AuthSettings,
    ) -> Result<Option<Arc<Identity>>, Error> {
        let known = self.known(prefix, auth).await?;
        let hash = secret::hash(presented);
        let now = OffsetDateTime::now_utc();
        // Every one is compared, and whether it is still good is asked of the right one alone.
        let right = known.keys.iter().fold(None, |right, one| {
            let same = one.0.hash.as_slice().ct_eq(&hash);
            if bool::from(same) { Some(one) } else { right }
        });
        let good = right.filter(|(key, _)| {
            key.revoked_at.is_none() && key.expires_at.is_none_or(|expires_at| now < expires_at)
        });
        Ok(good.map(|(key, identity)| {
            self.note(key, now);
            Arc::clone(identity)
        }))
    }

    async fn known(&self, prefix: &str, auth: &AuthSettings) -> Result<Arc<Known>, Error> {
        let (fresh, stale) =
            (Duration::from_millis(auth.key_ttl_ms), Duration::from_millis(auth.key_stale_ms));
        let before = self.0.known.get(prefix).await;
        if let Some(known) = &before {
            let age = known.at.elapsed();
            if age < fresh {
                if age >= fresh / 2 && !known.keys.is_empty() && !known.renewing.swap(true, Ordering::Relaxed)
                {
                    self.renew(prefix.to_owned(), Arc::clone(known));
                }
                return Ok(Arc::clone(known));
            }
        }
        let before = before.filter(|known| !known.keys.is_empty() && known.at.elapsed() < fresh.max(stale));
        let patience = if before.is_some() { SHORT_PATIENCE } else { PATIENCE };
        match (self.look_up(prefix, patience).await, before) {
            (Ok(known), _) => Ok(known),
            (Err(error), Some(known)) if error.is_temporary() => Ok(known),
            (Err(error), _) => Err(error),
        }
    }

    /// In the background: its failure is the next request's to find.
    fn renew(&self, prefix: String, known: Arc<Known>) {
        let keys = self.clone();
        tokio::spawn(async move {
            if keys.look_up(&prefix, PATIENCE).await.is_err() {
                known.renewing.store(false, Ordering::Relaxed);
            }
        });
    }

    async fn look_up(&self, prefix: &str, patience: Duration) -> Result<Arc<Known>, Error> {
        let Ok(_place) = self.0.lookups.try_acquire() else {
            return Err(Error::new(Code::Overloaded, "too much is under way: try again shortly"));
        };
        let at = Instant::now();
        let find = FindKey { prefix: prefix.to_owned() };
        let found = self.0.store.call(find, Deadline::within(patience)).await.map_err(|error| {
            let error = Error::from(error);
            let message = "credentials cannot be checked now: try again shortly";
            if error.is_temporary() {
                Error { message: message.into(), code: Code::Unavailable, ..error }
            } else {
                error
            }
        })?;
        let keys = found.into_iter().map(|key| {
            let identity = Arc::new(identity(&key));
            (key, identity)
        });
        let known = Arc::new(Known { keys: keys.collect(), at, renewing: AtomicBool::new(false) });
        self.0.known.insert(prefix.to_owned(), Arc::clone(&known)).await;
        Ok(known)
    }

    /// After a change of this process's own: the next request looks it up.
    pub(super) async fn forget(&self, prefix: &str) {
        self.0.known.invalidate(prefix).await;
    }

    fn note(&self, key: &FoundKey, now: OffsetDateTime) {
        let mut used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() < MOST_USED || used.contains_key(&(key.tenant, key.id)) {
            used.insert((key.tenant, key.id), now);
        }
    }

    /// Writes down which keys were used since the last time.
    pub(super) async fn write_down(&self) {
        let used = std::mem::take(&mut *self.0.used.lock().unwrap_or_else(PoisonError::into_inner));
        if used.is_empty() {
            return;
        }
        let touch = TouchKeys { used: used.iter().map(|((tenant, key), at)| (*tenant, *key, *at)).collect() };
        if let Err(error) = self.0.store.call(touch, Deadline::within(PATIENCE)).await {
            tracing::debug!(%error, "when keys were used is not written down yet");
            let mut newer = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, at) in used.into_iter().take(MOST_USED) {
                newer.entry(key).or_insert(at);
            }
        }
    }
}

fn identity(key: &FoundKey) -> Identity {
    Identity {
        tenant: key.tenant,
        credential: Credential::Key(key.id),
        scopes: Scopes::read(key.scopes.iter().map(String::as_str)),
        collections: key.collections.clone(),
        principals: key.principals.clone(),
    }
}
