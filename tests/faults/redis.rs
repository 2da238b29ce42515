//! Redis as the second level of the cache: shared between processes, never needed.

use crate::support::{Server, eventually};
use crate::tools::{breaker, document, free_port};
use mcp_rag_chaos::redis::Redis;
use serde_json::json;
use std::time::{Duration, Instant};

fn query(text: &str) -> serde_json::Value {
    json!({"query": text, "collections": ["kept"]})
}

#[track_caller]
fn health(server: &Server, expected: &str) {
    eventually(&format!("health says {expected}"), || {
        let reply = server.get("/health");
        assert_eq!(reply.status, 200, "without its cache a server is still ready: {}", reply.text());
        reply.json()["status"] == expected
    });
}

/// Searches that nobody made before must be answered fully and without a wait to speak of.
#[track_caller]
fn search_quickly(server: &Server, phase: &str) {
    for n in 0..5 {
        let began = Instant::now();
        let found = server.search(&query(&format!("the violin repairs varnish, {phase} {n}")));
        let took = began.elapsed();
        // A read and a write that wait for redis.timeout_ms (50) each, and the search itself.
        assert!(took < Duration::from_millis(1000), "{phase}: {took:?}");
        assert!(!found["results"].as_array().expect("results").is_empty());
        assert_eq!(found["cached"], false);
        let degraded = found["degraded"].as_array().expect("degraded");
        assert!(degraded.iter().all(|entry| entry["stage"] == "cache"), "{found}");
    }
}

#[test]
fn what_one_process_found_the_next_one_answers_from_redis() {
    let redis = Redis::start();
    let mut server = Server::builder().env("MCP_RAG__REDIS__URL", redis.url()).start();
    server.create("kept");
    server.ingest_json("kept", &(0..20).map(|n| document(n, 0)).collect::<Vec<_>>());
    let first = server.search(&query("the violin repairs varnish"));
    assert_eq!(first["cached"], false);
    server.restart();
    let again = server.search(&query("the violin repairs varnish"));
    assert_eq!((&again["cached"], &again["results"]), (&json!(true), &first["results"]));
    // What changes the collection makes everything found before outdated.
    server.ingest_json("kept", &[document(100, 0)]);
    assert_eq!(server.search(&query("the violin repairs varnish"))["cached"], false);
    server.stop();
}

#[test]
fn a_redis_that_hangs_dies_and_comes_back_costs_a_little_time_and_no_answer() {
    let mut redis = Redis::start();
    let mut server = Server::builder().env("MCP_RAG__REDIS__URL", redis.url()).start();
    server.create("kept");
    server.ingest_json("kept", &(0..20).map(|n| document(n, 0)).collect::<Vec<_>>());
    health(&server, "ok");
    search_quickly(&server, "well");
    assert_eq!(server.search(&query("all is well"))["degraded"], json!([]));

    redis.freeze();
    search_quickly(&server, "hanging");
    health(&server, "degraded");
    redis.thaw();
    health(&server, "ok");
    search_quickly(&server, "continued");

    redis.kill9();
    search_quickly(&server, "dead");
    health(&server, "degraded");
    redis.restart();
    health(&server, "ok");
    search_quickly(&server, "back");
    let found = server.search(&query("shared again"));
    assert_eq!(found["cached"], false);
    let actors = server.get("/v1/system").ok(200)["actors"].clone();
    let restarts = actors.as_array().unwrap().iter().map(|actor| actor["restarts"].as_u64().unwrap());
    assert_eq!(restarts.sum::<u64>(), 0, "{actors}");
    server.restart();
    assert_eq!(server.search(&query("shared again"))["cached"], true);
    server.stop();
}

#[test]
fn a_server_starts_while_redis_is_away() {
    let port = free_port();
    let mut server =
        Server::builder().env("MCP_RAG__REDIS__URL", format!("redis://127.0.0.1:{port}")).start();
    server.create("kept");
    server.ingest_json("kept", &(0..3).map(|n| document(n, 0)).collect::<Vec<_>>());
    health(&server, "degraded");
    search_quickly(&server, "without");
    server.stop();
}

/// The 95th percentile of searches that nobody made before.
fn p95(server: &Server, phase: &str) -> Duration {
    let mut took: Vec<Duration> = (0..60)
        .map(|n| {
            let began = Instant::now();
            server.search(&query(&format!("the lantern measures melt water, {phase} {n}")));
            began.elapsed()
        })
        .collect();
    took.sort();
    took[took.len() * 95 / 100]
}

#[test]
fn a_redis_that_hangs_costs_nothing_once_its_circuit_is_open() {
    let redis = Redis::start();
    // Long enough to be told from a busy machine's hiccups.
    let settings = Server::builder().set("redis.timeout_ms", 400);
    let mut server = settings.env("MCP_RAG__REDIS__URL", redis.url()).start();
    server.create("kept");
    server.ingest_json("kept", &(0..20).map(|n| document(n, 0)).collect::<Vec<_>>());
    let healthy = p95(&server, "healthy");
    redis.freeze();
    let mut asked = 0;
    eventually("the circuit opens", || {
        asked += 1;
        server.search(&query(&format!("is it open yet {asked}")));
        breaker(&server, "redis")["state"] == "open"
    });
    // It becomes half open several times meanwhile: nobody waits for the probes.
    let open = p95(&server, "open");
    println!("p95 healthy {healthy:?}, with a hanging Redis {open:?}, opened after {asked} searches");
    assert!(open < healthy + Duration::from_millis(200), "{healthy:?} → {open:?}");
    assert_eq!(server.get("/v1/system").ok(200)["cache"]["shared_is_away"], true);
    let told = json!([{"stage": "cache", "reason": "circuit_open", "fallback": "local"}]);
    for cached in [false, true] {
        let mut strict = query("told and not forbidden");
        strict["degrade"] = json!("forbid"); // the result is as good as ever
        let found = server.search(&strict);
        assert_eq!((&found["degraded"], &found["cached"]), (&told, &json!(cached)), "{found}");
    }
    redis.thaw();
    eventually("the circuit closes", || {
        asked += 1;
        server.search(&query(&format!("is it closed yet {asked}")));
        breaker(&server, "redis")["state"] == "closed"
    });
    server.stop();
}
