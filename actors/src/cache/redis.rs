use super::count::Line;
use crate::live::{Live, Made};
use crate::resilience::Deadline;
use crate::supervise::{Lifeline, Request, Serve, Service};
use crate::tls::{TlsSettings, Verify};
use bytes::Bytes;
use deadpool_redis::redis::{AsyncCommands, Client, ClientTlsConfig, TlsCertificates};
use deadpool_redis::{Manager, Pool, PoolConfig, Runtime, Timeouts};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::future::{Ready, ready};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    pub url: Option<SecretString>,
    /// A cache that answers later than this is not worth waiting for.
    pub timeout_ms: u64,
    /// For `rediss://`.
    #[serde(default)]
    pub tls: TlsSettings,
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
    let refused = || "redis.url is not a Redis connection string; e.g. redis://host:6379".to_owned();
    let url = url.expose_secret();
    let client = if url.starts_with("rediss:") {
        // The library would believe anybody.
        if url.ends_with("#insecure") {
            return Err("redis.url: `#insecure` is not supported: set redis.tls.ca_file".to_owned());
        }
        Client::build_with_tls(url, certificates(&settings.tls)?)
    } else {
        Client::open(url)
    };
    let info = client.map_err(|_| refused())?.get_connection_info().clone();
    let wait = Some(Duration::from_millis(settings.timeout_ms));
    let pool = Pool::builder(Manager::new(info).map_err(|_| refused())?)
        .config(PoolConfig {
            max_size: 8,
            timeouts: Timeouts { wait, create: wait, recycle: wait },
            ..PoolConfig::default()
        })
        .runtime(Runtime::Tokio1);
    pool.build().map(Some).map_err(|_| refused())
}

/// What the library is to read itself; that it can is known before.
fn certificates(tls: &TlsSettings) -> Result<TlsCertificates, String> {
    tls.client(Verify::Host, "redis.tls")?;
    let read = |path: &PathBuf| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let pair = tls.cert_file.as_ref().zip(tls.key_file.as_ref());
    let pair = pair.map(|(cert, key)| Ok::<_, String>((read(cert)?, read(key)?))).transpose()?;
    Ok(TlsCertificates {
        client_tls: pair.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key }),
        root_cert: tls.ca_file.as_ref().map(read).transpose()?,
    })
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
