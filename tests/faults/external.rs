//! A PostgreSQL of somebody else's: what works, and what is refused with words that help.

use crate::support::{Server, binary, ids};
use crate::tools::{document, sql_on};
use mcp_rag_chaos::postgres::Cluster;
use serde_json::json;
use std::net::TcpListener;
use std::time::{Duration, Instant};

const OWNER: &str = "ragowner";
const PASSWORD: &str = "pa55 w:rd/@?";

fn server(url: &str) -> Server {
    Server::builder().env("MCP_RAG__DATABASE__URL", url).start()
}

/// A start that must be refused in time, and what it says; never the password.
fn refused(url: &str, sets: &[(&str, &str)]) -> String {
    let began = Instant::now();
    let mut builder = Server::builder().env("MCP_RAG__DATABASE__URL", url);
    for (key, value) in sets {
        builder = builder.set(key, value);
    }
    let (code, said) = builder.start_refused();
    assert_eq!(code, Some(1), "{said}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert!(!said.contains(PASSWORD) && !said.contains("pa55%20"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

fn migrate(url: &str) -> (bool, String) {
    let home = tempfile::tempdir().expect("a directory");
    let output =
        binary(home.path()).arg("migrate").env("MCP_RAG__DATABASE__URL", url).output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// Ingests and searches, and looks at the role that did it.
fn works_end_to_end(cluster: &Cluster, url: &str, database: &str) {
    let mut server = server(url);
    assert!(server.log().last("PostgreSQL is ready").is_none(), "no managed PostgreSQL is started");
    let who = "ALTER TABLE collections ADD COLUMN made_by text DEFAULT current_user";
    sql_on(&cluster.superuser(database), who).expect("a column");
    server.create("kept");
    server.ingest_json("kept", &(0..10).map(|n| document(n, 0)).collect::<Vec<_>>());
    let found = server.search(&json!({"query": "harbour number 7 tides", "mode": "hybrid"}));
    assert_eq!(ids(&found).len(), 10);
    server.restart();
    assert_eq!(server.get("/v1/collections/kept").ok(200)["documents"], 10);
    server.stop();
    let made_by = sql_on(&cluster.superuser(database), "SELECT made_by FROM collections").expect("a row");
    assert_eq!(made_by[0].get::<_, &str>(0), "mcp_rag_app", "row-level security binds the server's role");
}

#[test]
fn an_external_database_works_for_a_superuser_over_a_unix_socket() {
    let cluster = Cluster::start();
    cluster.run("postgres", "CREATE DATABASE rag");
    works_end_to_end(&cluster, &cluster.socket_url("rag"), "rag");
}

#[test]
fn an_external_database_works_for_its_plain_owner_over_tcp() {
    let cluster = Cluster::start();
    cluster.run("postgres", &format!("CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{PASSWORD}'"));
    cluster.run("postgres", &format!("CREATE DATABASE rag OWNER {OWNER}"));
    let url = cluster.tcp_url(OWNER, PASSWORD, "rag");
    // Only a superuser may create the extension; who may not is told so.
    let said = refused(&url, &[]);
    assert!(said.contains("extension") && said.contains("vector"), "{said}");
    cluster.run("rag", "CREATE EXTENSION vector");
    works_end_to_end(&cluster, &url, "rag");
    let sql = "SELECT rolsuper OR rolbypassrls OR rolcanlogin FROM pg_roles WHERE rolname = 'mcp_rag_app'";
    let privileged: bool = sql_on(&cluster.superuser("rag"), sql).expect("a row")[0].get(0);
    assert!(!privileged);
}

#[test]
fn a_role_an_administrator_made_before_serves_an_owner_who_may_make_none() {
    let cluster = Cluster::start();
    cluster.run("postgres", &format!("CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'"));
    cluster.run("postgres", &format!("CREATE DATABASE rag OWNER {OWNER}"));
    cluster.run("rag", "CREATE EXTENSION vector");
    let url = cluster.tcp_url(OWNER, PASSWORD, "rag");
    let said = refused(&url, &[]);
    assert!(said.contains("CREATE ROLE mcp_rag_app"), "it says what to run: {said}");
    cluster.run("postgres", "CREATE ROLE mcp_rag_app NOLOGIN");
    let said = refused(&url, &[]);
    assert!(said.contains(&format!("GRANT mcp_rag_app TO {OWNER}")), "it says what to run: {said}");
    cluster.run("postgres", &format!("GRANT mcp_rag_app TO {OWNER}"));
    works_end_to_end(&cluster, &url, "rag");
}

#[test]
fn a_missing_or_old_pgvector_is_refused_by_name_and_an_updated_one_accepted() {
    let cluster = Cluster::start();
    cluster.run("postgres", "CREATE DATABASE rag");
    let url = cluster.socket_url("rag");
    let control = cluster.extension_file("vector.control");
    let recent = std::fs::read_to_string(&control).unwrap();
    let newest = recent.lines().find_map(|line| line.strip_prefix("default_version = '")).unwrap();
    let newest = newest.trim_end_matches('\'').to_owned();

    std::fs::remove_file(&control).unwrap();
    let said = refused(&url, &[]);
    assert!(said.contains("pgvector") && said.contains("not installed"), "{said}");

    std::fs::copy(
        cluster.extension_file(&format!("vector--{newest}.sql")),
        cluster.extension_file("vector--0.8.1.sql"),
    )
    .unwrap();
    std::fs::write(&control, recent.replace(&newest, "0.8.1")).unwrap();
    let said = refused(&url, &[]);
    assert!(said.contains("pgvector 0.8.1 is too old") && said.contains("0.8.4"), "{said}");

    // Installed old, with a recent package beside it: the update is the remedy.
    std::fs::write(&control, &recent).unwrap();
    cluster.run("rag", "CREATE EXTENSION vector VERSION '0.8.1'");
    let said = refused(&url, &[]);
    assert!(said.contains("pgvector 0.8.1 is too old") && said.contains("ALTER EXTENSION"), "{said}");
    cluster.run("rag", "ALTER EXTENSION vector UPDATE");
    works_end_to_end(&cluster, &url, "rag");
}

#[test]
fn a_schema_that_is_behind_is_refused_when_migrations_are_off_and_migrate_mends_it() {
    let cluster = Cluster::start();
    cluster.run("postgres", "CREATE DATABASE rag");
    let url = cluster.socket_url("rag");
    let said = refused(&url, &[("database.migrate", "false")]);
    assert!(said.contains("mcp-rag migrate") && said.contains("not up to date"), "{said}");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let count = |sql| sql_on(&cluster.superuser("rag"), sql).expect("a row")[0].get::<_, i64>(0);
    assert_eq!(count(tables), 0, "a refused start changes nothing");

    let (ok, said) = migrate(&url);
    assert!(ok, "{said}");
    let (again, said) = migrate(&url);
    assert!(again, "twice is no mistake: {said}");
    let mut server =
        Server::builder().env("MCP_RAG__DATABASE__URL", &url).set("database.migrate", "false").start();
    server.create("kept");
    server.stop();

    // A later release's last migration is missing.
    cluster.run("rag", "DELETE FROM refinery_schema_history WHERE version = (SELECT max(version) FROM refinery_schema_history)");
    let said = refused(&url, &[("database.migrate", "false")]);
    assert!(said.contains("mcp-rag migrate") && said.contains("1 migration"), "{said}");
}

#[test]
fn a_database_that_cannot_be_reached_is_a_clear_error_within_a_bounded_time() {
    let cluster = Cluster::start();
    cluster.run("postgres", &format!("CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'"));
    cluster.run("postgres", &format!("CREATE DATABASE rag OWNER {OWNER}"));
    let said = refused(&cluster.tcp_url(OWNER, "wrong", "rag"), &[]);
    assert!(said.contains("password authentication failed"), "{said}");
    let said = refused(&cluster.tcp_url(OWNER, PASSWORD, "nowhere"), &[]);
    assert!(said.contains("nowhere") && said.contains("does not exist"), "{said}");

    let port = crate::tools::free_port();
    let said = refused(&format!("postgres://{OWNER}:x@127.0.0.1:{port}/rag"), &[]);
    assert!(said.contains("cannot be reached") && said.contains("refused"), "{said}");
    let said = refused(&format!("postgres://{OWNER}:x@no-such-host.invalid/rag"), &[]);
    assert!(said.contains("cannot be reached"), "{said}");

    // Accepts connections and never says a word.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let said = refused(
        &format!("postgres://{OWNER}:x@127.0.0.1:{port}/rag"),
        &[("database.connect_timeout_ms", "1000")],
    );
    assert!(said.contains("cannot be reached"), "{said}");
    let said = refused("not a connection string", &[]);
    assert!(said.contains("database.url"), "{said}");
}
