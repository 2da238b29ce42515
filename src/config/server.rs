use super::JwtSettings;
use super::mcp::list;
use crate::http::cors::is_origin;
use secrecy::SecretString;
use serde::Deserialize;
use std::path::PathBuf;
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
    #[serde(default)]
    pub tls: ServerTls,
    pub cors: CorsSettings,
}

/// Web pages of other origins.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorsSettings {
    /// That may call `/v1`, exactly: `https://app.example.com`.
    #[serde(deserialize_with = "list")]
    pub allowed_origins: Vec<String>,
}

impl CorsSettings {
    pub(super) fn validate(&self) -> Result<(), String> {
        if self.allowed_origins.iter().all(|text| is_origin(text)) {
            return Ok(());
        }
        Err("server.cors.allowed_origins holds whole origins, none by a pattern: https://app.example.com"
            .to_owned())
    }
}

/// The public listener's certificate; without one it speaks HTTP in the clear.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTls {
    /// In PEM: the server's own, then those that lead to its authority.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// Authorities of clients: who has no certificate of theirs is not let in.
    pub client_ca_file: Option<PathBuf>,
}

impl ServerTls {
    pub(super) fn validate(&self) -> Result<(), String> {
        if self.cert_file.is_some() != self.key_file.is_some() {
            return Err("server.tls.cert_file and server.tls.key_file belong together".to_owned());
        }
        if self.client_ca_file.is_some() && self.cert_file.is_none() {
            return Err("server.tls.client_ca_file needs server.tls.cert_file".to_owned());
        }
        Ok(())
    }
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
    pub jwt: Box<JwtSettings>,
}

impl AuthSettings {
    /// Whether nobody is let in without a credential.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.token.is_some() || self.keys_only || self.jwt.is_on()
    }
}

/// Settings that change while the server runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReloadSettings {
    /// How often the files are looked at; 0: on SIGHUP alone.
    pub interval_ms: u64,
}
