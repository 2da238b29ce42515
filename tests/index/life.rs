//! A copy's life: written to disk, loaded by the next start, made anew when its file is damaged, gone when there is no room.

use crate::support::{Server, eventually};
use crate::world::{documents, plan, warm};
use mcp_rag_chaos::redis::Redis;
use serde_json::{Value, json};
use std::path::PathBuf;

fn copies(server: &Server) -> Vec<Value> {
    server.get("/v1/system").ok(200)["index"]["copies"].as_array().expect("copies").clone()
}

fn files(server: &Server) -> Vec<PathBuf> {
    let folder = server.home().join("data/index");
    let entries = std::fs::read_dir(folder).map(|all| all.filter_map(|one| Some(one.ok()?.path())).collect());
    entries.unwrap_or_default()
}

fn counted(server: &Server, line: &str) -> bool {
    server.admin("/metrics").text().lines().any(|one| one.starts_with(line))
}

#[test]
fn a_copy_outlives_a_restart_and_one_that_is_damaged_is_made_anew() {
    let mut server =
        Server::builder().set("index.memory_bytes", 1 << 28).set("index.min_searches", 1).start();
    server.create("docs");
    server.ingest_json("docs", &documents(30));
    warm(&server, &["docs"]);
    server.restart();
    assert_eq!(files(&server).len(), 1, "written at the end");
    // Nobody has searched yet: it was loaded, not made.
    eventually("it is here", || copies(&server).len() == 1);
    assert!(counted(&server, "mcp_rag_index_loads_total{outcome=\"loaded\"}"));
    server.ingest("docs", &[("new", "A narwhal that is new.")]);
    let found = server.search(&json!({"query": "narwhal", "mode": "lexical"}));
    assert_eq!(found["results"][0]["external_id"], "new");
    assert_eq!(plan(&found), Some("hot"));
    server.stop();
    for file in files(&server) {
        let mut bytes = std::fs::read(&file).expect("a file");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&file, bytes).expect("written");
    }
    server.restart();
    eventually("it is refused", || counted(&server, "mcp_rag_index_loads_total{outcome=\"refused\"}"));
    assert!(files(&server).is_empty());
    warm(&server, &["docs"]);
    let found = server.search(&json!({"query": "narwhal again", "mode": "lexical"}));
    assert_eq!(found["results"][0]["external_id"], "new");
}

#[test]
fn the_copies_never_take_more_than_they_may_and_what_is_searched_less_gives_way() {
    let budget: u64 = 600_000;
    let server = Server::builder().set("index.memory_bytes", budget).set("index.min_searches", 1).start();
    for (name, count) in [("one", 40), ("two", 40), ("large", 2_000)] {
        server.create(name);
        server.ingest_json(name, &documents(count));
    }
    let within = || {
        let bytes = server.get("/v1/system").ok(200)["index"]["bytes"].as_u64().expect("bytes");
        assert!(bytes <= budget, "{bytes}");
    };
    let ask = |name: &str, n: usize| {
        let found = server.search(&json!({"query": format!("whales {n}"), "collections": [name]}));
        within();
        plan(&found) == Some("hot")
    };
    warm(&server, &["one"]);
    // Too large at all.
    for n in 0..30 {
        assert!(!ask("large", n));
    }
    assert!(server.log().contains("not kept in memory"));
    let mut n = 0;
    eventually("what is searched more takes its place, if both do not fit", || {
        n += 1;
        ask("two", n)
    });
    within();
}

#[test]
fn redis_is_asked_for_what_models_found_and_not_for_what_memory_finds_sooner() {
    let redis = Redis::start();
    let server = Server::builder()
        .set("index.memory_bytes", 1 << 28)
        .set("index.min_searches", 1)
        .env("MCP_RAG__REDIS__URL", redis.url())
        .start();
    server.create("docs");
    server.ingest_json("docs", &documents(30));
    warm(&server, &["docs"]);
    let asked = || {
        let metrics = server.admin("/metrics").text();
        let of_redis = metrics.lines().filter(|line| {
            line.starts_with("mcp_rag_cache_requests_total{") && line.contains("level=\"redis\"")
        });
        of_redis.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>()
    };
    let before = asked();
    for n in 0..5 {
        let found = server.search(&json!({"query": format!("whales {n}"), "mode": "lexical"}));
        assert_eq!(plan(&found), Some("hot"));
    }
    assert!((asked() - before).abs() < 0.5, "memory is sooner");
    let text = json!({"query": "whales that an embedder reads"});
    assert_eq!((plan(&server.search(&text)), asked() > before), (Some("hot"), true));
    assert_eq!(server.search(&text)["cached"], true);
}
