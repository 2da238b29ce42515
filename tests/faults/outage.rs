//! PostgreSQL is away altogether, for long: what was asked before is still answered, and marked.

use crate::support::{Reply, Server, eventually, ids};
use crate::tools::document;
use mcp_rag_chaos::postgres::Cluster;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A list of collections counts as fresh for a second, and a search waits a second for a newer one.
const STALE_WITHIN: Duration = Duration::from_secs(5);

fn server(cluster: &Cluster) -> Server {
    cluster.run("postgres", "CREATE DATABASE rag");
    let server = Server::builder().env("MCP_RAG__DATABASE__URL", cluster.url("rag")).start();
    server.create("kept");
    server.ingest_json("kept", &(0..20).map(|n| document(n, 0)).collect::<Vec<_>>());
    server
}

fn stages(response: &Value) -> Vec<(&str, &str)> {
    let degraded = response["degraded"].as_array().expect("degraded");
    assert!(degraded.iter().all(|entry| entry["reason"].is_string()), "{response}");
    degraded
        .iter()
        .map(|entry| {
            (entry["stage"].as_str().unwrap_or_default(), entry["fallback"].as_str().unwrap_or_default())
        })
        .collect()
}

/// The first callers find out, within their deadlines, what the later ones are told at once.
fn refused_at_once(call: impl Fn() -> Reply) {
    eventually("the refusal costs no wait", || {
        let began = Instant::now();
        let reply = call();
        assert!(matches!(reply.status, 503 | 504), "{}: {}", reply.status, reply.text());
        reply.status == 503 && began.elapsed() < Duration::from_millis(200)
    });
}

/// What holds while the database is away, whichever way.
fn check_outage(server: &Server, known: &Value, question: &Value, before: &Value) {
    eventually("a cached search is marked", || {
        let began = Instant::now();
        let found = server.search(known);
        assert!(began.elapsed() < STALE_WITHIN, "{:?}", began.elapsed());
        assert_eq!(ids(&found), ids(before), "stale, but never wrong");
        stages(&found) == [("database", "cache")]
    });
    let answer = server.post("/v1/answers", question).ok(200);
    assert_eq!(stages(&answer), [("database", "cache")]);
    assert!(!answer["citations"].as_array().expect("citations").is_empty(), "{answer}");
    let mut strict = known.clone();
    strict["degrade"] = json!("forbid");
    let refused = server.post("/v1/search", &strict);
    refused.error(503, "degraded");
    assert!(refused.text().contains("database"), "it names the stage: {}", refused.text());
    refused_at_once(|| server.post("/v1/search", &json!({"query": "never asked before"})));
    refused_at_once(|| server.put_document("kept", "new", &json!({"text": "refused, not lost"})));
    let ready = server.get("/health/ready").ok(200);
    assert_eq!(ready["status"], "degraded", "what is cached is worth asking for: {ready}");
    assert_eq!(ready["checks"]["database"]["status"], "degraded", "{ready}");
}

fn check_recovery(server: &Server, known: &Value) {
    eventually("searches are whole again", || {
        let fresh = server.post("/v1/search", &json!({"query": "a new question about the orchard"}));
        fresh.status == 200 && stages(&server.search(known)).is_empty()
    });
    // A write that met the freeze, and was told so by 504, may have been done after the thaw.
    let taken = server.put_document("kept", "new", &json!({"text": "now it is taken"}));
    assert!(matches!(taken.status, 200 | 201), "{}", taken.text());
    eventually("it is ready without reserve", || server.get("/health/ready").ok(200)["status"] == "ok");
}

#[test]
fn while_the_database_is_dead_or_frozen_cached_searches_and_answers_go_on_and_say_so() {
    let cluster = Cluster::start();
    let mut server = server(&cluster);
    let known = json!({"query": "which violin records the tides", "collections": ["kept"]});
    let question = json!({"question": "What does the violin describe?"});
    let before = server.search(&known);
    assert!(!ids(&before).is_empty() && stages(&before).is_empty());
    let answered = server.post("/v1/answers", &question).ok(200);
    assert!(!answered["citations"].as_array().expect("citations").is_empty(), "{answered}");
    let pid = server.pid();

    cluster.kill9();
    check_outage(&server, &known, &question, &before);
    cluster.restart();
    check_recovery(&server, &known);

    // The write made every entry of the cache another epoch's.
    let before = server.search(&known);
    server.post("/v1/answers", &question).ok(200);
    cluster.freeze();
    check_outage(&server, &known, &question, &before);
    cluster.thaw();
    check_recovery(&server, &known);
    assert_eq!(server.pid(), pid, "without a restart");
    server.stop();
}

#[test]
fn what_waits_for_a_database_that_has_gone_silent_is_told_long_before_its_deadline() {
    let cluster = Cluster::start();
    let mut server = server(&cluster);
    cluster.freeze();
    let began = Instant::now();
    server.put_document("kept", "new", &json!({"text": "refused"})).error(503, "unavailable");
    assert!(began.elapsed() < Duration::from_secs(15), "a write has thirty seconds: {:?}", began.elapsed());
    cluster.thaw();
    check_recovery(&server, &json!({"query": "which violin records the tides", "collections": ["kept"]}));
    server.stop();
}

#[test]
fn a_server_that_can_answer_nothing_without_its_database_is_not_ready() {
    let cluster = Cluster::start();
    let mut server = server(&cluster);
    server.restart(); // nothing is cached now
    cluster.kill9();
    eventually("it is not ready", || server.get("/health/ready").status == 503);
    server.post("/v1/search", &json!({"query": "anything"})).error(503, "unavailable");
    assert_eq!(server.get("/health/live").status, 200, "a restart would not help");
    cluster.restart();
    eventually("it is ready", || server.get("/health/ready").status == 200);
    server.stop();
}
