use secrecy::SecretString;
use serde::Deserialize;
use std::str::FromStr;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The public listener and the limits of every request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    pub host: String,
    pub port: u16,
    pub workers: usize,
    /// Whether people may look at `/`.
    pub console: bool,
    pub max_body_bytes: usize,
    /// All bodies of documents in memory at once.
    pub max_upload_bytes: usize,
    pub max_json_bytes: usize,
    pub max_connections: usize,
    pub max_in_flight: usize,
    pub max_answers: usize,
    pub max_streams: usize,
    pub keep_alive_ms: u64,
    pub read_timeout_ms: u64,
    pub body_timeout_ms: u64,
    pub request_timeout_ms: u64,
    /// How long the answer to a request with an `Idempotency-Key` is kept.
    pub idempotency_ttl_ms: u64,
    /// From SIGTERM until the listener closes.
    pub drain_delay_ms: u64,
    pub shutdown_timeout_ms: u64,
}

/// The listener for probes and metrics.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminSettings {
    pub host: String,
    pub port: u16,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    pub format: LogFormat,
    pub level: String,
}

impl LogSettings {
    /// A word that is no level would be read as the name of a module, and everything else be silent.
    pub(super) fn validate(&self) -> Result<(), String> {
        let level = |part: &str| part.contains(['=', '[']) || LevelFilter::from_str(part.trim()).is_ok();
        if self.level.split(',').all(level) && EnvFilter::try_new(&self.level).is_ok() {
            return Ok(());
        }
        Err("log.level is error, warn, info, debug or trace, or a filter such as info,mcp_rag::rag=debug"
            .to_owned())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    pub token: Option<SecretString>,
    /// How long a replaced token is still accepted.
    pub overlap_ms: u64,
    /// Whether API keys alone let callers in, outside development.
    pub keys_only: bool,
    /// How long an API key that was looked up is good without another look.
    pub key_ttl_ms: u64,
    /// The same while the database is away.
    pub key_stale_ms: u64,
}

/// Settings that change while the server runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReloadSettings {
    /// How often the files are looked at; 0: on SIGHUP alone.
    pub interval_ms: u64,
}
