//! Completions that a chat model writes.

use crate::run::{TOKEN, node, python, run};
use crate::support::Server;
use mcp_rag_chaos::model::{Model as Api, Reply};
use serde_json::{Value, json};

const TEXT: &str =
    "The brown fox jumps over the lazy dog every morning. The harbour of Genoa opened in 1893.";
const QUESTION: &str = "What does the brown fox jump over every morning?";

fn server(api: &Api) -> Server {
    let server = Server::builder()
        .token(TOKEN)
        .set("generator.kind", "openai")
        .set("generator.base_url", api.url())
        .set("generator.model", "tiny-chat")
        .start();
    server.create("facts");
    server.ingest("facts", &[("fox", TEXT)]);
    server
}

fn ask(server: &Server, messages: &Value) -> Value {
    let body = json!({"model": "mcp-rag/facts", "messages": messages, "max_tokens": 77});
    server.post("/v1/chat/completions", &body).ok(200)
}

#[test]
fn the_chat_model_is_shown_the_conversation_and_its_usage_is_told() {
    let api = Api::start();
    let mut server = server(&api);
    api.next(Reply::whole(&["The brown fox jumps over the ", "lazy dog [1].", " Mars is red [9]."]));
    let completion = ask(
        &server,
        &json!([
            {"role": "system", "content": "Answer like a pirate."},
            {"role": "user", "content": "Do you know a fox?"},
            {"role": "assistant", "content": "I do."},
            {"role": "user", "content": QUESTION},
        ]),
    );
    let message = &completion["choices"][0]["message"];
    assert_eq!(message["content"], "The brown fox jumps over the lazy dog [1]. Mars is red .");
    assert_eq!(message["annotations"].as_array().map(Vec::len), Some(1), "{completion}");
    assert_eq!(message["annotations"][0]["url_citation"]["quote"], "The brown fox jumps over the lazy dog");
    let usage = json!({"prompt_tokens": 120, "completion_tokens": 24, "total_tokens": 144});
    assert_eq!(completion["usage"], usage);
    let extra = &completion["mcp_rag"];
    assert_eq!((&extra["answered_by"], &extra["removed_citations"]), (&json!("tiny-chat"), &json!(1)));

    let asked = api.asked();
    let body = &asked.last().expect("asked").body;
    let said: Vec<(&str, &str)> = body["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| (message["role"].as_str().unwrap_or(""), message["content"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(
        said.iter().map(|(role, _)| *role).collect::<Vec<_>>(),
        ["system", "user", "assistant", "user"]
    );
    assert!(said[0].1.contains("Answer like a pirate.") && said[3].1.contains(QUESTION), "{said:?}");
    assert_eq!((said[1].1, said[2].1), ("Do you know a fox?", "I do."));
    assert_eq!(body["max_tokens"], 77);
    server.stop();
    for secret in [QUESTION, "pirate", "Do you know", TOKEN] {
        assert!(!server.log().contains(secret), "the log holds {secret:?}\n{}", server.log());
    }
}

#[test]
fn a_stream_that_is_cut_in_the_middle_raises_the_clients_own_error() {
    let api = Api::start();
    let mut server = server(&api);
    let cut = || api.next(Reply::cut(&["The brown fox jumps ", "over the "]));
    cut();
    run(python(&server, "cut.py"));
    for package in ["openai6", "openai7"] {
        cut();
        run(node(&server, package, "cut.mjs"));
    }
    // A model that fails before its first word costs nothing but its words.
    api.next(Reply::Status(500));
    let completion = ask(&server, &json!([{"role": "user", "content": QUESTION}]));
    assert_eq!(completion["mcp_rag"]["degraded"][0]["stage"], "generator", "{completion}");
    let content = completion["choices"][0]["message"]["content"].as_str().unwrap_or_default();
    assert!(content.contains("lazy dog"), "{completion}");
    let own = completion["usage"]["completion_tokens"].as_i64();
    assert!(own > Some(3), "without a model we count ourselves: {completion}");
    server.stop();
}
