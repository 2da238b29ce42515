//! Quotas, end to end: the real binary, its managed PostgreSQL or one that several servers share, a real Redis, and a
//! chat model's API on a real socket.

#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "what only other tests use")]
mod support;

mod limits;
mod shared;
mod tokens;

use reqwest::Method;
use serde_json::{Value, json};
use support::{Reply, Server};

const TOKEN: &str = "operator-token-for-tests";

/// A key of the operator's tenant with limits of its own: its id and secret.
#[track_caller]
fn key(server: &Server, limits: &Value) -> (String, String) {
    let body = json!({"name": "limited", "scopes": ["search", "ingest"], "limits": limits});
    let made = server.post("/v1/keys", &body).ok(201);
    assert_eq!(&made["limits"], limits);
    let text = |name: &str| made[name].as_str().expect("text").to_owned();
    (text("id"), text("secret"))
}

/// A request with this credential alone.
fn send(server: &Server, method: Method, path: &str, credential: &str, body: Option<&Value>) -> Reply {
    let client = reqwest::blocking::Client::new();
    let request = client.request(method, format!("{}{path}", server.url())).bearer_auth(credential);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    Reply::read(request.send().expect("an answer"))
}

fn ask(server: &Server, credential: &str, question: &str) -> Reply {
    send(server, Method::POST, "/v1/answers", credential, Some(&json!({"question": question})))
}

/// A counter with these labels, in the order in which they are written.
fn counter(server: &Server, line: &str) -> u64 {
    let text = server.admin("/metrics").text();
    text.lines().find_map(|text| text.strip_prefix(line)?.trim().parse().ok()).unwrap_or(0)
}
