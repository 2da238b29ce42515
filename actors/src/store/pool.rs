//! How the database is reached: settings, and what every session begins with.

use super::address::Address;
use std::time::Duration;

/// The role every session switches to (created by the migrations): neither owner nor superuser, so
/// that row-level security binds it.
pub(super) const APP_ROLE: &str = "mcp_rag_app";

/// More replicas than anybody has behind one server of ours; each costs a monitor and a pool.
pub const MOST_REPLICAS: usize = 8;

/// How the pools reach the database.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// The writer: one host, or several of which one accepts writes.
    pub writer: Address,
    /// Read-only copies, at most [`MOST_REPLICAS`].
    pub replicas: Vec<Address>,
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
