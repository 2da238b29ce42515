//! Eight writers through both servers while PostgreSQL, and in a build with failpoints the actor, are killed at random; two more
//! look for what they wrote. Whoever is answered sees it, and what is in memory in the end is what PostgreSQL has.
//! `make feed MINUTES=10` does it for longer.

use crate::dice::Dice;
use crate::support::{Server, eventually};
use crate::witness::{self, Looks};
use crate::world::{World, plan};
use crate::writers::{self, Done};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WRITERS: u64 = 4;
const WITNESSES: usize = 2;

fn seconds() -> u64 {
    std::env::var("FEED_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

#[test]
fn in_a_storm_of_writes_and_kills_whoever_writes_sees_it_and_memory_ends_as_postgresql() {
    let World { hot, cold, cluster } = World::storm();
    cold.create("docs");
    let (stop, done, looks) = (AtomicBool::new(false), Done::default(), Looks::default());
    std::thread::scope(|scope| {
        writers::start(scope, &cold, WRITERS, &stop, &done);
        writers::start(scope, &hot, WRITERS, &stop, &done);
        witness::start(scope, (&hot, &cold), WITNESSES, &stop, &looks);
        // Also where a check fails: the scope waits for the writers.
        let _over = writers::Over(&stop);
        let mut dice = Dice::new(9);
        let began = Instant::now();
        let (mut kills, mut asked) = (0, 0_u64);
        let mut next = Instant::now() + Duration::from_secs(2);
        while began.elapsed() < Duration::from_secs(seconds()) {
            // Searches go on all the time, so that there is a copy.
            let body = json!({"query": format!("storm {asked}"), "collections": ["docs"]});
            let _ = hot.request(reqwest::Method::POST, "/v1/search").json(&body).send();
            asked += 1;
            if Instant::now() >= next {
                next = Instant::now() + Duration::from_millis(2_000 + dice.next() % 3_000);
                if kills % 2 == 0 {
                    cluster.kill9();
                    std::thread::sleep(Duration::from_millis(dice.next() % 800));
                    cluster.restart();
                } else {
                    kill_actor(&hot, &mut dice);
                }
                kills += 1;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    settled(&cold);
    compare(&hot, &cold);
    let metrics = hot.admin("/metrics").text();
    let differs = "mcp_rag_index_drops_total{reason=\"differs\"} 0";
    assert!(metrics.lines().any(|line| line == differs), "{metrics}\n{}", hot.log());
    for (what, count) in [("written", &done.written), ("deleted", &done.deleted), ("killed", &done.killed)] {
        let count = count.load(Ordering::Relaxed);
        assert!(count >= 5, "{what}: {count}");
    }
    println!("{looks:?}");
    let (all, in_memory) = (looks.all.into_inner(), looks.in_memory.into_inner());
    assert!(all >= 10 && in_memory >= 5, "{in_memory} of {all} looks in memory");
    drop((hot, cold, cluster));
}

/// In the middle of a look, or anywhere else.
fn kill_actor(server: &Server, dice: &mut Dice) {
    if !cfg!(feature = "failpoints") {
        return;
    }
    let point = dice.of(&["look", "build", "life"]);
    let fault = dice.of(&["panic:1", "kill:1", "stop:1"]);
    let url = format!("{}/failpoints/index::{point}", server.admin_url());
    let armed = reqwest::blocking::Client::new().put(url).body(*fault).send().expect("an answer");
    assert_eq!(armed.status().as_u16(), 200);
}

/// Nothing waits to be worked on, nothing is about to end by itself, PostgreSQL answers.
fn settled(server: &Server) {
    eventually("all is worked on", || {
        let body = json!({"query": "settled", "collections": ["docs"]});
        let up = server.post("/v1/search", &body);
        let list = server.get("/v1/collections/docs/documents?limit=100");
        if up.status != 200 || list.status != 200 {
            return false;
        }
        let soon = time::OffsetDateTime::now_utc() + time::Duration::seconds(3);
        let documents = list.json();
        documents["data"].as_array().expect("documents").iter().all(|one| {
            let ends = one["expires_at"].as_str().and_then(|text| {
                time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()
            });
            matches!(one["status"].as_str(), Some("ready" | "failed")) && ends.is_none_or(|at| at > soon)
        })
    });
}

/// Document by document, all that a search tells of it.
fn compare(hot: &Server, cold: &Server) {
    let list = cold.get("/v1/collections/docs/documents?limit=100").ok(200);
    let names: Vec<&str> = list["data"]
        .as_array()
        .expect("documents")
        .iter()
        .filter_map(|one| one["external_id"].as_str())
        .collect();
    let all = |server: &Server, name: &str, memory: bool| {
        let body = json!({
            "query": "years of whales and lighthouses", "collections": ["docs"], "top_k": 100, "mode": "dense",
            "filters": {"type": "eq", "key": "$external_id", "value": name}, "min_score": -2,
        });
        let mut found = Value::Null;
        eventually("it is answered where it should be", || {
            let mut body = body.clone();
            // New to the cache each time.
            body["min_score"] =
                json!(-2.0 - (Instant::now().elapsed().as_nanos() % 1000) as f64 / 1e3 - rand());
            found = server.search(&body);
            !memory || plan(&found) == Some("hot")
        });
        let mut chunks: Vec<Value> = found["results"].as_array().expect("results").clone();
        for chunk in &mut chunks {
            let similarity = chunk["score"].as_f64().expect("a score");
            chunk["score"] = json!((similarity * 1e3).round());
            chunk["scores"] = Value::Null;
        }
        chunks.sort_by_key(|chunk| chunk["span"]["start"].as_i64());
        chunks
    };
    let mut seen = 0;
    for name in &names {
        let (here, there) = (all(hot, name, true), all(cold, name, false));
        assert_eq!(here, there, "{name}");
        seen += here.len();
    }
    assert!(seen > 0, "there is something to compare: {names:?}");
    let totals = |server: &Server| {
        let collections = server.get("/v1/collections").ok(200);
        [collections["data"][0]["documents"].clone(), collections["data"][0]["chunks"].clone()]
    };
    let copy = hot.get("/v1/system").ok(200)["index"]["copies"][0].clone();
    // Lists of collections are a moment old.
    eventually("nothing more, nothing less", || {
        totals(cold) == [copy["documents"].clone(), copy["chunks"].clone()]
    });
}

/// Between 0 and 1, another each time.
fn rand() -> f64 {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    f64::from(nanos) / 1e9
}
