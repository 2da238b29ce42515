//! Embedding spaces through their life: built, compared, searched, rolled back, removed; and each storage.

use crate::support::{Server, eventually, ids};
use reqwest::Method;
use serde_json::{Value, json};

const SUBJECTS: [&str; 6] = ["glacier", "violin", "harbour", "beehive", "telescope", "bakery"];

fn document(n: usize) -> Value {
    let subject = SUBJECTS[n % SUBJECTS.len()];
    json!({"external_id": format!("d{n}"), "title": format!("Note {n}"),
        "text": format!("The {subject} was visited on day {n}, and everything about the {subject} was written down.")})
}

fn filled(storage: &str, next: &str, documents: usize) -> Server {
    let server =
        Server::builder().set("embedder.storage", storage).set("embedder.next.storage", next).start();
    server.create("docs");
    server.ingest_json("docs", &(0..documents).map(document).collect::<Vec<_>>());
    server
}

/// Builds for `[embedder.next]` and waits; the space's id.
#[track_caller]
fn built(server: &Server) -> String {
    let started = server.post("/v1/spaces", &json!({})).ok(202);
    let job = server.await_job(started["job"].as_str().expect("a job"));
    assert_eq!((&job["kind"], &job["status"]), (&json!("build_space"), &json!("succeeded")), "{job}");
    assert_eq!(job["progress"]["done"], job["progress"]["total"], "{job}");
    started["space"]["id"].as_str().expect("an id").to_owned()
}

fn space(server: &Server, id: &str) -> Value {
    server.get(&format!("/v1/spaces/{id}")).ok(200)
}

fn dense(server: &Server, query: &str) -> Vec<String> {
    ids(&server.search(&json!({"query": query, "mode": "dense", "top_k": 10, "degrade": "forbid"})))
}

fn number(server: &Server, query: &str) -> i64 {
    let rows = server.sql("mcp_rag_owner", query).expect("the query runs");
    rows[0][0].as_ref().and_then(|text| text.parse().ok()).expect("a number")
}

#[test]
fn a_space_is_built_compared_searched_rolled_back_and_removed_without_a_trace() {
    let server = filled("halfvec", "bit", 60);
    let before = dense(&server, "telescope");
    let first = server.get("/v1/spaces").ok(200)["data"][0].clone();
    assert_eq!(
        (&first["state"], &first["storage"], &first["behind"]),
        (&json!("active"), &json!("halfvec"), &json!(false))
    );
    let id = built(&server);
    let ready = space(&server, &id);
    assert_eq!((&ready["state"], &ready["storage"]), (&json!("ready"), &json!("bit")), "{ready}");
    assert_eq!(ready["size"]["vectors"], ready["size"]["chunks"], "{ready}");
    assert!(ready["size"]["index_bytes"].as_i64() > Some(0), "{ready}");
    let again = server.post("/v1/spaces", &json!({"embedder": "next"})).ok(200);
    assert_eq!((&again["job"], &again["space"]["id"]), (&Value::Null, &json!(id)), "it is complete");

    let path = format!("/v1/spaces/{id}");
    let alike = server
        .post(&format!("{path}/compare"), &json!({"queries": ["violin", "a bakery"], "sample": 10}))
        .ok(200);
    assert_eq!((&alike["queries"], &alike["overlap"]["mean"]), (&json!(12), &json!(1.0)), "{alike}");
    assert_eq!(alike["other"]["storage"], "bit", "{alike}");

    assert_eq!(server.post(&format!("{path}/activate"), &Value::Null).ok(200)["state"], "active");
    assert_eq!(dense(&server, "telescope"), before, "the same vectors, found in another way");
    let old = first["id"].as_str().expect("an id");
    assert_eq!(space(&server, old)["state"], "retired");
    assert_eq!(server.delete(&path).status, 409, "the space that is searched stays");
    assert_eq!(
        server.post(&format!("/v1/spaces/{old}/rollback"), &Value::Null).status,
        409,
        "it is not active"
    );

    // What is published now goes into the space before, too: going back loses nothing.
    server.ingest_json("docs", &(60..70).map(document).collect::<Vec<_>>());
    assert_eq!(server.post(&format!("{path}/rollback"), &Value::Null).ok(200)["id"], json!(old));
    assert_eq!(space(&server, old)["size"]["vectors"], space(&server, old)["size"]["chunks"]);
    assert_eq!(dense(&server, "telescope"), dense(&server, "telescope "));

    let removed = server.delete(&path).ok(202);
    let job = server.await_job(removed["job"].as_str().expect("a job"));
    assert_eq!((&job["kind"], &job["status"]), (&json!("remove_space"), &json!("succeeded")), "{job}");
    assert_eq!(server.get(&path).status, 404);
    let digits = id.trim_start_matches("spc_");
    assert_eq!(number(&server, &format!("SELECT count(*) FROM embeddings WHERE space_id = {digits}")), 0);
    let index = format!("SELECT count(*) FROM pg_class WHERE relname = 'embeddings_hnsw_{digits}'");
    assert_eq!(number(&server, &index), 0);
    assert_eq!(dense(&server, "telescope").len(), 10);
}

