//! A collection's documents are cut anew while searches go on.

use crate::support::{Server, eventually};
use serde_json::{Value, json};

fn text(topic: &str) -> String {
    (0..40).map(|number| format!("The {topic} of number {number} is kept in drawer {number}. ")).collect()
}

fn filled() -> Server {
    let server = Server::start();
    server.create("docs");
    server.ingest("docs", &[("keys", &text("key")), ("maps", &text("map")), ("short", "One short note.")]);
    server
}

fn longest(server: &Server) -> usize {
    let body = json!({"query": "drawer", "collections": ["docs"], "mode": "dense", "top_k": 100});
    let found = server.search(&body);
    found["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|one| one["tokens"].as_u64().expect("tokens") as usize)
        .max()
        .unwrap_or(0)
}

#[test]
fn a_changed_chunking_cuts_every_document_anew_and_no_search_sees_half_of_it() {
    let server = filled();
    assert!(longest(&server) > 64);
    let before = server.get("/v1/collections/docs").ok(200);
    let changed = server.patch("/v1/collections/docs", &json!({"chunking": {"max_tokens": 64}})).ok(200);
    assert_eq!(changed["chunking"]["max_tokens"], 64);
    assert_eq!(changed["chunking"]["overlap_tokens"], 32, "what is not named stays");
    let job = changed["job"].as_str().expect("a job").to_owned();
    let documents = |server: &Server| {
        let body = json!({"query": "drawer note", "collections": ["docs"], "mode": "dense", "top_k": 100});
        let mut found = crate::support::ids(&server.search(&body));
        found.sort();
        found.dedup();
        found
    };
    eventually("the job is over", || {
        assert_eq!(documents(&server), ["keys", "maps", "short"], "searches stay whole meanwhile");
        server.get(&format!("/v1/jobs/{job}")).ok(200)["status"] == "succeeded"
    });
    let job = server.get(&format!("/v1/jobs/{job}")).ok(200);
    assert_eq!((&job["kind"], &job["progress"]["total"]), (&json!("reindex"), &json!(3)), "{job}");
    assert!(longest(&server) <= 64);
    let after = server.get("/v1/collections/docs").ok(200);
    assert_eq!(after["documents"], 3);
    assert!(after["chunks"].as_i64() > before["chunks"].as_i64());
    let document = server.get("/v1/collections/docs/documents/keys").ok(200);
    assert_eq!((&document["status"], &document["version"]), (&json!("ready"), &json!(1)));
    let same = server.patch("/v1/collections/docs", &json!({"chunking": {"max_tokens": 64}})).ok(200);
    assert_eq!(same["job"], Value::Null, "the same chunking is no change");
}

#[test]
fn documents_that_arrive_around_the_change_are_cut_as_the_collection_says_in_the_end() {
    let server = filled();
    let mut jobs = Vec::new();
    for round in 0..8 {
        let lines: Vec<String> = (0..6)
            .map(|n| json!({"external_id": format!("{round}-{n}"), "text": text("box")}).to_string())
            .collect();
        jobs.push(server.ndjson("docs", &lines.join("\n")).ok(202)["job"].clone());
        let size = if round % 2 == 0 { 48 } else { 128 };
        let changed =
            server.patch("/v1/collections/docs", &json!({"chunking": {"max_tokens": size}})).ok(200);
        jobs.push(changed["job"].clone());
    }
    let last = server.patch("/v1/collections/docs", &json!({"chunking": {"max_tokens": 64}})).ok(200);
    jobs.push(last["job"].clone());
    for job in jobs.iter().filter_map(Value::as_str) {
        let job = server.await_job(job);
        assert_eq!(job["status"], "succeeded", "{job}");
    }
    eventually("no document waits", || {
        server.get("/v1/collections/docs/documents?status=queued").ok(200)["data"] == json!([])
            && server.get("/v1/collections/docs/documents?status=running").ok(200)["data"] == json!([])
    });
    assert_eq!(server.get("/v1/collections/docs").ok(200)["documents"], 51);
    assert!(longest(&server) <= 64, "{}", longest(&server));
}

#[test]
fn a_cancelled_reindex_leaves_what_was_found_before() {
    let server = Server::builder().set("ingest.worker", "false").start();
    server.create("docs");
    assert_eq!(
        server.post("/v1/collections/docs/reindex", &json!({})).ok(202),
        json!({"job": null, "documents": 0})
    );
    server.post("/v1/collections/nothing/reindex", &json!({})).error(404, "not_found");
    drop(server);

    let server = filled();
    let begun = server.post("/v1/collections/docs/reindex", &json!({})).ok(202);
    assert_eq!(begun["documents"], 3, "{begun}");
    let job = begun["job"].as_str().expect("a job");
    let cancelled = server.delete(&format!("/v1/jobs/{job}"));
    assert!([200, 202, 204, 409].contains(&cancelled.status), "over already, or cancelled");
    eventually("nothing waits", || {
        server.get("/v1/collections/docs/documents?status=ready").ok(200)["data"]
            .as_array()
            .is_some_and(|all| all.len() == 3)
    });
    assert_eq!(server.search_in("docs", "short note", "lexical"), ["short"]);
}
