use secrecy::SecretString;
use serde::Deserialize;

/// The public listener and the limits of every request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    pub host: String,
    pub port: u16,
    pub workers: usize,
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
}
