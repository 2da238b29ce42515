//! Settings of the managed PostgreSQL (`database.embedded` in the configuration).
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a person may set. The data directory is not among it: it is the process's, and comes with
/// [`DataDirLock`](super::DataDirLock).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PostgresSettings {
    /// Directory with `postgres` and `initdb`; found by itself when absent (see `locate`).
    pub bin_dir: Option<PathBuf>,
    /// Directory of the Unix socket, mode 0700; chosen by itself when absent (see `socket`).
    pub socket_dir: Option<PathBuf>,
    /// When the server runs as root: the user PostgreSQL runs as.
    pub run_as: Option<String>,
    /// Memory to plan with, in MiB; absent: what the machine or the container has.
    pub memory_mb: Option<u64>,
    /// Connections the database admits.
    pub max_connections: u16,
    /// Any other PostgreSQL parameter, over the computed ones. Those that keep acknowledged data
    /// safe or the database private are refused.
    pub parameters: BTreeMap<String, String>,
    /// How long a start may take, WAL recovery included.
    pub start_timeout_secs: u64,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            bin_dir: None,
            socket_dir: None,
            run_as: None,
            memory_mb: None,
            max_connections: 100,
            parameters: BTreeMap::new(),
            start_timeout_secs: 300,
        }
    }
}

/// Parameters that are invariants of the managed database, not matters of taste.
const RESERVED: [&str; 13] = [
    "config_file",
    "data_directory",
    "fsync",
    "full_page_writes",
    "hba_file",
    "include",
    "include_dir",
    "include_if_exists",
    "listen_addresses",
    "max_connections",
    "port",
    "unix_socket_directories",
    "unix_socket_permissions",
];

impl PostgresSettings {
    /// Checked before anything is touched; the text names the setting.
    pub fn validate(&self) -> Result<(), String> {
        if !(10..=1000).contains(&self.max_connections) {
            return Err("max_connections must be between 10 and 1000".into());
        }
        if self.memory_mb.is_some_and(|mb| mb < 256) {
            return Err("memory_mb must be at least 256".into());
        }
        if !(5..=86_400).contains(&self.start_timeout_secs) {
            return Err("start_timeout_secs must be between 5 and 86400".into());
        }
        for (name, value) in &self.parameters {
            let lower = name.to_ascii_lowercase();
            if RESERVED.contains(&lower.as_str()) {
                return Err(format!("parameters.{name} cannot be set for the managed PostgreSQL"));
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            if name.is_empty() || !name.chars().all(plain) {
                return Err(format!("parameters: {name:?} is not a parameter name"));
            }
            if value.chars().any(char::is_control) {
                return Err(format!("parameters.{name} must be one line"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_that_would_lose_data_or_open_the_database_are_refused() {
        for name in ["fsync", "listen_addresses", "FSYNC", "hba_file"] {
            let mut settings = PostgresSettings::default();
            settings.parameters.insert(name.into(), "off".into());
            assert!(settings.validate().is_err_and(|text| text.contains(name)));
        }
    }

    #[test]
    fn a_parameter_cannot_smuggle_in_a_second_line() {
        let mut settings = PostgresSettings::default();
        settings.parameters.insert("work_mem".into(), "1MB'\nfsync = off".into());
        assert!(settings.validate().is_err());
    }
}
