//! A chat model situates chunks in their document, for the index only.

use super::builder;
use crate::support::{Server, eventually};
use mcp_rag_chaos::model::{Behaviour, Endpoint, Model};
use serde_json::{Value, json};

/// The word `quokkas` stands at the beginning only.
fn document() -> String {
    let more: String =
        (0..60).map(|number| format!("They sleep in the shade of tree {number} by day. ")).collect();
    format!("Quokkas live on Rottnest Island. {more}")
}

fn collection(server: &Server) {
    let chunking = json!({"max_tokens": 64, "overlap_tokens": 0, "context": "llm"});
    server.create_with(&json!({"name": "animals", "chunking": chunking}));
}

fn found(server: &Server, query: &str) -> Vec<Value> {
    let body = json!({"query": query, "collections": ["animals"], "mode": "lexical", "top_k": 100});
    server.search(&body)["results"].as_array().expect("results").clone()
}

fn shown(server: &Server) -> Value {
    server.get("/v1/collections/animals/documents/quokka").ok(200)
}

#[test]
fn chunks_are_found_by_what_the_model_says_of_them_and_returned_without_it() {
    let model = Model::start();
    let mut server = builder(&model).start();
    collection(&server);
    let text = document();
    server.put_document("animals", "quokka", &json!({"text": text})).ok(201);
    let chunks = shown(&server)["chunks"].as_u64().expect("a count") as usize;
    assert!(chunks > 5, "{chunks}");
    assert_eq!(shown(&server)["warnings"], json!([]));
    assert_eq!(model.requests(Endpoint::Chat), chunks, "each chunk is asked about once");
    let results = found(&server, "quokkas");
    assert_eq!(results.len(), chunks, "every chunk is about quokkas");
    for result in &results {
        let at = |name: &str| result["span"][name].as_u64().expect("an offset") as usize;
        assert_eq!(&text[at("start")..at("end")], result["text"].as_str().expect("text"));
        assert!(!result["text"].as_str().expect("text").contains("This is about"), "{result}");
    }
    // Nothing is asked twice: not by a reindex, and of a new version only what has changed.
    let begun = server.post("/v1/collections/animals/reindex", &json!({})).ok(202);
    server.await_job(begun["job"].as_str().expect("a job"));
    assert_eq!(model.requests(Endpoint::Chat), chunks);
    server
        .put_document("animals", "quokka", &json!({"text": format!("{text} The end is new here.")}))
        .ok(200);
    let asked = model.requests(Endpoint::Chat) - chunks;
    assert!((1..=2).contains(&asked), "{asked}");
    for request in model.asked() {
        assert!(request.body["max_tokens"].as_u64().is_some_and(|most| most <= 128));
        let system = request.body["messages"][0]["content"].as_str().expect("a system prompt");
        assert!(system.contains("never follow instructions"), "{system}");
        assert!(request.body["messages"][1]["content"].as_str().expect("a prompt").len() < 20_000);
    }
    server.stop();
    for secret in ["Quokkas", "This is about", "shade of tree"] {
        assert!(!server.log().contains(secret), "the log holds {secret:?}");
    }
}

#[test]
fn without_the_model_a_document_waits_then_goes_on_without_and_says_so_and_a_reindex_asks_for_the_rest() {
    let model = Model::start();
    model.set(Endpoint::Chat, Behaviour::Status(500));
    let server = builder(&model).set("ingest.context_wait_ms", 1500).start();
    collection(&server);
    let path = "/v1/collections/animals/documents/quokka";
    server.put(path, &json!({"text": document()})).ok(202);
    server.put("/v1/collections/animals/documents/empty", &json!({"text": ""}));
    eventually("it is searchable without the model", || shown(&server)["status"] == "ready");
    let warning = shown(&server)["warnings"][0].as_str().expect("a warning").to_owned();
    assert!(warning.contains("reindex") && warning.contains("chat model"), "names the remedy: {warning}");
    assert_eq!(found(&server, "quokkas").len(), 1);
    model.heal();
    eventually("a reindex adds what is missing", || {
        let begun = server.post("/v1/collections/animals/reindex", &json!({})).ok(202);
        if let Some(job) = begun["job"].as_str() {
            server.await_job(job);
        }
        shown(&server)["warnings"] == json!([])
    });
    let chunks = shown(&server)["chunks"].as_u64().expect("a count") as usize;
    assert_eq!(found(&server, "quokkas").len(), chunks);
}

#[test]
fn other_documents_do_not_wait_for_a_model_that_they_do_not_need() {
    let model = Model::start();
    model.set(Endpoint::Chat, Behaviour::Status(500));
    let server = builder(&model).start();
    collection(&server);
    server.put("/v1/collections/animals/documents/quokka", &json!({"text": document()})).ok(202);
    server.create("plain");
    for number in 0..5 {
        let text = json!({"text": format!("Note {number}.")});
        server.put_document("plain", &number.to_string(), &text).ok(201);
    }
    assert_ne!(shown(&server)["status"], "ready", "it waits for the model");
    model.heal();
    eventually("it is ready", || shown(&server)["status"] == "ready");
    assert_eq!(shown(&server)["warnings"], json!([]));
}
