//! Whoever follows the feed holds what the database holds, at each step.

use crate::follower::{Follower, truth};
use crate::support::{Server, eventually};
use crate::writers::{self, Done};
use mcp_rag_actors::store::CollectionId;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WRITERS: u64 = 8;

fn collection(server: &Server) -> CollectionId {
    let row = server.sql("mcp_rag_owner", "SELECT collection_id FROM collections WHERE name = 'docs'");
    let id = row.expect("the query runs")[0][0].as_deref().and_then(|id| id.parse().ok());
    CollectionId(id.expect("an id"))
}

#[test]
fn a_copy_kept_by_the_feed_is_the_collection_whatever_commits_rolls_back_or_ends() {
    let server = Server::builder().set("ingest.concurrency", 4).start();
    server.create("docs");
    let (stop, done) = (AtomicBool::new(false), Done::default());
    let collection = collection(&server);
    std::thread::scope(|scope| {
        writers::start(scope, &server, WRITERS, &stop, &done);
        actix_rt::System::new().block_on(async {
            let mut follower = Follower::new(&server, collection).await;
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(15) {
                // Each look compares its counts with those of the same moment.
                follower.look().await.expect("the database is there");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.store(true, Ordering::Relaxed);
            // Requests that were killed may still be worked on.
            let mut last = Vec::new();
            loop {
                let now = apart(|| truth(&server));
                follower.look().await.expect("the database is there");
                if now == last && now == follower.lines() && apart(|| idle(&server)) {
                    break;
                }
                assert!(began.elapsed() < Duration::from_secs(60), "{:#?}\n{now:#?}", follower.lines());
                last = now;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            assert!(!last.is_empty() && follower.looks > 100, "{} looks", follower.looks);
            assert_eq!(follower.begun, 1, "nothing made it begin anew");
            follower.stop().await;
        });
    });
    for (what, count) in [("written", &done.written), ("deleted", &done.deleted), ("killed", &done.killed)] {
        let count = count.load(Ordering::Relaxed);
        assert!(count >= 5, "{what}: {count}");
    }
}

/// Calls that block, away from the runtime that this thread drives.
fn apart<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(call).join().expect("it does not panic"))
}

/// Nothing waits to be worked on, or to expire.
fn idle(server: &Server) -> bool {
    let sql = "SELECT (SELECT count(*) FROM tasks) + (SELECT count(*) FROM documents WHERE expires_at < now() + interval '3 s')";
    server.sql("mcp_rag_owner", sql).expect("the query runs")[0][0].as_deref() == Some("0")
}

#[test]
fn a_follower_that_was_away_for_too_long_begins_anew_and_an_idle_database_keeps_no_changes() {
    let server = Server::start();
    server.create("docs");
    server.ingest("docs", &[("a", "Whales dive deep."), ("b", "Lighthouses are white.")]);
    let collection = collection(&server);
    let sweep = |sql: &str| apart(|| server.sql("mcp_rag_owner", sql).expect("the query runs")[0][0].clone());
    actix_rt::System::new().block_on(async {
        let mut follower = Follower::new(&server, collection).await;
        follower.look().await.expect("a look");
        apart(|| server.delete("/v1/collections/docs/documents/a").ok(200));
        follower.look().await.expect("a look");
        // All that is older than now: what it has seen.
        sweep("SELECT sweep_changes(interval '0', 1000000, 1000)");
        follower.look().await.expect("a look");
        assert_eq!(follower.begun, 1, "it lacked nothing of what was forgotten");
        apart(|| server.ingest("docs", &[("c", "Glaciers move slowly.")]));
        sweep("SELECT sweep_changes(interval '1 hour', 0, 1000)");
        follower.look().await.expect("a look");
        assert_eq!((follower.begun, follower.lines()), (2, apart(|| truth(&server))));
        apart(|| server.delete("/v1/collections/docs").ok(200));
        follower.look().await.expect("a look");
        assert!(follower.lines().is_empty());
        follower.stop().await;
    });
    eventually("nothing is kept of what nobody needs", || {
        sweep("SELECT sweep_changes(interval '0', 1000000, 1000)");
        sweep("SELECT count(*) FROM changes") == Some("0".to_owned())
    });
}
