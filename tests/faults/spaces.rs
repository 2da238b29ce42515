//! Another embedding model under load: built beside the first, switched to, rolled back, removed; no search fails.

use crate::support::{Builder, PATIENCE, Server, eventually, ids};
use mcp_rag_chaos::model::{Behaviour, DIMENSIONS, Endpoint, Model, Pace};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

fn builder(model: &Model) -> Builder {
    Server::builder()
        .set("embedder.next.kind", "openai")
        .set("embedder.next.base_url", model.url())
        .set("embedder.next.model", "hashed-words")
        .set("embedder.next.dimensions", DIMENSIONS)
        .set("search.deadline_ms", 1500)
        .set("database.pool_size", 8)
}

/// Told from all others by its words, for either model.
fn text(n: usize) -> String {
    const NOUNS: [&str; 20] = [
        "glacier",
        "violin",
        "harbour",
        "beehive",
        "telescope",
        "bakery",
        "tractor",
        "lantern",
        "parrot",
        "cathedral",
        "submarine",
        "orchard",
        "typewriter",
        "volcano",
        "carousel",
        "library",
        "compass",
        "windmill",
        "saddle",
        "aquarium",
    ];
    const KINDS: [&str; 13] = [
        "ancient",
        "broken",
        "crimson",
        "silent",
        "wooden",
        "frozen",
        "golden",
        "crowded",
        "tiny",
        "flooded",
        "electric",
        "forgotten",
        "expensive",
    ];
    let (noun, kind) = (NOUNS[n % NOUNS.len()], KINDS[n / NOUNS.len() % KINDS.len()]);
    format!("Entry {n} is about the {kind} {noun}: why the {noun} is {kind}.")
}

fn document(n: usize) -> Value {
    json!({"external_id": format!("doc-{n}"), "text": text(n)})
}

fn documents(range: std::ops::Range<usize>) -> Vec<Value> {
    range.map(document).collect()
}

/// Clients that search without a pause and accept nothing but whole, right answers.
struct Strict {
    stop: Arc<AtomicBool>,
    phase: Arc<AtomicUsize>,
    took: Arc<Mutex<Vec<(usize, Duration)>>>,
    clients: Vec<JoinHandle<()>>,
}

const PHASES: [&str; 8] = [
    "before",
    "ingesting",
    "building",
    "building and ingesting",
    "built",
    "switched",
    "rolled back",
    "removed",
];
/// Enough for a build of some seconds.
const DOCUMENTS: usize = 2000;
/// Of those, the ones that are asked for: no two say the same.
const ASKED: usize = 200;

impl Strict {
    fn start(server: &Server, documents: usize, clients: usize) -> Self {
        let (stop, phase, took) = (Arc::default(), Arc::default(), Arc::default());
        let client = |client: usize| {
            let (stop, phase, took) = (Arc::clone(&stop), Arc::clone(&phase), Arc::clone(&took));
            let url = format!("{}/v1/search", server.url());
            std::thread::spawn(move || ask(&url, client, documents, &stop, &phase, &took))
        };
        let clients = (0..clients).map(client).collect();
        Self { stop, phase, took, clients }
    }

    fn answers(&self, phase: usize) -> usize {
        self.took.lock().expect("the times").iter().filter(|(of, _)| *of == phase).count()
    }

    /// Goes on for so many answers.
    fn more(&self, count: usize) {
        let phase = self.phase.load(Ordering::SeqCst);
        let wanted = self.answers(phase) + count;
        eventually("clients are answered, or have failed", || {
            self.answers(phase) >= wanted || self.clients.iter().any(JoinHandle::is_finished)
        });
    }

    fn next(&self) {
        self.phase.fetch_add(1, Ordering::SeqCst);
    }

