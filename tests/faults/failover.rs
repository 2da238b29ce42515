//! The writer is lost and a standby takes its place, under a server that stays.

use crate::support::{Server, eventually};
use crate::tools::document;
use mcp_rag_chaos::postgres::Cluster;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// From the promotion on: an open circuit is probed every three seconds at most.
const RECOVERED_WITHIN: Duration = Duration::from_secs(10);

/// Writes without pause while `fault` runs; every document that was acknowledged must be there afterwards.
fn keeps_what_it_acknowledged(fault: impl FnOnce(&Cluster)) {
    let primary = Cluster::start();
    primary.run("postgres", "CREATE DATABASE rag");
    let standby = primary.standby();
    primary.synchronous(true);
    let mut server = Server::builder()
        .env("MCP_RAG__DATABASE__URL", Cluster::url_of_all(&[&primary, &standby], "rag"))
        .start();
    let pid = server.pid();
    server.create("kept");
    let (stop, acknowledged, refused) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let took = std::thread::scope(|scope| {
        let (written, refused, stop, server) = (&acknowledged, &refused, &stop, &server);
        let writer = scope.spawn(move || {
            let mut kept = Vec::new();
            for n in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let mut body = document(n, 0);
                let id = body["external_id"].take();
                let id = id.as_str().expect("an id").to_owned();
                body.as_object_mut().expect("an object").remove("external_id");
                let began = Instant::now();
                let reply = server.put(&Server::document_path("kept", &id), &body);
                // A write that meets the freeze is not left waiting until its deadline.
                assert!(began.elapsed() < RECOVERED_WITHIN, "{:?}", began.elapsed());
                match reply.status {
                    200..300 => {
                        kept.push(id);
                        written.fetch_add(1, Ordering::Relaxed);
                    }
                    status => {
                        assert!(matches!(status, 503 | 504), "{status}: {}", reply.text());
                        refused.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            }
            kept
        });
        let seen = |more: usize| {
            let wanted = written.load(Ordering::Relaxed) + more;
            eventually("writes are acknowledged", || {
                writer.is_finished() || written.load(Ordering::Relaxed) >= wanted
            });
        };
        seen(20);
        fault(&primary);
        standby.promote();
        let promoted = Instant::now();
        seen(1);
        let took = promoted.elapsed();
        seen(20);
        stop.store(true, Ordering::Relaxed);
        for id in writer.join().expect("every answer was a good one") {
            assert_eq!(server.document("kept", &id).status, 200, "{id} was acknowledged and is lost");
        }
        took
    });
    println!(
        "{acknowledged:?} acknowledged, {refused:?} refused; writes went on {took:?} after the promotion"
    );
    assert!(took < RECOVERED_WITHIN, "{took:?}");
    assert_eq!(server.pid(), pid);
    let found = || server.post("/v1/search", &json!({"query": "tides", "collections": ["kept"]}));
    eventually("searches are answered", || found().status == 200);
    server.stop();
}

#[test]
fn a_promoted_standby_is_picked_up_after_the_writer_was_killed_and_no_acknowledged_write_is_lost() {
    keeps_what_it_acknowledged(Cluster::kill9);
}

#[test]
fn a_promoted_standby_is_picked_up_while_the_old_writer_is_frozen_and_accepts_connections_still() {
    keeps_what_it_acknowledged(Cluster::freeze);
}

#[test]
fn a_read_only_writer_answers_reads_refuses_writes_and_is_noticed_when_it_accepts_them_again() {
    let cluster = Cluster::start();
    cluster.run("postgres", "CREATE DATABASE rag");
    let mut server = Server::builder().env("MCP_RAG__DATABASE__URL", cluster.url("rag")).start();
    server.create("kept");
    server.ingest_json("kept", &(0..5).map(|n| document(n, 0)).collect::<Vec<_>>());
    cluster.read_only(true);
    eventually("it is noticed", || {
        server.get("/v1/system").ok(200)["pools"]["writer"]["read_only"] == json!(true)
    });
    let ready = server.get("/health/ready").ok(200);
    assert_eq!(ready["checks"]["database"]["status"], "degraded", "{ready}");
    for n in 0..10 {
        let search = json!({"query": format!("{n} tides"), "collections": ["kept"]});
        assert_eq!(server.post("/v1/search", &search).status, 200);
        server.put_document("kept", "new", &json!({"text": "refused"})).error(503, "unavailable");
    }
    cluster.read_only(false);
    eventually("writes are taken", || {
        server.put_document("kept", "new", &json!({"text": "taken"})).status == 201
    });
    server.stop();
}
