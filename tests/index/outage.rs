//! PostgreSQL is away: what is in memory is searched, answers are written from it, and both say so. On its return nothing is
//! missing and nothing is stale.

use crate::support::{Server, eventually, ids};
use crate::world::{World, documents, plan, warm};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn stage(found: &Value) -> (&str, &str, Option<u64>) {
    let first = &found["degraded"][0];
    (
        first["stage"].as_str().unwrap_or_default(),
        first["fallback"].as_str().unwrap_or_default(),
        first["age_ms"].as_u64(),
    )
}

/// How long it stays away beyond what the test needs; `make outage` asks for minutes.
fn longer() -> Duration {
    let asked = std::env::var("OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(0))
}

/// Latencies with PostgreSQL and without.
#[derive(Default)]
struct Latencies {
    away: AtomicBool,
    of: Mutex<[Vec<Duration>; 2]>,
}

impl Latencies {
    fn note(&self, taken: Duration) {
        let away = usize::from(self.away.load(Ordering::Relaxed));
        self.of.lock().expect("no panic")[away].push(taken);
    }

    /// For whoever asked for a longer one: what is measured in so short a test says nothing.
    #[expect(clippy::print_stderr, reason = "for whoever runs it longer")]
    fn tell(&self) {
        for (taken, when) in self.of.lock().expect("no panic").iter_mut().zip(["with it", "while it is away"])
        {
            taken.sort();
            let at = |share: usize| taken.get(taken.len() * share / 100).copied().unwrap_or_default();
            eprintln!(
                "{when}: {} requests, p50 {:?}, p95 {:?}, p99 {:?}",
                taken.len(),
                at(50),
                at(95),
                at(99)
            );
        }
    }
}

/// Never asked before, so that no cache has it.
fn question(n: usize) -> Value {
    let modes = ["hybrid", "dense", "lexical"];
    json!({"query": format!("how old are the whales of {n}"), "collections": ["docs"], "mode": modes[n % 3], "top_k": 5})
}

#[test]
fn while_postgresql_is_away_every_search_and_answer_is_given_and_marked_and_on_its_return_nothing_is_stale() {
    let World { hot, cold, cluster } = World::start();
    cold.create("docs");
    cold.ingest_json("docs", &documents(60));
    warm(&hot, &["docs"]);
    let (stop, asked, failed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let latencies = Latencies::default();
    std::thread::scope(|scope| {
        let (hot, stop, asked, failed, latencies) = (&hot, &stop, &asked, &failed, &latencies);
        for client in 0..4_usize {
            scope.spawn(move || {
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let path = if n % 4 == 3 { "/v1/answers" } else { "/v1/search" };
                    let mut body = question(client * 1_000_000 + n);
                    if path == "/v1/answers" {
                        body = json!({"question": body["query"], "collections": ["docs"]});
                    }
                    let sent = Instant::now();
                    let reply = hot.post(path, &body);
                    latencies.note(sent.elapsed());
                    asked.fetch_add(1, Ordering::Relaxed);
                    if reply.status != 200 {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let so_far = || asked.load(Ordering::Relaxed);
        eventually("searches go on", || so_far() > 20);
        std::thread::sleep(longer() / 10);
        // The last write before it: nobody's list of collections is of after it.
        hot.put_document(
            "docs",
            "last",
            &json!({"text": "The very last whale was written down.", "title": "last"}),
        )
        .ok(201);
        cluster.kill9();
        latencies.away.store(true, Ordering::Relaxed);
        let began = so_far();
        eventually("searches go on without it", || so_far() > began + 40);
        std::thread::sleep(longer());
        eventually("it is marked, with its age", || {
            let (stage, fallback, age) = {
                let found = hot.search(&question(so_far()));
                let (stage, fallback, age) = stage(&found);
                (stage.to_owned(), fallback.to_owned(), age)
            };
            (stage.as_str(), fallback.as_str()) == ("database", "hot_index") && age.is_some()
        });
        let found = hot.search(&question(0));
        assert_eq!(plan(&found), Some("hot"));
        let answer =
            hot.post("/v1/answers", &json!({"question": "how old are the whales", "collections": ["docs"]}));
        let answer = answer.ok(200);
        assert!(!answer["citations"].as_array().expect("citations").is_empty(), "{answer}");
        assert_eq!(stage(&answer).1, "hot_index", "{answer}");
        let mut strict = question(1);
        strict["degrade"] = json!("forbid");
        hot.post("/v1/search", &strict).error(503, "degraded");
        let ready = hot.get("/health/ready").ok(200);
        assert_eq!(ready["status"], "degraded", "{ready}");
        let refused = hot.put_document("docs", "new", &json!({"text": "refused, not lost"}));
        assert_eq!(refused.status, 503);
        // What nobody here can have seen is not claimed.
        let mut ahead = question(2);
        ahead["consistency"] = json!("col_1.1000000");
        assert_eq!(hot.post("/v1/search", &ahead).status, 503);
        cluster.restart();
        stop.store(true, Ordering::Relaxed);
    });
    if !longer().is_zero() {
        latencies.tell();
    }
    assert_eq!(failed.load(Ordering::Relaxed), 0, "of {} requests", asked.load(Ordering::Relaxed));
    back(&hot, &cold);
    drop((hot, cold, cluster));
}

/// Writes of the other server are seen by both, and no more and no less.
fn back(hot: &Server, cold: &Server) {
    cold.until_ok("a write", |cold| {
        let body = json!({"text": "The whale of the return is new.", "title": "return"});
        Ok(cold.put_document("docs", "return", &body).status)
    });
    cold.until_ok("a deletion", |cold| Ok(cold.delete("/v1/collections/docs/documents/d0").status));
    let put = cold.put_document("docs", "token", &json!({"text": "The whale of the token."})).ok(201);
    let all = json!({"query": "whale", "collections": ["docs"], "mode": "lexical", "top_k": 100, "consistency": put["consistency"]});
    // After a long one it looks for the database every few seconds: until it has found it, what it cannot have seen it refuses.
    hot.until_ok("what was written elsewhere", |hot| Ok(hot.post("/v1/search", &all).status));
    let (here, there) = (hot.search(&all), cold.search(&all));
    let sorted = |found: &Value| {
        let mut ids = ids(found);
        ids.sort();
        ids
    };
    assert_eq!(sorted(&here), sorted(&there));
    assert!(ids(&here).iter().any(|id| id == "return") && ids(&here).iter().all(|id| id != "d0"));
    eventually("searches are answered in memory again, unmarked", || {
        let found = hot.search(
            &json!({"query": format!("again {:?}", std::time::Instant::now()), "collections": ["docs"]}),
        );
        plan(&found) == Some("hot") && found["degraded"] == json!([])
    });
}