    /// The 95th percentile of each phase, in milliseconds.
    fn finish(self) -> Vec<(usize, f64)> {
        self.stop.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.join().expect("no search failed");
        }
        let took = self.took.lock().expect("the times");
        let of = |phase: usize| {
            let mut took: Vec<f64> = took
                .iter()
                .filter(|(of, _)| *of == phase)
                .map(|(_, took)| took.as_secs_f64() * 1e3)
                .collect();
            took.sort_by(f64::total_cmp);
            (took.len(), took.get(took.len() * 95 / 100).copied().unwrap_or(0.0))
        };
        (0..PHASES.len()).map(of).collect()
    }
}

fn ask(
    url: &str,
    client: usize,
    documents: usize,
    stop: &AtomicBool,
    phase: &AtomicUsize,
    took: &Mutex<Vec<(usize, Duration)>>,
) {
    let http = reqwest::blocking::Client::builder().timeout(PATIENCE).no_proxy().build().expect("a client");
    let mut n = client;
    while !stop.load(Ordering::SeqCst) {
        n += 7;
        let wanted = n % documents;
        // The document's own words, and something that no cache has seen.
        let query = format!("{} {n}", text(wanted));
        let body = json!({"query": query, "mode": "dense", "top_k": 5, "degrade": "forbid"});
        let (of, began) = (phase.load(Ordering::SeqCst), Instant::now());
        let reply = http.post(url).json(&body).send().expect("an answer");
        let status = reply.status().as_u16();
        let found: Value = reply.json().expect("JSON");
        assert_eq!(status, 200, "{found}");
        assert_eq!((&found["degraded"], &found["cached"]), (&json!([]), &json!(false)), "{found}");
        // A vector compared in the other model's space would be like nothing there.
        assert!(ids(&found).contains(&format!("doc-{wanted}")), "{found}");
        assert!(found["results"][0]["scores"]["dense"].as_f64() > Some(0.6), "{found}");
        took.lock().expect("the times").push((of, began.elapsed()));
    }
}

#[track_caller]
fn job_succeeds(server: &Server, job: &Value) {
    let job = server.await_job(job.as_str().expect("a job"));
    assert_eq!(job["status"], "succeeded", "{job}");
}

#[test]
fn no_search_fails_while_the_model_is_changed_changed_back_and_removed() {
    let model = Model::paced(Pace { embeddings: Duration::from_millis(5), ..Pace::default() });
    let server = builder(&model).start();
    server.create("kept");
    server.ingest_json("kept", &documents(0..DOCUMENTS));
    let strict = Strict::start(&server, ASKED, 2);
    strict.more(100);
    strict.next();
    // What an ingest costs searches without another space, to compare with.
    server.ingest_json("kept", &documents(DOCUMENTS..DOCUMENTS + 60));
    strict.next();
    let started = server.post("/v1/spaces", &json!({})).ok(202);
    let id = started["space"]["id"].as_str().expect("an id").to_owned();
    let early = server.post(&format!("/v1/spaces/{id}/activate"), &Value::Null);
    assert!([200, 409].contains(&early.status), "{}", early.text());
    let early = early.status == 200;
    strict.more(40);
    strict.next();
    // Published while it is built: in both spaces.
    server.ingest_json("kept", &documents(DOCUMENTS + 60..DOCUMENTS + 120));
    job_succeeds(&server, &started["job"]);
    let space = server.get(&format!("/v1/spaces/{id}")).ok(200);
    assert_eq!(space["size"]["vectors"], space["size"]["chunks"], "nothing is missed: {space}");
    strict.next();
    strict.more(100);
    strict.next();
    if !early {
        server.post(&format!("/v1/spaces/{id}/activate"), &Value::Null).ok(200);
    }
    strict.more(150);
    let asked = model.requests(Endpoint::Embeddings);
    strict.more(20);
    assert!(model.requests(Endpoint::Embeddings) > asked, "the new model embeds the queries");
    strict.next();
    server.post(&format!("/v1/spaces/{id}/rollback"), &Value::Null).ok(200);
    strict.more(100);
    strict.next();
    let removed = server.delete(&format!("/v1/spaces/{id}")).ok(202);
    job_succeeds(&server, &removed["job"]);
    strict.more(50);
    let phases = strict.finish();
    for (name, (count, p95)) in PHASES.iter().zip(&phases) {
        println!("{name}: {count} searches, p95 {p95:.1} ms");
    }
    let (distinct, all) = model.embedded("");
    let queries = phases.iter().map(|(count, _)| count).sum::<usize>();
    assert!(all <= distinct + queries, "no passage was embedded twice: {all} texts, {distinct} differ");
}