#[test]
fn every_storage_finds_the_same_through_its_index_and_exactly() {
    let reference = filled("halfvec", "bit", 60);
    for storage in ["vector", "bit"] {
        let server = filled(storage, "halfvec", 60);
        let column = if storage == "vector" { "full_embedding" } else { "embedding" };
        let kept = number(&server, &format!("SELECT count({column}) FROM embeddings"));
        assert_eq!(kept, number(&server, "SELECT count(*) FROM chunks"), "{storage}");
        for mode in ["dense", "hybrid"] {
            let body =
                json!({"query": "all about the violin", "mode": mode, "top_k": 10, "degrade": "forbid"});
            let (expected, found) = (reference.search(&body), server.search(&body));
            assert_eq!(ids(&found), ids(&expected), "{storage} {mode}");
            let score = |found: &Value| found["results"][0]["scores"]["dense"].as_f64().expect("a score");
            assert!((score(&found) - score(&expected)).abs() < 2e-3, "{storage}: {found}");
        }
        // From its own vectors: the other space costs no embedding, and finds the same.
        let id = built(&server);
        assert_eq!(
            server.post(&format!("/v1/spaces/{id}/activate"), &Value::Null).ok(200)["state"],
            "active"
        );
        assert_eq!(
            dense(&server, "all about the violin"),
            dense(&reference, "all about the violin"),
            "{storage}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_request_about_spaces_is_said() {
    let server = Server::start();
    server.create("docs");
    assert_eq!(server.get("/v1/spaces").ok(200)["data"], json!([]), "none before anything is published");
    let refused = server.post("/v1/spaces", &json!({})).ok(409);
    let message = refused["error"]["message"].as_str().expect("a message");
    assert!(message.contains("embedder.next"), "{message}");
    server.ingest("docs", &[("a", "Something to find.")]);
    let id = server.get("/v1/spaces").ok(200)["data"][0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/spaces/{id}");
    let unknown = server.post("/v1/spaces", &json!({"model": "x"})).ok(400);
    assert_eq!(unknown["error"]["code"], "unknown_field");
    for (body, param) in [
        (json!({"k": 0}), "k"),
        (json!({"queries": [" "]}), "queries"),
        (json!({"queries": vec!["x"; 101]}), "queries"),
        (json!({"queries": [], "sample": 0}), "sample"),
    ] {
        let refused = server.post(&format!("{path}/compare"), &body).ok(400);
        assert_eq!(refused["error"]["param"], param, "{refused}");
    }
    for method in [Method::GET, Method::DELETE] {
        for id in ["spc_99", "spc_x", "doc_1"] {
            assert_eq!(
                server.send(method.clone(), &format!("/v1/spaces/{id}"), "text/plain", "").status,
                404,
                "{id}"
            );
        }
    }
    assert_eq!(server.post(&format!("{path}/rollback"), &Value::Null).status, 409, "nothing to go back to");
    assert_eq!(
        server.post(&format!("{path}/activate"), &Value::Null).ok(200)["state"],
        "active",
        "it is already"
    );
    assert_eq!(server.post("/v1/spaces", &json!({"embedder": "first"})).ok(200)["job"], Value::Null);
}

#[test]
fn a_server_started_with_another_model_says_so_and_searches_by_keywords_until_it_has_the_model_again() {
    let server = filled("halfvec", "bit", 12);
    let query = json!({"query": "violin", "top_k": 3});
    assert_eq!(server.search(&query)["degraded"], json!([]));
    let server = server.restarted_with(&[("embedder.model", "renamed"), ("embedder.next.storage", "bit")]);
    let found = server.search(&query);
    let told = json!([{"stage": "embedder", "reason": "not_configured", "fallback": "lexical"}]);
    assert_eq!(found["degraded"], told, "{found}");
    assert!(!ids(&found).is_empty(), "found by its words");
    assert_eq!(server.get("/health/ready").ok(200)["checks"]["embedding_space"]["status"], "degraded");
    assert!(server.log().contains("is of a model that is not configured"), "{}", server.log());
    let spaces = server.get("/v1/spaces").ok(200);
    assert_eq!(spaces["data"].as_array().map(Vec::len), Some(1), "no empty space was made: {spaces}");
    assert_eq!(spaces["data"][0]["configured"], false, "{spaces}");
    let server = server.restarted_with(&[("embedder.next.storage", "bit")]);
    eventually("whole again", || server.search(&query)["degraded"] == json!([]));
}
