use super::{KEY, QUESTION, TEXT, question};
use crate::support::{Server, eventually};
use crate::tools::breaker;
use mcp_rag_chaos::model::{Behaviour, Endpoint, Model};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn a_chat_model_that_fails_in_any_way_is_not_asked_for_a_while_and_answers_go_on() {
    let model = Model::start();
    let mut server = Server::builder()
        .set("generator.kind", "openai")
        .set("generator.base_url", model.url())
        .set("generator.model", "tiny-chat")
        .set("generator.first_token_ms", 300)
        .env("MCP_RAG__GENERATOR__API_KEY", KEY)
        .start();
    server.create("facts");
    server.ingest("facts", &[("fox", TEXT)]);
    let ask = || server.post("/v1/answers", &question(&json!({}))).ok(200);
    for fault in [
        Behaviour::Status(500),
        Behaviour::Status(429),
        Behaviour::Garbage,
        Behaviour::Half,
        Behaviour::Silent,
        Behaviour::Slow(Duration::from_secs(5)),
    ] {
        eventually("the model answers", || ask()["model"] == "tiny-chat");
        assert_eq!(breaker(&server, "generator")["state"], "closed");
        model.set(Endpoint::Chat, fault.clone());
        let began = Instant::now();
        eventually("the circuit opens", || {
            let before = model.requests(Endpoint::Chat);
            let answer = ask();
            assert_eq!((&answer["model"], &answer["abstained"]), (&json!("extractive"), &json!(false)));
            let degraded = &answer["degraded"][0];
            assert_eq!(
                (&degraded["stage"], &degraded["fallback"]),
                (&json!("generator"), &json!("extractive")),
                "{fault:?}: {answer}"
            );
            let open = degraded["reason"] == "circuit_open";
            assert_eq!(
                model.requests(Endpoint::Chat) == before,
                open,
                "{fault:?}: an open circuit asks nobody"
            );
            open
        });
        println!("{fault:?}: opened after {:?}", began.elapsed());
        let health = server.get("/health").ok(200);
        assert_eq!(health["checks"]["generator"]["status"], "degraded", "{health}");
        model.heal();
    }
    eventually("the model answers again", || ask()["model"] == "tiny-chat");
    server.stop();
    for secret in [KEY, QUESTION, "brown fox"] {
        assert!(!server.log().contains(secret), "the log holds {secret:?}\n{}", server.log());
    }
}

#[test]
fn a_silent_model_counts_as_away_also_where_only_the_time_of_a_whole_answer_is_set() {
    let model = Model::start();
    let mut server = super::server(super::builder(&model).set("generator.timeout_ms", 500));
    model.set(Endpoint::Chat, Behaviour::Silent);
    eventually("the circuit opens", || {
        let answer = server.post("/v1/answers", &question(&json!({}))).ok(200);
        answer["degraded"][0]["reason"] == "circuit_open"
    });
    server.stop();
}