#[test]
fn a_second_model_that_is_away_costs_ingest_nothing_and_its_space_is_completed_later() {
    let model = Model::start();
    let server = builder(&model).start();
    server.create("kept");
    server.ingest_json("kept", &documents(0..20));
    let started = server.post("/v1/spaces", &json!({})).ok(202);
    job_succeeds(&server, &started["job"]);
    let path = format!("/v1/spaces/{}", started["space"]["id"].as_str().expect("an id"));
    model.set(Endpoint::Embeddings, Behaviour::Status(500));
    server.ingest_json("kept", &documents(20..40));
    let behind = server.get(&path).ok(200);
    assert_eq!((&behind["state"], &behind["behind"]), (&json!("building"), &json!(true)), "{behind}");
    let refused = server.post(&format!("{path}/activate"), &Value::Null).ok(409);
    assert!(
        refused["error"]["message"].as_str().is_some_and(|text| text.contains("lacks vectors")),
        "{refused}"
    );
    let again = server.post("/v1/spaces", &json!({})).ok(202);
    eventually("the work is put off", || {
        let put_offs = "SELECT coalesce(max(put_offs), 0) FROM tasks WHERE space_id IS NOT NULL";
        let rows = server.sql("mcp_rag_owner", put_offs).expect("the query runs");
        rows[0][0].as_deref() != Some("0")
    });
    model.heal();
    job_succeeds(&server, &again["job"]);
    let complete = server.get(&path).ok(200);
    assert_eq!(complete["state"], "ready", "{complete}");
    assert_eq!(complete["size"]["vectors"], complete["size"]["chunks"], "{complete}");
    server.post(&format!("{path}/activate"), &Value::Null).ok(200);
}

#[test]
fn a_build_goes_on_where_it_was_after_the_server_is_killed_and_can_be_cancelled() {
    let model = Model::paced(Pace { embeddings: Duration::from_millis(150), ..Pace::default() });
    let mut server = builder(&model).set("ingest.lease_ms", 1000).start();
    server.create("kept");
    server.ingest_json("kept", &documents(0..300));
    let vectors = "SELECT count(*) FROM embeddings WHERE space_id <> (SELECT space_id FROM embedding_spaces WHERE state = 'active')";
    let built = |server: &Server| {
        let rows = server.sql("mcp_rag_owner", vectors).expect("the query runs");
        rows[0][0].as_ref().and_then(|text| text.parse::<usize>().ok()).expect("a number")
    };
    let started = server.post("/v1/spaces", &json!({})).ok(202);
    eventually("some of it is built", || built(&server) >= 128);
    server.kill9();
    server.restart();
    job_succeeds(&server, &started["job"]);
    let (distinct, all) = model.embedded("");
    assert!(all - distinct <= 2 * 64, "at most the batch under way again: {all} texts, {distinct} differ");
    let path = format!("/v1/spaces/{}", started["space"]["id"].as_str().expect("an id"));
    assert_eq!(server.get(&path).ok(200)["state"], "ready");
    // Cancelled, it keeps what it has; taken up again, it becomes complete.
    job_succeeds(&server, &server.delete(&path).ok(202)["job"]);
    let again = server.post("/v1/spaces", &json!({})).ok(202);
    assert_ne!(again["space"]["id"], started["space"]["id"]);
    eventually("some of it is built", || built(&server) >= 64);
    assert_eq!(
        server.delete(&format!("/v1/jobs/{}", again["job"].as_str().expect("a job"))).ok(200)["status"],
        "cancelled"
    );
    let third = server.post("/v1/spaces", &json!({})).ok(202);
    assert_eq!(third["space"]["id"], again["space"]["id"]);
    job_succeeds(&server, &third["job"]);
}
