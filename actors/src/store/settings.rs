use crate::postgres::PostgresSettings;
use crate::tls::TlsSettings;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

/// Which database to use and how hard.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// An external PostgreSQL; absent: the managed one of `embedded`.
    pub url: Option<SecretString>,
    /// Read-only copies of it, one connection string each.
    #[serde(deserialize_with = "lines")]
    pub replica_urls: Vec<SecretString>,
    #[serde(default)]
    pub tls: TlsSettings,
    pub replica_max_lag_ms: u64,
    pub migrate: bool,
    pub pool_size: usize,
    pub pool_wait_ms: u64,
    pub connect_timeout_ms: u64,
    pub statement_timeout_ms: u64,
    pub embedded: PostgresSettings,
}

/// A list; or one string with an entry on each line, as a secret file or the environment has it.
fn lines<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SecretString>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        List(Vec<SecretString>),
        Lines(String),
    }
    Ok(match Form::deserialize(from)? {
        Form::List(list) => list,
        Form::Lines(text) => {
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(SecretString::from).collect()
        }
    })
}
