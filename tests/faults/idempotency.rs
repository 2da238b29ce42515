//! `kill -9` under requests with an `Idempotency-Key`, and two servers that share the keys.

use crate::support::{Reply, Server, eventually};
use crate::tools::{document, lines, number, signal};
use mcp_rag_chaos::postgres::Cluster;
use reqwest::Method;
use serde_json::{Value, json};

fn send(server: &Server, key: &str, path: &str, kind: &str, body: &str) -> reqwest::Result<Reply> {
    let request = server.request(Method::POST, path).header("Idempotency-Key", key);
    request.header("content-type", kind).body(body.to_owned()).send().map(Reply::read)
}

/// Sends until it is not told to come back.
fn insist(server: &Server, key: &str, path: &str, kind: &str, body: &str) -> Reply {
    let mut last = None;
    eventually("the key is free or answered", || {
        let reply = send(server, key, path, kind, body).expect("an answer");
        let over = !(reply.status == 409 && reply.json()["error"]["code"] == "request_in_progress");
        last = Some(reply);
        over
    });
    last.expect("an answer")
}

#[test]
fn a_server_killed_at_any_moment_of_a_write_leaves_it_done_once_when_it_is_sent_again() {
    let mut server = Server::builder().set("ingest.worker", false).start();
    server.create("docs");
    for (round, pause) in [0_u64, 8, 20, 45, 90].into_iter().enumerate() {
        let body = lines((0..400).map(|n| document(n, round)));
        let (new, key) = (json!({"name": format!("made-{round}")}).to_string(), format!("key-{round}"));
        let before = number(&server, "SELECT count(*) FROM jobs");
        std::thread::scope(|scope| {
            let (victim, body, new, key) = (&server, &body, &new, &key);
            let sent = scope.spawn(move || {
                let _ = send(victim, &format!("{key}-c"), "/v1/collections", "application/json", new);
                let _ = send(victim, key, "/v1/collections/docs/documents", "application/x-ndjson", body);
            });
            let pid = server.pid();
            std::thread::sleep(std::time::Duration::from_millis(pause));
            signal(pid, nix::sys::signal::Signal::SIGKILL);
            sent.join().expect("no panic");
        });
        server.kill9();
        server.restart();
        let created = insist(&server, &format!("{key}-c"), "/v1/collections", "application/json", &new);
        assert_eq!(created.ok(201)["name"], format!("made-{round}"), "no false 409");
        let path = "/v1/collections/docs/documents";
        let accepted = insist(&server, &key, path, "application/x-ndjson", &body).ok(202);
        assert_eq!(accepted["accepted"], 400);
        let jobs = number(&server, "SELECT count(*) FROM jobs");
        assert_eq!(jobs - before, 1, "once in round {round}");
        let again = insist(&server, &key, path, "application/x-ndjson", &body);
        assert_eq!((again.ok(202), again.header("idempotency-replayed")), (accepted, "true"));
    }
    let documents = |wanted: &str| number(&server, &format!("SELECT count(*) FROM documents WHERE {wanted}"));
    assert_eq!((documents("true"), documents("version = 5")), (400, 400), "one version a round");
    assert_eq!(number(&server, "SELECT count(*) FROM tasks"), 400, "one task each");
}

#[test]
fn two_servers_share_the_keys() {
    let primary = Cluster::start();
    primary.run("postgres", "CREATE DATABASE rag");
    let start = || Server::builder().env("MCP_RAG__DATABASE__URL", primary.url("rag")).start();
    let (one, other) = (start(), start());
    let new = json!({"name": "docs"}).to_string();
    let first = insist(&one, "k", "/v1/collections", "application/json", &new);
    let again = insist(&other, "k", "/v1/collections", "application/json", &new);
    assert_eq!((again.ok(201), again.header("idempotency-replayed")), (first.ok(201), "true"));
    let body = lines((0..100).map(|n| document(n, 0)));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let body = &body;
        let threads: Vec<_> = [&one, &other, &one, &other]
            .into_iter()
            .map(|server| {
                scope.spawn(move || {
                    let path = "/v1/collections/docs/documents";
                    send(server, "bulk", path, "application/x-ndjson", body).expect("an answer").status
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(statuses.iter().all(|status| [202, 409].contains(status)), "{statuses:?}");
    let jobs = one.get("/v1/jobs?limit=100").ok(200);
    assert_eq!(jobs["data"].as_array().map(Vec::len), Some(1), "{jobs}");
    assert_ne!(jobs["data"][0]["progress"]["total"], Value::Null);
}
