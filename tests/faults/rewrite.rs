//! A chat model that rewrites queries, and one that does not.

use crate::support::{Server, ids};
use mcp_rag_chaos::model::{Behaviour, Endpoint, Model, Reply};
use serde_json::json;
use std::time::{Duration, Instant};

fn server(model: &Model) -> Server {
    let server = Server::builder()
        .set("generator.kind", "openai")
        .set("generator.base_url", model.url())
        .set("generator.model", "tiny-chat")
        .set("search.rewrite_timeout_ms", 500)
        .start();
    server.create("facts");
    server.ingest(
        "facts",
        &[
            ("fox", "The brown fox jumps over the lazy dog every morning."),
            ("tax", "Value added tax is due by the tenth of each month."),
            ("ant", "Ants follow trails of scent back to the colony."),
        ],
    );
    server
}

#[test]
fn the_models_queries_are_searched_beside_the_given_one_and_shown() {
    let model = Model::start();
    let mut server = server(&model);
    model.next(Reply::whole(&["1. value added ", "tax due date\n2. \"VAT deadline\"\n"]));
    let found = server.search(&json!({"query": "VAT when", "mode": "lexical", "rewrite": true}));
    assert_eq!(ids(&found), ["tax"], "the given words alone are in no document");
    assert_eq!(found["queries"], json!(["VAT when", "value added tax due date", "VAT deadline"]));
    assert_eq!(found["degraded"], json!([]));
    let asked = model.asked();
    assert_eq!(asked[0].body["messages"][1]["content"], "VAT when");
    // The same again needs no model, and neither does the next page.
    let again = server.search(&json!({"query": "VAT when", "mode": "lexical", "rewrite": true}));
    assert_eq!((&again["cached"], &again["queries"]), (&json!(true), &found["queries"]));
    model.next(Reply::whole(&["morning animals\n"]));
    let body = json!({"query": "dog", "mode": "dense", "rewrite": true, "top_k": 1});
    let first = server.search(&body);
    let before = model.requests(Endpoint::Chat);
    let mut next = body.clone();
    next["cursor"] = first["next_cursor"].clone();
    let second = server.search(&next);
    assert_eq!(second["queries"], first["queries"]);
    assert_ne!(ids(&second), ids(&first));
    assert_eq!(model.requests(Endpoint::Chat), before);
    server.stop();
    for secret in ["VAT when", "value added", "morning animals"] {
        assert!(!server.log().contains(secret), "the log holds {secret:?}");
    }
}

#[test]
fn while_the_model_is_away_the_given_query_is_searched_in_time_and_the_response_says_so() {
    let model = Model::start();
    let mut server = server(&model);
    for behaviour in [Behaviour::Status(500), Behaviour::Silent, Behaviour::Garbage] {
        model.set(Endpoint::Chat, behaviour.clone());
        let query = format!("lazy dog {behaviour:?}");
        let began = Instant::now();
        let found = server.search(&json!({"query": query, "rewrite": true}));
        assert!(began.elapsed() < Duration::from_secs(3), "{behaviour:?}: {:?}", began.elapsed());
        assert_eq!(ids(&found)[0], "fox");
        let away = &found["degraded"][0];
        assert_eq!(
            (&away["stage"], &away["fallback"]),
            (&json!("generator"), &json!("original_query")),
            "{found}"
        );
        assert!(found.get("queries").is_none());
        server
            .post("/v1/search", &json!({"query": query, "rewrite": true, "degrade": "forbid"}))
            .error(503, "degraded");
    }
    model.heal();
    server.stop();
}

#[test]
fn without_a_chat_model_nothing_is_rewritten_and_the_response_says_so() {
    let server = Server::start();
    server.create("facts");
    server.ingest("facts", &[("fox", "The brown fox jumps.")]);
    let found = server.search(&json!({"query": "fox", "rewrite": true}));
    assert_eq!(ids(&found), ["fox"]);
    assert_eq!(found["degraded"][0]["reason"], "not_configured", "{found}");
}
