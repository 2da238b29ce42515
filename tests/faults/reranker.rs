//! A reranking model that orders results, fails in every way, and comes back.

use crate::support::{Builder, Server, eventually};
use crate::tools::{breaker, document};
use mcp_rag_chaos::model::{Behaviour, Endpoint, Model};
use serde_json::{Value, json};
use std::time::Duration;

fn builder(model: &Model) -> Builder {
    Server::builder()
        .set("reranker.kind", "cohere")
        .set("reranker.base_url", model.url())
        .set("reranker.model", "common-words")
        .set("reranker.timeout_ms", 400)
        .env("MCP_RAG__RERANKER__API_KEY", "sk-test-4f1c9d2e7b")
}

fn filled(builder: Builder) -> Server {
    let server = builder.start();
    server.create("kept");
    server.ingest_json("kept", &(0..40).map(|n| document(n, 0)).collect::<Vec<_>>());
    server
}

fn search(server: &Server, query: &str, rerank: bool) -> Value {
    server.search(&json!({"query": query, "collections": ["kept"], "top_k": 5, "rerank": rerank}))
}

fn scores(found: &Value) -> Vec<f64> {
    let results = found["results"].as_array().expect("results");
    results.iter().filter_map(|one| one["scores"]["rerank"].as_f64()).collect()
}

#[test]
fn a_reranker_chooses_the_best_of_more_candidates_than_are_asked_for() {
    let model = Model::start();
    let mut server = filled(builder(&model).set("reranker.candidates", 30));
    let query = "which satellite measures the weather maps";
    let found = search(&server, query, true);
    let ranked = scores(&found);
    assert_eq!((ranked.len(), &found["degraded"]), (5, &json!([])), "{found}");
    assert!(ranked.is_sorted_by(|one, other| one >= other), "{ranked:?}");
    assert!(ranked[0] > 0.0);
    let asked = model.asked();
    let last = asked.last().expect("it was asked");
    assert_eq!(last.line, "POST /v1/rerank HTTP/1.1");
    assert_eq!(last.authorization, "Bearer sk-test-4f1c9d2e7b");
    assert_eq!((&last.body["model"], &last.body["query"]), (&json!("common-words"), &json!(query)));
    assert_eq!(last.body["documents"].as_array().map(Vec::len), Some(30));
    // What was not asked for is not done.
    let plain = search(&server, query, false);
    assert_eq!((scores(&plain), model.requests(Endpoint::Rerank)), (vec![], 1));
    // Answers may be built from reranked passages too.
    let answer = json!({"question": query, "collections": ["kept"], "rerank": true});
    assert_eq!(server.post("/v1/answers", &answer).ok(200)["degraded"], json!([]));
    assert_eq!(model.requests(Endpoint::Rerank), 2);
    server.stop();
}

#[test]
fn a_reranker_that_fails_in_any_way_leaves_the_fused_order() {
    let model = Model::start();
    let mut server = filled(builder(&model));
    let mut asked = 0;
    let mut ask = |rerank| {
        asked += 1;
        search(&server, &format!("the orchard describes apples {}", asked / 2), rerank)
    };
    for fault in [
        Behaviour::Status(500),
        Behaviour::Status(429),
        Behaviour::Garbage,
        Behaviour::Half,
        Behaviour::Silent,
        Behaviour::Slow(Duration::from_secs(5)),
    ] {
        eventually("it reranks", || ask(true)["degraded"] == json!([]));
        assert_eq!(breaker(&server, "reranker")["state"], "closed");
        model.set(Endpoint::Rerank, fault.clone());
        let mut reason = Value::Null;
        eventually("the circuit opens", || {
            let found = ask(true);
            let degraded = &found["degraded"][0];
            assert_eq!(
                (&degraded["stage"], &degraded["fallback"]),
                (&json!("reranker"), &json!("fused_order")),
                "{fault:?}: {found}"
            );
            assert_eq!((scores(&found), found["results"].as_array().map(Vec::len)), (vec![], Some(5)));
            reason = degraded["reason"].clone();
            reason == "circuit_open"
        });
        let forbidden = json!({"query": format!("{fault:?}"), "rerank": true, "degrade": "forbid"});
        let error = server.post("/v1/search", &forbidden).error(503, "degraded");
        assert!(error["message"].as_str().is_some_and(|message| message.contains("reranker")), "{error}");
        let before = model.requests(Endpoint::Rerank);
        assert_eq!(breaker(&server, "reranker")["state"], "open", "{fault:?}");
        assert_eq!(model.requests(Endpoint::Rerank), before);
        model.heal();
    }
    eventually("it reranks again", || ask(true)["degraded"] == json!([]));
    server.stop();
    assert!(!server.log().contains("sk-test-4f1c9d2e7b"), "{}", server.log());
}
