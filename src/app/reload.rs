//! Settings that change while the server runs: the files are looked at, and what changed is read
//! through the same layers and the same validation as at the start.
//!
//! * Polling, because every way a file can be replaced looks the same to it: an editor's rename,
//!   Kubernetes' swapped symbolic links, a network file system that announces nothing.
//! * All or nothing: files that are not valid change nothing, and an error names file and key.
//! * What needs a restart is named, in the log and in `GET /v1/system`, and otherwise left alone.
//! * A database's new settings are used once a connection works with them; until then they are tried
//!   again, because the password file may come before the password does.
//!
//! Cancel safety: dropped between two steps it leaves a consistent snapshot.

use super::Core;
use super::tls::Certificate;
use crate::config::{Loaded, Settings, Sources, Values, compare, fingerprint, merged};
use crate::flags::Flag;
use crate::rag::Rag;
use crate::telemetry::LogLevel;
use mcp_rag_actors::resilience::Backoff;
use mcp_rag_actors::store::{Address, PoolSettings};
use rustls::sign::CertifiedKey;
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;

/// A file that is still being written is let alone until it has not changed for this long.
const SETTLE: Duration = Duration::from_millis(100);
const SETTLE_TRIES: u32 = 20;
const RETRY: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(30) };
/// With polling switched off.
const IDLE: Duration = Duration::from_secs(1);

/// Where a server's settings came from, and how its log is told.
pub struct Origin {
    pub sources: Sources,
    pub values: Values,
    pub log: LogLevel,
}

pub(super) struct Reload {
    sources: Sources,
    log: LogLevel,
    rag: Arc<Rag>,
    /// The managed PostgreSQL's login; with an external one it is not used.
    managed: Address,
    /// The listener's, with TLS alone.
    certificate: Option<Arc<Certificate>>,
    /// Certificates and keys that the settings name.
    files: Vec<PathBuf>,
    /// What is in use, by key; for keys that need a restart, since the start.
    running: Values,
    pending: Vec<String>,
    seen: [u8; 32],
    /// When the database's new settings are tried again, and how often they were.
    retry: Option<(Instant, u32)>,
}

impl Reload {
    pub(super) fn new(origin: Origin, core: &Core, certificate: Option<Arc<Certificate>>) -> Self {
        let Origin { sources, values, log } = origin;
        let (rag, managed) = (Arc::clone(&core.rag), core.database.clone());
        let files = files(&rag.settings());
        // Seen nothing yet: the first look also finds what changed while the server was starting.
        let (running, pending, seen) = (values, Vec::new(), [0; 32]);
        Self { sources, log, rag, managed, certificate, files, running, pending, seen, retry: None }
    }

    /// Looks every `reload.interval_ms`, and at once on SIGHUP. Never ends.
    pub(super) async fn watch(mut self) {
        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        let interval = self.rag.settings().reload.interval_ms;
        let pause = if interval == 0 { IDLE } else { Duration::from_millis(interval) };
        loop {
            let told = tokio::select! {
                _ = hangup.recv() => true,
                () = tokio::time::sleep(pause) => false,
            };
            let due = self.retry.is_some_and(|(at, _)| Instant::now() >= at);
            if told || due || (interval != 0 && self.look().await != self.seen) {
                self.seen = self.settled().await;
                self.reload().await;
            }
        }
    }

    async fn look(&self) -> [u8; 32] {
        let (sources, secrets): (_, PathBuf) =
            (self.sources.clone(), self.rag.settings().secrets_dir.clone());
        let files = self.files.clone();
        spawn_blocking(move || fingerprint(&sources, &secrets, &files)).await.unwrap_or(self.seen)
    }

    async fn settled(&self) -> [u8; 32] {
        let mut last = self.look().await;
        for _ in 0..SETTLE_TRIES {
            tokio::time::sleep(SETTLE).await;
            let now = self.look().await;
            if now == last {
                break;
            }
            last = now;
        }
        last
    }

