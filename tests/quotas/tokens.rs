//! Tokens of the chat model: budgets of a day that outlive the server, and what happens when they are used up.

use crate::support::{Reply, Server, eventually};
use crate::{TOKEN, key, send};
use mcp_rag_chaos::model::{Model, Reply as Said};
use reqwest::Method;
use serde_json::{Value, json};

const TEXT: &str = "The brown fox jumps over the lazy dog every morning.";
const QUESTION: &str = "What does the brown fox jump over every morning?";

fn ask(server: &Server, credential: &str, extra: &Value) -> Reply {
    let mut question = json!({"question": QUESTION, "collections": ["facts"]});
    for (name, value) in extra.as_object().into_iter().flatten() {
        question[name] = value.clone();
    }
    send(server, Method::POST, "/v1/answers", credential, Some(&question))
}

fn written(server: &Server, holder: &str) -> i64 {
    let sql = format!("SELECT coalesce(sum(tokens), 0)::text FROM llm_usage WHERE holder = '{holder}'");
    let rows = server.sql("mcp_rag_owner", &sql).expect("readable");
    rows[0][0].as_deref().and_then(|text| text.parse().ok()).expect("a number")
}

#[test]
fn a_used_up_budget_makes_answers_extractive_or_refuses_them_and_a_restart_forgets_nothing() {
    let model = Model::start();
    let mut server = Server::builder()
        .token(TOKEN)
        .set("generator.kind", "openai")
        .set("generator.base_url", model.url())
        .set("generator.model", "tiny-chat")
        .start();
    server.create("facts");
    server.ingest("facts", &[("fox", TEXT)]);
    // The model reports 144 tokens for each reply.
    let (id, secret) = key(&server, &json!({"llm_tokens_per_day": 200}));
    let (other, plenty) = key(&server, &json!({}));
    for _ in 0..2 {
        model.next(Said::whole(&["The brown fox jumps over the lazy dog [1]."]));
        let answer = ask(&server, &secret, &json!({})).ok(200);
        assert_eq!((&answer["model"], &answer["degraded"]), (&json!("tiny-chat"), &json!([])), "{answer}");
    }
    let used_up = json!([{"stage": "generator", "reason": "key_tokens_used_up", "fallback": "extractive"}]);
    let extractive = |server: &Server| {
        let answer = ask(server, &secret, &json!({})).ok(200);
        assert_eq!((&answer["model"], &answer["degraded"]), (&json!("extractive"), &used_up), "{answer}");
        assert!(answer["answer"].as_str().expect("text").contains("lazy dog"), "{answer}");
        let refused = ask(server, &secret, &json!({"degrade": "forbid"}));
        let error = refused.error(429, "rate_limited");
        assert!(error["message"].as_str().expect("text").contains("until midnight"), "{error}");
        let wait: u64 = refused.header("retry-after").parse().expect("seconds");
        assert!((1..=86_400).contains(&wait), "{wait}");
        let rewritten = json!({"query": QUESTION, "rewrite": true, "collections": ["facts"]});
        let found = send(server, Method::POST, "/v1/search", &secret, Some(&rewritten)).ok(200);
        assert_eq!(found["degraded"][0]["fallback"], "original_query", "{found}");
    };
    extractive(&server);
    eventually("it is written down", || written(&server, &id) == 288 && written(&server, "") == 288);
    let asked = model.asked().len();
    server.restart();
    extractive(&server);
    assert_eq!(model.asked().len(), asked, "nothing is asked that nobody may pay");

    // Nobody else is concerned; who leaves in the middle pays for what was written until then.
    model.next(Said::silence(&["The brown fox jumps over the lazy dog [1]. ", "And "]));
    let client = reqwest::blocking::Client::new();
    let body = json!({"question": QUESTION, "collections": ["facts"], "stream": true});
    let stream = client.post(format!("{}/v1/answers", server.url())).bearer_auth(&plenty).json(&body);
    let mut stream = stream.send().expect("a stream");
    let mut read = String::new();
    while !read.contains("event: delta") {
        let mut piece = [0; 512];
        let length = std::io::Read::read(&mut stream, &mut piece).expect("a piece");
        assert!(length > 0, "{read}");
        read.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    drop(stream);
    eventually("what was used is written down", || (20..400).contains(&written(&server, &other)));

    // The tenant's budget holds for all of its keys.
    let mut server = server.restarted_with(&[
        ("quotas.tenant.llm_tokens_per_day", "300"),
        ("generator.kind", "openai"),
        ("generator.base_url", &model.url()),
        ("generator.model", "tiny-chat"),
    ]);
    model.heal();
    eventually("the tenant's tokens are used up", || {
        let answer = ask(&server, &plenty, &json!({})).ok(200);
        answer["degraded"][0]["reason"] == "tenant_tokens_used_up"
    });
    server.stop();
}
