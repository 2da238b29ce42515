//! Reads from replicas: while they are near enough, instead of the writer, and when it is away.

use crate::support::{Server, eventually, ids};
use crate::tools::document;
use mcp_rag_chaos::postgres::Cluster;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn start(primary: &Cluster, standby: &Cluster) -> Server {
    let server = Server::builder()
        .env("MCP_RAG__DATABASE__URL", primary.url("rag"))
        .env("MCP_RAG__DATABASE__REPLICA_URLS", standby.url("rag"))
        .start();
    server.create("kept");
    server.ingest_json("kept", &(0..20).map(|n| document(n, 0)).collect::<Vec<_>>());
    server
}

fn query(n: usize) -> Value {
    json!({"query": format!("violin {n} varnish"), "collections": ["kept"]})
}

fn search(server: &Server, n: usize) -> Vec<String> {
    ids(&server.search(&query(n)))
}

fn reads(server: &Server, route: &str) -> u64 {
    let line = format!("mcp_rag_database_reads_total{{route=\"{route}\"}} ");
    let text = server.admin("/metrics").text();
    text.lines().find_map(|text| text.strip_prefix(&line)?.parse().ok()).unwrap_or(0)
}

fn replica(server: &Server) -> Value {
    server.get("/v1/system").ok(200)["pools"]["replicas"]["replica:1"].clone()
}

#[test]
fn reads_go_to_a_replica_that_has_what_they_must_see_and_stay_answered_whichever_server_fails() {
    let primary = Cluster::start();
    primary.run("postgres", "CREATE DATABASE rag");
    let standby = primary.standby();
    let mut server = start(&primary, &standby);
    let mut n = 0;
    let mut next = || {
        n += 1;
        n
    };
    eventually("searches go to the replica once it has replayed what was written", || {
        assert!(!search(&server, next()).is_empty());
        reads(&server, "replica") > 5
    });
    assert!(replica(&server)["lag_ms"].as_u64().expect("a lag") <= 1000);

    // It stops replaying: what was written is found all the same, at once and later.
    standby.run("postgres", "SELECT pg_wal_replay_pause()");
    let text = json!({"text": "The zeppelin hangar is painted every seventh year."});
    assert_eq!(server.put_document("kept", "new", &text).status, 201);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        let found =
            server.search(&json!({"query": format!("zeppelin hangar {}", next()), "collections": ["kept"]}));
        assert_eq!(ids(&found)[0], "new", "an older state was read");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(replica(&server)["lag_ms"].as_u64().expect("a lag") > 1000, "{}", replica(&server));
    standby.run("postgres", "SELECT pg_wal_replay_resume()");
    let before = reads(&server, "replica");
    eventually("it has caught up and is used again", || {
        search(&server, next());
        reads(&server, "replica") > before
    });

    // Silent, it costs the searches that met it a moment, and then nothing.
    standby.freeze();
    eventually("its circuit is open", || {
        let began = Instant::now();
        assert!(!search(&server, next()).is_empty());
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        replica(&server)["state"] != "closed"
    });
    standby.thaw();
    eventually("it is used again", || replica(&server)["state"] == "closed");

    // Without the writer it is all there is.
    primary.kill9();
    let before = reads(&server, "standin");
    eventually("it stands in", || {
        assert!(!search(&server, next()).is_empty());
        reads(&server, "standin") > before + 5
    });
    server.put_document("kept", "other", &json!({"text": "refused"})).error(503, "unavailable");
    let ready = server.get("/health/ready").ok(200);
    assert_eq!(
        (&ready["status"], &ready["checks"]["database"]["status"]),
        (&json!("degraded"), &json!("degraded"))
    );
    let known = json!({"query": "violin varnish", "collections": ["kept"]});
    let told = json!([{"stage": "database", "reason": "unavailable", "fallback": "replica"}]);
    eventually("a reply of the one that stands in says so, a cached one too", || {
        let found = server.search(&known);
        assert_eq!(found["degraded"], told, "{found}");
        found["cached"] == false && server.search(&query(next()))["degraded"] == told
    });
    let mut strict = known.clone();
    strict["degrade"] = json!("forbid");
    server.post("/v1/search", &strict).error(503, "degraded");
    primary.restart();
    // 200 where the write before was done though its answer did not come in time.
    eventually("writes are taken again", || {
        matches!(server.put_document("kept", "other", &json!({"text": "taken"})).status, 200 | 201)
    });
    eventually("nothing is degraded any more", || {
        server.search(&known)["degraded"] == json!([])
            && server.get("/health/ready").ok(200)["status"] == "ok"
    });
    server.stop();
}
