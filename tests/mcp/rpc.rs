//! JSON-RPC over HTTP by hand, in both eras of the protocol.

use crate::support::{Reply, Server};
use reqwest::Method;
use serde_json::{Value, json};

pub(crate) const LEGACY: &str = "2025-11-25";
pub(crate) const MODERN: &str = "2026-07-28";

/// What a client of 2026-07-28 says of itself with every request.
fn of_client() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// One message, with the headers of its era.
pub(crate) fn send(server: &Server, version: &str, method: &str, mut params: Value) -> Reply {
    let mut headers = vec![("mcp-protocol-version", version.to_owned())];
    if version == MODERN {
        if params.is_null() {
            params = json!({});
        }
        params["_meta"] = of_client();
        headers.push(("mcp-method", method.to_owned()));
        if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
            headers.push(("mcp-name", name.to_owned()));
        }
    }
    let mut body = json!({"jsonrpc": "2.0", "id": 1, "method": method});
    if !params.is_null() {
        body["params"] = params;
    }
    raw(server, &headers, &body.to_string())
}

pub(crate) fn raw(server: &Server, headers: &[(&str, String)], body: &str) -> Reply {
    let mut request = server
        .request(Method::POST, "/mcp")
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    Reply::read(request.body(body.to_owned()).send().expect("an answer"))
}

/// The result of a request that must succeed, in the older era.
#[track_caller]
pub(crate) fn result(server: &Server, method: &str, params: Value) -> Value {
    let answer = send(server, LEGACY, method, params).ok(200);
    assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(1)), "{answer}");
    assert!(answer.get("error").is_none(), "{answer}");
    answer["result"].clone()
}

/// The JSON-RPC error of a request that must fail.
#[track_caller]
pub(crate) fn error(server: &Server, version: &str, method: &str, params: Value) -> Value {
    let answer = send(server, version, method, params).json();
    assert!(answer["error"].is_object(), "{answer}");
    answer["error"].clone()
}

/// What a tool gives, whose one text must be its structured content.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
pub(crate) fn call(server: &Server, tool: &str, arguments: Value) -> Value {
    let result = result(server, "tools/call", json!({"name": tool, "arguments": arguments}));
    assert_ne!(result["isError"], true, "{result}");
    let [content] = result["content"].as_array().expect("content").as_slice() else {
        panic!("not one content item: {result}");
    };
    assert_eq!(content["type"], "text");
    let text: Value = serde_json::from_str(content["text"].as_str().expect("text")).expect("JSON");
    assert_eq!(text, result["structuredContent"]);
    text
}

/// What a tool says is wrong.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
pub(crate) fn refusal(server: &Server, tool: &str, arguments: Value) -> Value {
    let result = result(server, "tools/call", json!({"name": tool, "arguments": arguments}));
    assert_eq!(result["isError"], true, "{result}");
    assert!(result.get("structuredContent").is_none(), "an error is not of the output schema: {result}");
    let error: Value =
        serde_json::from_str(result["content"][0]["text"].as_str().expect("text")).expect("JSON");
    error["error"].clone()
}

/// Three documents in `notes`.
pub(crate) fn notes() -> Server {
    let server = Server::start();
    fill(&server);
    server
}

pub(crate) fn fill(server: &Server) {
    server.create("notes");
    server.ingest_json(
        "notes",
        &[
            json!({"external_id": "fox", "title": "Fox", "uri": "https://example.com/fox",
                "text": "The quick brown fox jumps over the lazy dog.", "attributes": {"lang": "en"}}),
            json!({"external_id": "dir/a tide.md", "text": "The harbour records the tides twice a day."}),
            json!({"external_id": "bees", "title": "Bees", "text": "Bees dance to tell where flowers are."}),
        ],
    );
}
