//! Read your writes: on the same server always, on another one with what the write answered.

use crate::support::{Server, ids};
use crate::witness::token;
use crate::world::{World, documents, plan, warm};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Whether a document's own word finds it.
fn finds(server: &Server, word: &str, id: &str, consistency: Option<&str>) -> (bool, bool) {
    let mut asked = json!({"query": word, "collections": ["docs"], "mode": "lexical", "top_k": 100});
    if let Some(token) = consistency {
        asked["consistency"] = json!(token);
    }
    let found = server.search(&asked);
    (ids(&found).iter().any(|found| found == id), plan(&found) == Some("hot"))
}

#[test]
fn whoever_writes_finds_it_written_and_deleted_on_either_server_under_load() {
    let World { hot, cold, cluster } = World::start();
    cold.create("docs");
    cold.ingest_json("docs", &documents(40));
    warm(&hot, &["docs"]);
    let (stop, looks, in_memory) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (hot, cold, stop, looks, in_memory) = (&hot, &cold, &stop, &looks, &in_memory);
            scope.spawn(move || {
                let note = |memory| {
                    looks.fetch_add(1, Ordering::Relaxed);
                    in_memory.fetch_add(usize::from(memory), Ordering::Relaxed);
                };
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let (word, id) = (format!("wort{writer}x{n}"), format!("w{writer}"));
                    let body = json!({"text": format!("The word is {word}."), "attributes": {"n": n}});
                    // By turns here and there; found on the server that keeps copies.
                    let there = n % 2 == 0;
                    let at = if there { cold } else { hot };
                    let put = at.put_document("docs", &id, &body);
                    assert!(matches!(put.status, 200 | 201), "{}", put.text());
                    let put = put.json();
                    let token = token(&put);
                    let (found, memory) = finds(hot, &word, &id, there.then_some(&token));
                    assert!(found, "{word} was written");
                    note(memory);
                    let deleted = at.delete(&Server::document_path("docs", &id)).ok(200);
                    let token = crate::witness::token(&deleted);
                    let (found, memory) = finds(hot, &word, &id, there.then_some(&token));
                    assert!(!found, "{word} was deleted");
                    note(memory);
                }
            });
        }
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(8) {
            std::thread::sleep(Duration::from_millis(50));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let (looks, in_memory) = (looks.into_inner(), in_memory.into_inner());
    assert!(looks > 50 && in_memory * 2 > looks, "{in_memory} of {looks} in memory");
    drop((hot, cold, cluster));
}

#[test]
fn what_has_expired_or_may_not_be_seen_is_not_found_in_memory() {
    let World { hot, cold, cluster } = World::start();
    cold.create("docs");
    cold.ingest_json("docs", &documents(10));
    let end = time::OffsetDateTime::now_utc() + time::Duration::seconds(3);
    let end = end.format(&time::format_description::well_known::Rfc3339).expect("a time");
    let body = json!({"text": "The firework ends soon.", "expires_at": end});
    let token = token(&cold.put_document("docs", "ends", &body).ok(201));
    warm(&hot, &["docs"]);
    assert_eq!(finds(&hot, "firework", "ends", Some(&token)), (true, true));
    crate::support::eventually("it is found no more", || !finds(&hot, "firework", "ends", None).0);
    drop((hot, cold, cluster));
}
