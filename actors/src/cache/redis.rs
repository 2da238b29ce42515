use super::count::Line;
use crate::live::{Live, Made};
use crate::resilience::Deadline;
use crate::supervise::{Lifeline, Request, Serve, Service};
use bytes::Bytes;
use deadpool_redis::redis::AsyncCommands;
use deadpool_redis::{Config, Pool, PoolConfig, Runtime, Timeouts};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::time::Duration;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    pub url: Option<SecretString>,
    /// A cache that answers later than this is not worth waiting for.
    pub timeout_ms: u64,
}

impl RedisSettings {
    /// # Errors
    /// What is wrong, without repeating it: the URL may hold a password.
    pub fn validate(&self) -> Result<(), String> {
        pool(self).map(drop)
    }
}

/// Sole owner of the Redis connections; empty when none is configured.
pub(super) struct Redis {
    pub(super) pool: Made<RedisSettings, Option<Pool>>,
    pub(super) line: Line,
}

impl Service for Redis {}

#[derive(Debug, Clone)]
pub(super) struct Fetch {
    pub(super) key: String,
}

#[derive(Debug)]
pub(super) struct Save {
    pub(super) key: String,
    pub(super) value: Bytes,
    pub(super) ttl: Duration,
}

/// Whether Redis answers at all.
#[derive(Debug)]
pub(super) struct Ping;

/// Redis did not answer or is not configured; the caller counts a miss.
#[derive(Debug)]
pub(super) struct Unavailable;

impl Request for Fetch {
    type Reply = Result<Option<Bytes>, Unavailable>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Request for Ping {
    type Reply = Result<(), Unavailable>;
}

impl Request for Save {
    type Reply = Result<(), Unavailable>;
}

pub(super) fn factory(
    settings: Live<RedisSettings>,
) -> impl Fn(Lifeline) -> Ready<Result<Redis, String>> + use<> {
    move |_| ready(Made::new(settings.clone(), pool).map(|pool| Redis { pool, line: Line::default() }))
}

/// Connections are made when first needed, so a server starts while Redis is away.
pub(super) fn pool(settings: &RedisSettings) -> Result<Option<Pool>, String> {
    let Some(url) = &settings.url else { return Ok(None) };
    let wait = Some(Duration::from_millis(settings.timeout_ms));
    let mut config = Config::from_url(url.expose_secret());
    config.pool = Some(PoolConfig {
        max_size: 8,
        timeouts: Timeouts { wait, create: wait, recycle: wait },
        ..PoolConfig::default()
    });
    let refused = "redis.url is not a Redis connection string; e.g. redis://host:6379";
    config.create_pool(Some(Runtime::Tokio1)).map(Some).map_err(|_| refused.to_owned())
}

impl Serve<Fetch> for Redis {
    async fn serve(self: Rc<Self>, fetch: Fetch, _: Deadline) -> Result<Option<Bytes>, Unavailable> {
        let made = self.pool.get();
        let pool = made.as_ref().as_ref().ok_or(Unavailable)?;
        let mut connection = pool.get().await.map_err(|_| Unavailable)?;
        let value: Option<Vec<u8>> = connection.get(fetch.key).await.map_err(|_| Unavailable)?;
        Ok(value.map(Bytes::from))
    }
}

impl Serve<Save> for Redis {
    async fn serve(self: Rc<Self>, save: Save, _: Deadline) -> Result<(), Unavailable> {
        let made = self.pool.get();
        let pool = made.as_ref().as_ref().ok_or(Unavailable)?;
        let mut connection = pool.get().await.map_err(|_| Unavailable)?;
        let millis = u64::try_from(save.ttl.as_millis()).unwrap_or(u64::MAX);
        connection.pset_ex::<_, _, ()>(save.key, save.value.as_ref(), millis).await.map_err(|_| Unavailable)
    }
}

impl Serve<Ping> for Redis {
    async fn serve(self: Rc<Self>, _: Ping, _: Deadline) -> Result<(), Unavailable> {
        let made = self.pool.get();
        let pool = made.as_ref().as_ref().ok_or(Unavailable)?;
        let mut connection = pool.get().await.map_err(|_| Unavailable)?;
        connection.ping::<()>().await.map_err(|_| Unavailable)
    }
}
