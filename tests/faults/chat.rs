//! A chat model that answers, invents, fails in every way, and is let go when nobody listens.

mod breaker;
mod context;
mod failures;
mod streams;

use crate::support::{Builder, Server};
use mcp_rag_chaos::model::{Model as Api, Reply};
use serde_json::{Value, json};

const KEY: &str = "sk-test-4f1c9d2e7b";
const TEXT: &str = "The brown fox jumps over the lazy dog every morning. The harbour of Genoa opened in 1893. \
                    Its lighthouse is made of white granite.";
const QUESTION: &str = "What does the brown fox jump over every morning?";

fn builder(api: &Api) -> Builder {
    Server::builder()
        .set("generator.kind", "openai")
        .set("generator.base_url", api.url())
        .set("generator.model", "tiny-chat")
        .env("MCP_RAG__GENERATOR__API_KEY", KEY)
}

/// A server with one document, answering through the chat model.
fn server(builder: Builder) -> Server {
    let server = builder.start();
    server.create("facts");
    server.ingest("facts", &[("fox", TEXT)]);
    server
}

fn question(extra: &Value) -> Value {
    let mut question = json!({"question": QUESTION, "collections": ["facts"]});
    for (key, value) in extra.as_object().into_iter().flatten() {
        question[key] = value.clone();
    }
    question
}

/// An answer that says something true, something unsupported and something from nowhere.
fn mixed() -> Reply {
    Reply::whole(&[
        "The brown fox jumps over the ",
        "lazy dog [",
        "1].",
        " Pirates painted the harbour green [1].",
        " Mars is red [9].",
    ])
}
