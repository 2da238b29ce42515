use super::issuer::Issuer;
use super::sign::Signer;
use super::{list, refused, with};
use crate::support::{Reply, Server};
use serde_json::{Value, json};

const RESOURCE: &str = "https://rag.example.com/mcp";
const METADATA: &str =
    "resource_metadata=\"https://rag.example.com/.well-known/oauth-protected-resource/mcp\"";

fn call(server: &Server, token: &str, method: &str, params: &Value) -> Reply {
    let client = reqwest::blocking::Client::new();
    let request = client
        .post(format!("{}/mcp", server.url()))
        .bearer_auth(token)
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2025-11-25");
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    Reply::read(request.body(body.to_string()).send().expect("an answer"))
}

#[test]
fn access_tokens_for_the_resource_work_at_mcp_and_others_are_told_where_to_get_one() {
    let signer = Signer::p256("1");
    let issuer = Issuer::start(&[&signer]);
    let server = with(&issuer)
        .set("mcp.public_url", "https://rag.example.com")
        .set("mcp.authorization_servers", super::ISSUER)
        .start();
    let tools = |token: &str| call(&server, token, "tools/list", &json!({}));
    let access = signer.token(&json!({"aud": RESOURCE}));
    let listed = tools(&access).ok(200);
    assert_eq!(listed["result"]["tools"].as_array().expect("tools").len(), 4, "those of its scope: {listed}");
    // What was issued for the resource is good for nothing else; what is for the whole server is good here too.
    refused(&server, &access, "another audience");
    tools(&signer.token(&json!({}))).ok(200);

    for (changes, reason) in [
        (json!({"aud": "https://other.example.com/mcp"}), "another audience"),
        (json!({"aud": RESOURCE, "exp": 1}), "expired"),
    ] {
        let reply = tools(&signer.token(&changes));
        let challenge = reply.header("www-authenticate").to_owned();
        let error = reply.error(401, "invalid_token");
        assert!(error["message"].as_str().expect("a message").contains(reason), "{error}");
        for part in ["Bearer error=\"invalid_token\"", METADATA] {
            assert!(challenge.contains(part), "{challenge}");
        }
    }
    let put =
        json!({"name": "ingest_document", "arguments": {"collection": "a", "external_id": "b", "text": "c"}});
    let reply = call(&server, &access, "tools/call", &put);
    let challenge = reply.header("www-authenticate").to_owned();
    reply.error(403, "forbidden");
    assert!(
        challenge.contains("error=\"insufficient_scope\"") && challenge.contains(METADATA),
        "{challenge}"
    );
    list(&server, super::TOKEN).ok(200);
}
