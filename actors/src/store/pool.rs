//! How the database is reached: settings, and what every session begins with.

use std::str::FromStr;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::TargetSessionAttrs;

/// The role every session switches to (created by the migrations): neither owner nor superuser, so
/// that row-level security binds it.
pub(super) const APP_ROLE: &str = "mcp_rag_app";

/// More replicas than anybody has behind one server of ours; each costs a monitor and a pool.
pub const MOST_REPLICAS: usize = 8;

/// How the pools reach the database.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// The writer: one host, or several of which one accepts writes.
    pub config: Config,
    /// Read-only copies, at most [`MOST_REPLICAS`].
    pub replicas: Vec<Config>,
    /// A replica further behind gets no reads while the writer is there.
    pub max_lag: Duration,
    /// Connections in each pool.
    pub size: usize,
    pub wait: Duration,
    /// Of one attempt at one host.
    pub connect: Duration,
    pub statement: Duration,
    /// Session settings of every connection, as `name = value` pairs.
    pub session: Vec<(&'static str, String)>,
}

impl PoolSettings {
    /// What a fresh connection runs first: take the restricted role, then the session settings.
    pub(super) fn session_sql(&self) -> String {
        let mut sql = format!(
            "SET ROLE {APP_ROLE}; SET statement_timeout = {}; SET jit = off;",
            self.statement.as_millis()
        );
        for (name, value) in &self.session {
            sql.push_str(&format!(" SET {name} = '{}';", value.replace('\'', "''")));
        }
        sql
    }
}

/// Reads `database.url`, in either of PostgreSQL's notations. Of several hosts only one that accepts
/// writes will do, unless the string says otherwise.
///
/// # Errors
/// What is wrong with it, without repeating it: it may hold a password.
pub fn parse_url(url: &str) -> Result<Config, String> {
    let mut config = parse(url, "database.url")?;
    let several = config.get_hosts().len().max(config.get_hostaddrs().len()) > 1;
    if several && config.get_target_session_attrs() == TargetSessionAttrs::Any {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    Ok(config)
}

/// Reads one of `database.replica_urls`.
///
/// # Errors
/// As for [`parse_url`].
pub fn parse_replica_url(url: &str) -> Result<Config, String> {
    parse(url, "database.replica_urls")
}

fn parse(url: &str, key: &str) -> Result<Config, String> {
    Config::from_str(url).map_err(|error| {
        format!("{key} is not a PostgreSQL connection string ({error}); e.g. postgres://user:password@host:5432/db")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_hosts_one_must_accept_writes_unless_the_url_says_otherwise() {
        let wanted = |url| parse_url(url).expect("a connection string").get_target_session_attrs();
        assert_eq!(wanted("postgres://u@h1,h2/d"), TargetSessionAttrs::ReadWrite);
        assert_eq!(wanted("postgres://u@h1/d"), TargetSessionAttrs::Any);
        assert_eq!(
            wanted("postgres://u@h1,h2/d?target_session_attrs=read-only"),
            TargetSessionAttrs::ReadOnly
        );
        let wrong = parse_url("postgres://u:secret@h:x/d").expect_err("no port");
        assert!(wrong.contains("database.url") && !wrong.contains("secret"), "{wrong}");
    }
}
