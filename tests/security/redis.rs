//! Redis over TLS. It is never needed, so what is refused shows as a cache that is away.

use crate::support::{Builder, Server, eventually};
use mcp_rag_chaos::redis::Redis;
use mcp_rag_chaos::tls::Authority;
use serde_json::{Value, json};

const HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

fn builder(redis: &Redis, authority: &Authority) -> Builder {
    Server::builder()
        .env("MCP_RAG__REDIS__URL", format!("rediss://127.0.0.1:{}", redis.port()))
        .set("redis.tls.ca_file", authority.file().display())
        // A handshake of an unoptimised build on a busy machine.
        .set("redis.timeout_ms", 2000)
}

fn query() -> Value {
    json!({"query": "the fox", "collections": ["kept"]})
}

fn fill(server: &Server) {
    server.create("kept");
    server.ingest("kept", &[("fox", "The quick brown fox jumps over the lazy dog.")]);
}

/// Searches are answered all the same.
fn away(server: &Server) {
    fill(server);
    assert_eq!(server.search(&query())["results"][0]["external_id"], "fox");
    eventually("Redis is known to be away", || server.get("/health").json()["status"] == "degraded");
}

#[test]
fn what_one_process_found_the_next_one_reads_from_redis_over_tls_and_by_certificate() {
    let (authority, clients) = (Authority::new("redis"), Authority::new("clients"));
    let redis = Redis::with_tls(&authority.issue("right", &HOSTS), &clients.file(), true);
    let own = clients.issue("server", &[]);
    let mut server = builder(&redis, &authority)
        .set("redis.tls.cert_file", own.cert.display())
        .set("redis.tls.key_file", own.key.display())
        .start();
    fill(&server);
    assert_eq!(server.search(&query())["cached"], false);
    server.restart();
    assert_eq!(server.search(&query())["cached"], true);
    server.stop();
}

#[test]
fn a_redis_of_another_authority_or_for_another_host_is_not_spoken_to() {
    let authority = Authority::new("redis");
    let redis = Redis::with_tls(&authority.issue("right", &HOSTS), &authority.file(), false);
    away(&builder(&redis, &Authority::new("another")).start());
    let redis =
        Redis::with_tls(&authority.issue("elsewhere", &["elsewhere.example"]), &authority.file(), false);
    away(&builder(&redis, &authority).start());
}

#[test]
fn certificates_are_never_left_unchecked() {
    let authority = Authority::new("redis");
    let redis = Redis::with_tls(&authority.issue("right", &HOSTS), &authority.file(), false);
    let url = format!("rediss://127.0.0.1:{}/#insecure", redis.port());
    let (_, said) = Server::builder().env("MCP_RAG__REDIS__URL", url).start_refused();
    assert!(said.contains("#insecure"), "{said}");
    let (_, said) = builder(&redis, &authority).set("redis.tls.ca_file", "/nowhere").start_refused();
    assert!(said.contains("redis.tls.ca_file /nowhere"), "{said}");
}
