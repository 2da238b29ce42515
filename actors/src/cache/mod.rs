//! Two levels of cached bytes: in this process (moka), and Redis for all replicas when configured.
//!
//! * Keys carry the epochs of what they depend on, so nothing is ever invalidated, only outlived.
//! * The first level is read without a hop; only Redis is behind the actor.
//! * Redis is never needed: an error or a slow reply is a miss and is counted.

mod redis;

pub use redis::RedisSettings;

use crate::live::Live;
use crate::resilience::Deadline;
use crate::supervise::{ChildSpec, Handle, StartError, Tree};
use bytes::Bytes;
use redis::{Fetch, Redis, Save};
use serde::{Deserialize, Serialize};
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
    shared: Option<(Handle<Redis>, Duration)>,
    settings: Live<RedisSettings>,
    ttl: Duration,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct CacheStatus {
    pub entries: u64,
    pub bytes: u64,
    pub shared: bool,
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
        let handle = tree.start(ChildSpec::new("cache", 256), redis::factory(settings.clone())).await?;
        let shared = redis.url.is_some().then(|| (handle, Duration::from_millis(redis.timeout_ms)));
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

    /// The bytes stored under the key, from whichever level has them first.
    pub async fn get(&self, key: &str) -> Option<Bytes> {
        if let Some(value) = self.local.get(key).await {
            count("local", "hit");
            return Some(value);
        }
        count("local", "miss");
        let (redis, timeout) = self.shared.as_ref()?;
        let fetch = Fetch { key: key.to_owned() };
        match redis.call(fetch, Deadline::within(*timeout)).await {
            Ok(Ok(Some(value))) => {
                count("redis", "hit");
                self.local.insert(key.to_owned(), value.clone()).await;
                Some(value)
            }
            Ok(Ok(None)) => {
                count("redis", "miss");
                None
            }
            Ok(Err(_)) | Err(_) => {
                count("redis", "error");
                None
            }
        }
    }

    /// Stores in both levels; best effort.
    pub async fn put(&self, key: String, value: Bytes) {
        self.local.insert(key.clone(), value.clone()).await;
        if let Some((redis, timeout)) = &self.shared {
            let save = Save { key, value, ttl: self.ttl };
            if !matches!(redis.call(save, Deadline::within(*timeout)).await, Ok(Ok(()))) {
                count("redis", "error");
            }
        }
    }

    /// Whether Redis, where configured, answers.
    pub async fn shared_is_up(&self) -> Option<bool> {
        let (redis, timeout) = self.shared.as_ref()?;
        let probe = Fetch { key: "mcp-rag:probe".to_owned() };
        Some(matches!(redis.call(probe, Deadline::within(*timeout)).await, Ok(Ok(_))))
    }

    #[must_use]
    pub fn status(&self) -> CacheStatus {
        CacheStatus {
            entries: self.local.entry_count(),
            bytes: self.local.weighted_size(),
            shared: self.shared.is_some(),
        }
    }
}

fn count(level: &'static str, outcome: &'static str) {
    metrics::counter!("mcp_rag_cache_requests_total", "level" => level, "outcome" => outcome).increment(1);
}