    async fn reload(&mut self) {
        let sources = self.sources.clone();
        let Ok(loaded) = spawn_blocking(move || Loaded::load(&sources)).await else { return };
        let checked = loaded.map_err(|error| error.to_string()).and_then(|loaded| {
            let pool = self.pool(&loaded.settings)?;
            loaded.settings.redis.validate()?;
            let certified =
                Certificate::read(&loaded.settings.server.tls).map_err(|error| error.to_string())?;
            Ok((loaded, pool, certified))
        });
        let (Loaded { mut settings, mut values }, pool, certified) = match checked {
            Ok(checked) => checked,
            Err(error) => {
                tracing::error!(%error, "settings not reloaded: the old ones stay");
                return count("refused");
            }
        };
        self.files = files(&settings);
        if settings.flags.is_away() {
            tracing::warn!("flags.file is gone: flags keep their values until it is back");
            settings.flags.turn(&self.rag.settings().flags);
            for flag in Flag::ALL.map(|flag| format!("flags.{}", flag.as_str())) {
                values.extend(self.running.get(&flag).map(|value| (flag, *value)));
            }
        }
        let (changed, pending) = compare(&self.running, &values);
        self.announce(pending);
        let (database, others): (Vec<_>, Vec<_>) = changed.into_iter().partition(|key| of_database(key));
        if !others.is_empty() {
            match self.adopt(&settings, certified) {
                Ok(()) => self.took_over(&others, &values),
                Err(error) => {
                    tracing::error!(%error, "settings not reloaded");
                    return count("refused");
                }
            }
        }
        self.reconnect(&database, pool, &values).await;
    }

    /// Everything but the database; whatever could be wrong with it was checked.
    fn adopt(&self, new: &Settings, certified: Option<CertifiedKey>) -> Result<(), String> {
        let settings = merged(&self.rag.settings(), new, &self.pending);
        self.rag.generator.reconfigure(&settings.generator)?;
        self.rag.cache.reconfigure(&settings.redis)?;
        self.rag.embedder.use_key(settings.embedder.api_key.clone());
        if let (Some(second), Some(next)) = (&self.rag.models.second, settings.embedder.next()) {
            second.use_key(next.api_key);
        }
        self.rag.reranker.use_key(settings.reranker.api_key.clone());
        self.rag.webhooks.use_secret(settings.webhooks.secret.clone());
        if let Some((certificate, next)) = self.certificate.as_ref().zip(certified) {
            certificate.replace(next);
        }
        self.log.set(&settings.log.level);
        self.rag.running.adopt(settings, Instant::now());
        Ok(())
    }

    /// Where it fails it is tried again: the password file may come before the password does.
    async fn reconnect(&mut self, changed: &[String], pool: PoolSettings, values: &Values) {
        if changed.is_empty() {
            self.retry = None;
            return;
        }
        match self.rag.store.reconfigure(pool).await {
            Ok(()) => {
                self.retry = None;
                self.took_over(changed, values);
            }
            Err(_) => {
                let tried = self.retry.map_or(0, |(_, tried)| tried);
                self.retry = Some((Instant::now() + RETRY.delay(tried, 0.5), tried + 1));
                count("failed");
            }
        }
    }

    fn pool(&self, settings: &Settings) -> Result<PoolSettings, String> {
        let config = match &settings.database.url {
            Some(url) => Address::parse(url.expose_secret(), &settings.database.tls)?,
            None => self.managed.clone(),
        };
        super::pool(settings, config).map_err(|error| error.to_string())
    }

    fn announce(&mut self, pending: Vec<String>) {
        for key in pending.iter().filter(|key| !self.pending.contains(key)) {
            tracing::warn!(key, "changed, and needs a restart to take effect");
        }
        self.rag.running.await_restart(pending.clone());
        self.pending = pending;
    }

    fn took_over(&mut self, keys: &[String], values: &Values) {
        for key in keys {
            match values.get(key) {
                Some(value) => self.running.insert(key.clone(), *value),
                None => self.running.remove(key),
            };
        }
        tracing::info!(keys = keys.join(", "), "settings reloaded");
        count("applied");
        let now = self.rag.running.status().loaded_at.unix_timestamp();
        metrics::gauge!("mcp_rag_config_last_reload_timestamp_seconds").set(now as f64);
    }
}

fn files(settings: &Settings) -> Vec<PathBuf> {
    let named = settings.files().into_iter().map(|(_, path)| path.to_owned());
    named.chain(settings.flags.file.clone()).collect()
}

/// Sessions carry `search.ef_search`, so that it changes as the login does.
fn of_database(key: &str) -> bool {
    key == "search.ef_search" || key.starts_with("database.")
}

fn count(outcome: &'static str) {
    metrics::counter!("mcp_rag_config_reloads_total", "outcome" => outcome).increment(1);
}
