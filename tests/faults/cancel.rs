//! Work that nobody waits for any more ends in PostgreSQL, too.

use crate::support::{Server, eventually};
use crate::tools::document;
use mcp_rag_chaos::postgres::Cluster;
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

const POOL: usize = 3;

/// Statements of the server that wait for the lock.
fn running(cluster: &Cluster) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mcp-rag' AND state = 'active' \
               AND wait_event_type = 'Lock'";
    cluster.rows("rag", sql).expect("a row")[0].get(0)
}

fn ends_within(cluster: &Cluster, limit: Duration) {
    let began = Instant::now();
    eventually("no statement runs any more", || running(cluster) == 0);
    assert!(began.elapsed() < limit, "{:?}", began.elapsed());
}

/// Every connection is back, and none of them is busy.
fn pool_is_whole(server: &Server) {
    eventually("the pool is whole", || {
        let writer = &server.get("/v1/system").ok(200)["pools"]["writer"];
        assert_eq!(writer["state"], "closed", "slow statements are no outage: {writer}");
        writer["available"] == writer["size"] && writer["waiting"] == 0
    });
}

#[test]
fn a_statement_whose_deadline_passed_or_whose_caller_left_is_cancelled_and_its_connection_whole() {
    let cluster = Cluster::start();
    cluster.run("postgres", "CREATE DATABASE rag");
    let mut server = Server::builder()
        .env("MCP_RAG__DATABASE__URL", cluster.url("rag"))
        .set("database.pool_size", POOL)
        .set("search.deadline_ms", 1500)
        .start();
    server.create("kept");
    server.ingest_json("kept", &(0..5).map(|n| document(n, 0)).collect::<Vec<_>>());
    let search = |n: usize| json!({"query": format!("question {n} about tides"), "collections": ["kept"]});
    assert_eq!(server.post("/v1/search", &search(0)).status, 200);

    let lock = cluster.lock("rag", "chunks");
    std::thread::scope(|scope| {
        let searches: Vec<_> = (1..=POOL)
            .map(|n| {
                scope.spawn({
                    let server = &server;
                    move || server.post("/v1/search", &search(n))
                })
            })
            .collect();
        eventually("they wait for the lock", || running(&cluster) == i64::try_from(POOL).expect("small"));
        for search in searches {
            search.join().expect("an answer").error(504, "deadline_exceeded");
        }
    });
    ends_within(&cluster, Duration::from_secs(1));

    let mut clients = Vec::new();
    for n in 10..10 + POOL {
        let body = search(n).to_string();
        let mut client = TcpStream::connect(("127.0.0.1", server.port())).expect("it listens");
        write!(
            client,
            "POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("the request is sent");
        clients.push(client);
    }
    eventually("they wait for the lock", || running(&cluster) > 0);
    drop(clients);
    ends_within(&cluster, Duration::from_secs(1));
    drop(lock);

    pool_is_whole(&server);
    for n in 20..40 {
        assert_eq!(server.post("/v1/search", &search(n)).status, 200);
    }
    pool_is_whole(&server);
    server.stop();
}
