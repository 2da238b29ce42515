use crate::rpc::{LEGACY, MODERN, error, notes, raw, send};
use serde_json::json;

#[test]
fn what_no_tool_or_method_is_called_is_an_error_of_the_protocol() {
    let server = notes();
    for version in [LEGACY, MODERN] {
        let unknown = error(&server, version, "tools/call", json!({"name": "no_such_tool", "arguments": {}}));
        assert_eq!(unknown["code"], -32602, "{unknown}");
        let unknown = error(&server, version, "no/such/method", json!({}));
        assert_eq!(unknown["code"], -32601, "{unknown}");
    }
    assert_eq!(send(&server, MODERN, "no/such/method", json!({})).status, 404);
}

#[test]
fn bodies_that_are_no_message_are_refused_within_bounds() {
    let server = notes();
    let json_headers = [("mcp-protocol-version", LEGACY.to_owned())];
    for body in ["", "{", "[]", "{}", "\"x\"", "{\"jsonrpc\":\"2.0\",\"id\":1}", "\u{0}"] {
        let reply = raw(&server, &json_headers, body);
        assert!((400..500).contains(&reply.status), "{body:?}: {} {}", reply.status, reply.text());
    }
    let deep = "[".repeat(100_000);
    assert!((400..500).contains(&raw(&server, &json_headers, &deep).status));
    let large = format!("{{\"x\":\"{}\"}}", "y".repeat(5 << 20));
    raw(&server, &json_headers, &large).error(413, "payload_too_large");
}

#[test]
fn questions_and_documents_are_in_no_log() {
    let server = crate::support::Server::builder().set("log.level", "debug").start();
    crate::rpc::fill(&server);
    for version in [LEGACY, MODERN] {
        let arguments = json!({"query": "plaintext-canary jumps"});
        send(&server, version, "tools/call", json!({"name": "search", "arguments": arguments})).ok(200);
        send(&server, version, "tools/call", json!({"name": "plaintext-canary", "arguments": {}}));
        send(&server, version, "plaintext-canary", json!({}));
    }
    assert!(!server.log().contains("plaintext-canary"), "{}", server.log());
    assert!(!server.log().contains("quick brown fox"), "{}", server.log());
}
