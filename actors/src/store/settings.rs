use crate::postgres::PostgresSettings;
use secrecy::SecretString;
use serde::Deserialize;

/// Which database to use and how hard.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// An external PostgreSQL; absent: the managed one of `embedded`.
    pub url: Option<SecretString>,
    pub migrate: bool,
    pub pool_size: usize,
    pub pool_wait_ms: u64,
    pub connect_timeout_ms: u64,
    pub statement_timeout_ms: u64,
    pub embedded: PostgresSettings,
}
