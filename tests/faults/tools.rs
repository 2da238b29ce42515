//! What several fault tests need beside a server: SQL on its database, a corpus, signals, ports.

use crate::support::Server;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::net::TcpListener;
use tokio_postgres::{Config, NoTls, Row};

pub(crate) fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.try_into().expect("a pid")), signal).expect("the process exists");
}

/// A dependency's circuit, as `GET /v1/system` shows it.
#[track_caller]
pub(crate) fn breaker(server: &Server, name: &str) -> Value {
    let system = server.get("/v1/system").ok(200);
    let breakers = system["breakers"].as_array().expect("breakers");
    breakers.iter().find(|breaker| breaker["name"] == name).unwrap_or_else(|| panic!("{system}")).clone()
}

/// A port nobody listens on now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr()).expect("a port").port()
}

pub(crate) async fn query(config: &Config, sql: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    let driver = tokio::spawn(connection);
    let rows = client.query(sql, &[]).await;
    drop(client);
    let _ = driver.await;
    rows
}

pub(crate) fn sql_on(config: &Config, sql: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(query(config, sql))
}

/// SQL on a server's managed database, as its owner, past row-level security.
pub(crate) fn sql(server: &Server, sql: &str) -> Vec<Row> {
    let mut config = Config::new();
    config.host_path(server.socket_dir()).user("mcp_rag_owner").dbname("mcp_rag");
    sql_on(&config, sql).expect("the statement runs")
}

pub(crate) fn number(server: &Server, query: &str) -> i64 {
    sql(server, query)[0].get(0)
}

const SUBJECTS: [&str; 7] = ["harbour", "orchard", "glacier", "violin", "lantern", "satellite", "bakery"];
const VERBS: [&str; 5] = ["records", "measures", "repairs", "describes", "illuminates"];
const OBJECTS: [&str; 6] = ["tides", "apples", "melt water", "varnish", "weather maps", "rye bread"];

/// The `n`th document of a corpus, in one of several editions; some have more than one chunk.
pub(crate) fn document(n: usize, edition: usize) -> Value {
    let sentence = |at: usize| {
        let (subject, verb) = (SUBJECTS[(n + at) % 7], VERBS[(n * 3 + at + edition) % 5]);
        format!("The {subject} number {} {verb} the {}. ", n + at, OBJECTS[(n + 2 * at) % 6])
    };
    let text: String = (0..2 + n % 26).map(sentence).collect();
    json!({"external_id": format!("doc-{n}"), "title": format!("Report {n}"), "text": text})
}

pub(crate) fn lines(documents: impl Iterator<Item = Value>) -> String {
    documents.map(|document| document.to_string()).collect::<Vec<_>>().join("\n")
}

/// What every transaction must keep right, recounted from the rows themselves.
#[track_caller]
pub(crate) fn check_statistics(server: &Server) {
    let wrong = "SELECT count(*) FROM collections c WHERE (documents, chunks, terms) IS DISTINCT FROM (
        (SELECT count(*) FROM documents d WHERE d.collection_id = c.collection_id AND published_version IS NOT NULL),
        (SELECT count(*) FROM chunks k WHERE k.collection_id = c.collection_id),
        (SELECT coalesce(sum(length), 0)::bigint FROM lexical_chunks l WHERE l.collection_id = c.collection_id))";
    assert_eq!(number(server, wrong), 0, "a collection's counters are wrong");
    let wrong = "SELECT count(*) FROM (
        SELECT collection_id, key, count(*) AS df FROM lexical_chunks, unnest(keys) AS key GROUP BY 1, 2) counted
        FULL JOIN (SELECT * FROM lexical_terms WHERE df <> 0) kept USING (collection_id, key)
        WHERE counted.df IS DISTINCT FROM kept.df";
    assert_eq!(number(server, wrong), 0, "document frequencies are wrong");
    let wrong = "SELECT count(*) FROM chunks k
        FULL JOIN embeddings e USING (tenant_id, chunk_id) FULL JOIN lexical_chunks l USING (tenant_id, chunk_id)
        WHERE k.chunk_id IS NULL OR e.chunk_id IS NULL OR l.chunk_id IS NULL";
    assert_eq!(number(server, wrong), 0, "a chunk without its embedding or its terms");
    let wrong = "SELECT count(*) FROM documents d WHERE d.chunks <>
        (SELECT count(*) FROM chunks k WHERE k.document_id = d.document_id)";
    assert_eq!(number(server, wrong), 0, "a document's chunks are lost or doubled");
    let versions = "SELECT (SELECT count(*) FROM document_versions) - (SELECT count(*) FROM documents)";
    assert_eq!(number(server, versions), 0, "versions nobody publishes any more are kept");
}

/// Two collections hold the same documents with the same chunks.
#[track_caller]
pub(crate) fn check_equal(server: &Server, one: &str, other: &str) {
    let content = |name: &str| {
        format!(
            "SELECT d.external_id, d.title, d.status, k.ordinal, k.text, k.span_start, k.span_end, l.length
             FROM collections c JOIN documents d USING (tenant_id, collection_id)
             LEFT JOIN chunks k USING (tenant_id, document_id) LEFT JOIN lexical_chunks l USING (tenant_id, chunk_id)
             WHERE c.name = '{name}'"
        )
    };
    let differing = format!(
        "SELECT count(*) FROM (({a} EXCEPT ALL {b}) UNION ALL ({b} EXCEPT ALL {a})) d",
        a = content(one),
        b = content(other)
    );
    assert_eq!(number(server, &differing), 0, "{one} and {other} differ");
}
