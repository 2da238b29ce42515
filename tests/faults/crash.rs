//! `kill -9` of the server in the middle of a bulk ingest.

use crate::support::{Server, eventually};
use crate::tools::{check_equal, check_statistics, document, lines, number};
use serde_json::json;

const DOCUMENTS: usize = 400;
const CHANGED: usize = 60;

#[test]
fn a_server_killed_in_the_middle_of_an_ingest_loses_and_doubles_nothing_that_was_acknowledged() {
    // A short lease, so that the next server takes the work over soon.
    let mut server = Server::builder().set("ingest.lease_ms", 1500).start();
    server.create("kept");
    let first = server.ndjson("kept", &lines((0..DOCUMENTS).map(|n| document(n, 0)))).ok(202);
    assert_eq!((&first["accepted"], &first["rejected"]), (&json!(DOCUMENTS), &json!([])), "{first}");
    let progress = |server: &Server| server.get("/v1/collections/kept").ok(200)["documents"].clone();
    eventually("some are searchable", || progress(&server).as_u64() >= Some(CHANGED as u64 + 40));
    // New versions of documents that are searchable already, acknowledged a moment before the end.
    let second = server.ndjson("kept", &lines((0..CHANGED).map(|n| document(n, 1)))).ok(202);
    let searchable = progress(&server).as_u64().unwrap();
    server.kill9();
    assert!(searchable < DOCUMENTS as u64, "too late: all were searchable before the kill");

    server.restart();
    let resumed = progress(&server).as_u64().unwrap();
    assert!(resumed >= searchable, "what was searchable still is");
    for (receipt, total) in [(&first, DOCUMENTS), (&second, CHANGED)] {
        let job = server.await_job(receipt["job"].as_str().unwrap());
        assert_eq!(job["status"], "succeeded", "{job}");
        assert_eq!((&job["progress"]["done"], &job["progress"]["total"]), (&json!(total), &json!(total)));
        assert_eq!(job["progress"]["failed"], 0);
    }
    println!("killed at {searchable} of {DOCUMENTS} searchable; after the restart all were");

    let unfinished = "SELECT count(*) FROM documents WHERE status <> 'ready' OR version <> published_version";
    assert_eq!(number(&server, unfinished), 0);
    check_statistics(&server);
    server.create("clean");
    let newest = |n| document(n, usize::from(n < CHANGED));
    server.ingest_json("clean", &(0..DOCUMENTS).map(newest).collect::<Vec<_>>());
    check_statistics(&server);
    check_equal(&server, "kept", "clean");
    let counts = |name: &str| {
        let collection = server.get(&format!("/v1/collections/{name}")).ok(200);
        (collection["documents"].clone(), collection["chunks"].clone())
    };
    assert_eq!(counts("kept"), counts("clean"));
    assert_eq!(counts("kept").0, DOCUMENTS);
    let query = json!({"query": "which violin repairs rye bread", "collections": ["kept"], "mode": "lexical", "top_k": 20});
    let scores = |query: &serde_json::Value| {
        let found = server.search(query);
        let results = found["results"].as_array().unwrap().clone();
        results.iter().map(|hit| (hit["score"].as_f64().unwrap() * 1e4).round()).collect::<Vec<_>>()
    };
    let mut same = query.clone();
    same["collections"] = json!(["clean"]);
    assert_eq!(scores(&query), scores(&same), "BM25 scores alike");
    server.stop();
}
