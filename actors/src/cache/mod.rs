//! Two levels of cached bytes: in this process (moka), and Redis for all replicas when configured.
//!
//! * Keys carry the epochs of what they depend on, so nothing is ever invalidated, only outlived.
//! * The first level is read without a hop; only Redis is behind the actor.
//! * Redis is never needed: an error or a slow reply is a miss and is counted. One that is away is not
//!   asked (circuit `redis`), so that it costs nothing.
//! * What replicas have admitted together is counted there too ([`CacheHandle::count`]).

mod count;
mod redis;
mod shared;

pub use count::{Ask, Count, Counted, Level};
pub use redis::RedisSettings;

use crate::live::Live;
use crate::resilience::Circuit;
use crate::supervise::{StartError, Tree};
use bytes::Bytes;
use redis::{Fetch, Save};
use serde::{Deserialize, Serialize};
use shared::Shared;
use std::time::Duration;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheSettings {
    pub max_bytes: u64,
    pub ttl_ms: u64,
}

#[derive(Clone)]
pub struct CacheHandle {
    local: moka::future::Cache<String, Bytes>,
    shared: Option<Shared>,
    settings: Live<RedisSettings>,
    ttl: Duration,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct CacheStatus {
    pub entries: u64,
    pub bytes: u64,
    pub shared: bool,
    /// Redis is configured and not asked at the moment.
    pub shared_is_away: bool,
}

impl CacheHandle {
    pub async fn start(
        tree: &Tree,
        settings: &CacheSettings,
        redis: &RedisSettings,
    ) -> Result<Self, StartError> {
        let ttl = Duration::from_millis(settings.ttl_ms);
        let weigh = |key: &String, value: &Bytes| u32::try_from(key.len() + value.len()).unwrap_or(u32::MAX);
        let local = moka::future::Cache::builder()
            .max_capacity(settings.max_bytes)
            .weigher(weigh)
            .time_to_live(ttl)
            .build();
        let settings = Live::new(redis.clone());
        let handle = tree.start(tree.spec("cache", 256), redis::factory(settings.clone())).await?;
        let shared = redis.url.is_some().then(|| Shared::new(handle, redis));
        Ok(Self { local, shared, settings, ttl })
    }

    /// Uses another Redis, or another login to it, from the next call on.
    ///
    /// # Errors
    /// What is wrong with the settings; the old ones stay.
    pub fn reconfigure(&self, redis: &RedisSettings) -> Result<(), String> {
        redis::pool(redis)?;
        self.settings.set(redis.clone());
        Ok(())
    }

    /// The bytes stored under the key in this process.
    pub async fn get_here(&self, key: &str) -> Option<Bytes> {
        let found = self.local.get(key).await;
        count("local", if found.is_some() { "hit" } else { "miss" });
        found
    }

    /// The bytes stored under the key, from whichever level has them first.
    pub async fn get(&self, key: &str) -> Option<Bytes> {
        if let Some(value) = self.get_here(key).await {
            return Some(value);
        }
        let shared = self.shared.as_ref()?;
        match shared.call(Fetch { key: key.to_owned() }).await {
            Ok(Some(value)) => {
                count("redis", "hit");
                self.local.insert(key.to_owned(), value.clone()).await;
                Some(value)
            }
            Ok(None) => {
                count("redis", "miss");
                None
            }
            Err(away) => {
                count("redis", away.outcome());
                None
            }
        }
    }

    /// Stores in this process.
    pub async fn put_here(&self, key: String, value: Bytes) {
        self.local.insert(key, value).await;
    }

    /// Stores in both levels; best effort.
    pub async fn put(&self, key: String, value: Bytes) {
        self.put_here(key.clone(), value.clone()).await;
        if let Some(shared) = &self.shared
            && let Err(away) = shared.call(Save { key, value, ttl: self.ttl }).await
        {
            count("redis", away.outcome());
        }
    }

    /// Whether Redis, where configured, answers. Asks it, unless it is known to be away.
    pub async fn shared_is_up(&self) -> Option<bool> {
        Some(self.shared.as_ref()?.is_up().await)
    }

    /// Whether Redis is configured and was found to be away; asks nobody.
    #[must_use]
    pub fn shared_is_away(&self) -> bool {
        self.shared.as_ref().is_some_and(Shared::is_away)
    }

    /// Whether Redis is configured.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// The circuit of Redis, where it is configured.
    #[must_use]
    pub fn circuit(&self) -> Option<&Circuit> {
        self.shared.as_ref().map(Shared::circuit)
    }

    #[must_use]
    pub fn status(&self) -> CacheStatus {
        CacheStatus {
            entries: self.local.entry_count(),
            bytes: self.local.weighted_size(),
            shared: self.shared.is_some(),
            shared_is_away: self.shared_is_away(),
        }
    }
}

fn count(level: &'static str, outcome: &'static str) {
    metrics::counter!("mcp_rag_cache_requests_total", "level" => level, "outcome" => outcome).increment(1);
}
