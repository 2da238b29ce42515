//! What must hold before a pool is opened: a recent PostgreSQL, a recent pgvector, the schema.

use super::address::Address;
use super::hosts::{Hosts, Reach, Session};
use super::pool::APP_ROLE;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Client;

mod embedded {
    refinery::embed_migrations!("../migrations");
}

const MIN_POSTGRES: i32 = 15;
/// 0.8.2–0.8.4 fixed an HNSW build overflow and an index corruption by vacuum.
const MIN_PGVECTOR: (u32, u32, u32) = (0, 8, 4);
/// Replicas that start together migrate one after another.
const MIGRATION_LOCK: i64 = 0x6d63_705f_7261_6731;

#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    #[error("PostgreSQL {0} is too old: mcp-rag needs {MIN_POSTGRES} or newer")]
    PostgresTooOld(String),
    #[error(
        "the extension `vector` (pgvector >= 0.8.4) is not installed on the database server: install its package \
         (for example postgresql-18-pgvector), then start again"
    )]
    PgvectorMissing,
    #[error(
        "pgvector {0} is too old: mcp-rag needs 0.8.4 or newer, which fixes an index corruption; upgrade the package \
         and run `ALTER EXTENSION vector UPDATE`"
    )]
    PgvectorTooOld(String),
    #[error(
        "the schema is not up to date ({0} migrations missing): run `mcp-rag migrate`, or set database.migrate = true"
    )]
    SchemaBehind(usize),
    #[error("a migration failed: {0}")]
    Migration(String),
    #[error(
        "{login} may not take the role {APP_ROLE} ({error}); as an administrator run: GRANT {APP_ROLE} TO {login};"
    )]
    RoleRefused { login: String, error: String },
}

/// How long a host may take to accept a connection at start.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// What [`migrate`] found and did.
#[derive(Debug)]
pub struct Migrated {
    pub postgres: String,
    pub pgvector: String,
    pub applied: Vec<String>,
}

/// Checks the server and brings the schema up to date, or only checks when `apply` is false.
pub async fn migrate(owner: &Address, apply: bool) -> Result<Migrated, PreflightError> {
    let mut session = connect(owner).await?;
    checked(&mut session, apply).await
}

/// Makes sure that the login which serves may take the role that row-level security binds.
///
/// Since PostgreSQL 16 a login that has created a role administers it and yet may not take it.
pub async fn take_role(server: &Address) -> Result<(), PreflightError> {
    let client = connect(server).await?;
    let take = format!("SET ROLE {APP_ROLE}");
    let mut taken = client.batch_execute(&take).await;
    if taken.is_err() && client.batch_execute(&format!("GRANT {APP_ROLE} TO CURRENT_USER")).await.is_ok() {
        taken = client.batch_execute(&take).await;
    }
    let login = || server.config.get_user().unwrap_or_default().to_owned();
    taken.map_err(|error| PreflightError::RoleRefused { login: login(), error: reason(&error) })
}

pub(super) async fn connect(address: &Address) -> Result<Session, PreflightError> {
    let reach = Reach { limit: CONNECT_WITHIN, session: String::new(), sole: true };
    let opened = Hosts::new(address, reach, Arc::default()).open().await;
    opened.map_err(|error| PreflightError::Unreachable(error.to_string()))
}

async fn checked(client: &mut Client, apply: bool) -> Result<Migrated, PreflightError> {
    let row = client
        .query_one(
            "SELECT current_setting('server_version'), current_setting('server_version_num')::int",
            &[],
        )
        .await
        .map_err(|error| unreachable(&error))?;
    let postgres: String = row.get(0);
    if row.get::<_, i32>(1) / 10_000 < MIN_POSTGRES {
        return Err(PreflightError::PostgresTooOld(postgres));
    }
    let sql = "SELECT coalesce(installed_version, default_version) FROM pg_available_extensions WHERE name = 'vector'";
    let row = client.query_opt(sql, &[]).await.map_err(|error| unreachable(&error))?;
    let pgvector: String = row.and_then(|row| row.get(0)).ok_or(PreflightError::PgvectorMissing)?;
    if parse_version(&pgvector) < MIN_PGVECTOR {
        return Err(PreflightError::PgvectorTooOld(pgvector));
    }
    client
        .execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK])
        .await
        .map_err(|error| unreachable(&error))?;
    let failed = |error: refinery::Error| PreflightError::Migration(innermost(&error));
    let runner = embedded::migrations::runner();
    let applied = if apply {
        let report = runner.set_abort_missing(false).run_async(client).await.map_err(failed)?;
        report.applied_migrations().iter().map(ToString::to_string).collect()
    } else {
        let known = client.query_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[]).await;
        let done = if known.map_err(|error| unreachable(&error))?.get(0) {
            runner.get_applied_migrations_async(client).await.map_err(failed)?.len()
        } else {
            0
        };
        match runner.get_migrations().len().saturating_sub(done) {
            0 => Vec::new(),
            missing => return Err(PreflightError::SchemaBehind(missing)),
        }
    };
    Ok(Migrated { postgres, pgvector, applied })
}

pub(super) fn unreachable(error: &tokio_postgres::Error) -> PreflightError {
    PreflightError::Unreachable(reason(error))
}

/// The server's own words where it answered, the transport's where it did not.
fn reason(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} ({})", db.message(), db.code().code()),
        None => innermost(error),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn parse_version(text: &str) -> (u32, u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_not_by_letter() {
        assert!(parse_version("0.8.10") > MIN_PGVECTOR);
        assert!(parse_version("0.8.3") < MIN_PGVECTOR);
        assert!(parse_version("1.0") > MIN_PGVECTOR);
    }
}
