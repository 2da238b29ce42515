//! Roles, database and extension of a fresh cluster; nothing to do on later starts.
//!
//! `mcp_rag_owner` owns the database and runs the migrations; `mcp_rag_app` serves requests. Neither
//! is a superuser nor may pass row-level security by, and the second owns nothing, so row-level
//! security binds it. pgvector is not a trusted extension, so the superuser installs it here.
use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls};

use super::error::PostgresError;
use super::{APP, DATABASE, OWNER, SUPERUSER};

const SQLSTATE_DUPLICATES: [&str; 2] = ["42710", "42P04"];

pub(super) fn config(socket_dir: &std::path::Path, user: &str, database: &str) -> Config {
    let mut config = Config::new();
    config
        .host_path(socket_dir)
        .port(super::socket::PORT)
        .user(user)
        .dbname(database)
        .application_name("mcp-rag")
        .connect_timeout(Duration::from_secs(2));
    config
}

pub(super) async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    // Ends with the client; its error reaches the client's caller as well.
    drop(tokio::spawn(connection));
    Ok(client)
}

/// Idempotent; a crash half-way is completed by the next start.
pub(super) async fn run(socket_dir: &std::path::Path) -> Result<(), PostgresError> {
    let client = connect(&config(socket_dir, SUPERUSER, "postgres")).await?;
    for role in [OWNER, APP] {
        let exists = client.query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&role]).await?;
        if exists.is_none() {
            execute(&client, &format!("CREATE ROLE {role} LOGIN")).await?;
        }
    }
    // Holds even if somebody widened them by hand.
    let rights = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS";
    let widened = "SELECT rolname FROM pg_roles WHERE rolname = ANY($1) AND \
                   (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)";
    for row in client.query(widened, &[&[OWNER, APP].as_slice()]).await? {
        let role: String = row.get(0);
        execute(&client, &format!("ALTER ROLE {role} {rights}")).await?;
    }
    let database = "SELECT 1 FROM pg_database WHERE datname = $1";
    if client.query_opt(database, &[&DATABASE]).await?.is_none() {
        execute(&client, &format!("CREATE DATABASE {DATABASE} OWNER {OWNER}")).await?;
    }
    let client = connect(&config(socket_dir, SUPERUSER, DATABASE)).await?;
    execute(&client, "CREATE EXTENSION IF NOT EXISTS vector").await?;
    let outdated = "SELECT 1 FROM pg_available_extensions WHERE name = 'vector' \
                    AND installed_version <> default_version";
    if client.query_opt(outdated, &[]).await?.is_some() {
        execute(&client, "ALTER EXTENSION vector UPDATE").await?;
    }
    Ok(())
}

async fn execute(client: &Client, statement: &str) -> Result<(), PostgresError> {
    match client.batch_execute(statement).await {
        Err(error) if error.code().is_some_and(|code| SQLSTATE_DUPLICATES.contains(&code.code())) => Ok(()),
        result => Ok(result?),
    }
}
