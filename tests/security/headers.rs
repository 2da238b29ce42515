//! What a browser is told: which pages may call, and what to do with an answer.

use crate::support::{Builder, Reply, Server};
use mcp_rag_chaos::tls::Authority;
use reqwest::Method;
use serde_json::json;

const PAGE: &str = "https://app.example.com";
const ALLOWED: &str = "access-control-allow-origin";

fn preflight(server: &Server, path: &str, origin: &str) -> Reply {
    let url = format!("{}{path}", server.url());
    let client = reqwest::blocking::Client::builder().no_proxy().build().expect("a client");
    let asked = client.request(Method::OPTIONS, url).header("origin", origin);
    let asked = asked.header("access-control-request-method", "POST");
    let asked = asked.header("access-control-request-headers", "authorization,content-type,x-stainless-os");
    Reply::read(asked.send().expect("an answer"))
}

fn guarded() -> Builder {
    Server::builder().token("the operator's")
}

#[test]
fn no_page_of_another_origin_may_call_unless_it_is_named() {
    let server = guarded().start();
    for path in ["/v1/search", "/v1/chat/completions", "/mcp", "/health", "/openapi.json"] {
        let reply = preflight(&server, path, PAGE);
        assert!(!reply.headers.contains_key(ALLOWED) && reply.status >= 400, "{path}: {reply:?}");
    }
    let asked = server.request(Method::GET, "/v1/collections").header("origin", PAGE);
    let reply = Reply::read(asked.send().expect("an answer"));
    assert_eq!(reply.status, 200);
    assert!(!reply.headers.keys().any(|name| name.as_str().starts_with("access-control")), "{reply:?}");
}

#[test]
fn a_named_page_may_call_and_no_other() {
    let server = guarded()
        .set("server.cors.allowed_origins", format!("{PAGE},http://localhost:5173"))
        .set("mcp.allowed_origins", "https://agent.example.com:443")
        .start();
    for origin in [PAGE, "http://localhost:5173"] {
        let reply = preflight(&server, "/v1/search", origin);
        assert_eq!((reply.status, reply.header(ALLOWED)), (200, origin), "{reply:?}");
        assert!(reply.header("access-control-allow-methods").contains("PATCH"), "{reply:?}");
        assert!(reply.header("access-control-allow-headers").contains("x-stainless-os"), "{reply:?}");
        assert_eq!(reply.header("access-control-allow-credentials"), "", "no cookie is ever looked at");
        assert!(reply.header("vary").to_ascii_lowercase().contains("origin"), "{reply:?}");
    }
    for origin in [
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "null",
        "https://agent.example.com",
    ] {
        let reply = preflight(&server, "/v1/search", origin);
        assert!(!reply.headers.contains_key(ALLOWED) && reply.status == 400, "{origin}: {reply:?}");
    }
    assert_eq!(
        preflight(&server, "/mcp", "https://agent.example.com").header(ALLOWED),
        "https://agent.example.com"
    );
    assert!(!preflight(&server, "/mcp", PAGE).headers.contains_key(ALLOWED));
    // A page has to be able to read why it was refused.
    let search = |token: &str| {
        let body = json!({"query": "fox", "collections": ["none"]});
        let client = reqwest::blocking::Client::builder().no_proxy().build().expect("a client");
        let asked =
            client.post(format!("{}/v1/search", server.url())).header("origin", PAGE).bearer_auth(token);
        Reply::read(asked.json(&body).send().expect("an answer"))
    };
    for (token, status) in [("the operator's", 404), ("another", 401)] {
        let reply = search(token);
        assert_eq!((reply.status, reply.header(ALLOWED)), (status, PAGE), "{reply:?}");
        assert!(reply.header("access-control-expose-headers").contains("x-request-id"), "{reply:?}");
    }
    for wrong in ["*", "app.example.com", "https://app.example.com/", "https://*.example.com"] {
        let (code, said) = guarded().set("server.cors.allowed_origins", wrong).start_refused();
        assert!(code == Some(78) && said.contains("server.cors.allowed_origins"), "{wrong}: {said}");
    }
}

#[test]
fn without_a_credential_no_page_but_this_machines_own_is_answered() {
    let server = Server::builder().set("server.cors.allowed_origins", PAGE).start();
    let asked = |header: &str, value: &str| {
        let body = r#"{"name":"made-by-a-page"}"#; // as a form sends it, without asking first
        let asked =
            server.request(Method::POST, "/v1/collections").header("content-type", "text/plain").body(body);
        let reply = Reply::read(asked.header(header, value).send().expect("an answer"));
        if reply.status == 201 {
            server.delete("/v1/collections/made-by-a-page").ok(200);
        }
        reply.status
    };
    for origin in [
        "https://evil.example",
        "null",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example:8080",
    ] {
        assert_eq!(asked("origin", origin), 403, "{origin}");
    }
    for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example"] {
        assert_eq!(asked("host", host), 403, "{host}: a name that leads here since a moment ago");
    }
    for (header, value) in [
        ("origin", "http://localhost:3000"),
        ("origin", PAGE),
        ("host", "localhost:8080"),
        ("host", "[::1]:80"),
    ] {
        assert_eq!(asked(header, value), 201, "{header} {value}");
    }
    // Where a credential is needed, that is what protects, under any name.
    let server = guarded().start();
    let asked = server.request(Method::GET, "/v1/collections").header("host", "rag.example.com");
    assert_eq!(asked.send().expect("an answer").status(), 200);
}

#[track_caller]
fn protected(reply: &Reply, what: &str) {
    let expected = [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
        ("referrer-policy", "no-referrer"),
    ];
    for (name, value) in expected {
        assert_eq!(reply.header(name), value, "{what}: {reply:?}");
        assert_eq!(reply.headers.get_all(name).iter().count(), 1, "{what}: {reply:?}");
    }
}

#[test]
fn every_answer_says_that_it_is_not_to_be_kept_guessed_at_or_framed() {
    let authority = Authority::new("ours");
    let pair = authority.issue("right", &["127.0.0.1"]);
    let server = guarded().tls(&pair.cert, &pair.key, &authority.file()).start();
    server.create("kept");
    server.ingest("kept", &[("page", "<script>alert(1)</script>")]);
    let document = Server::document_path("kept", "page");
    let stranger = |path: &str| server.get(path);
    let answers = [
        ("found", server.post("/v1/search", &json!({"query": "script", "collections": ["kept"]}))),
        ("a document as it is", server.get(&format!("{document}/content"))),
        ("a key", server.post("/v1/keys", &json!({"name": "one", "scopes": ["search"]}))),
        ("no such route", server.get("/v1/nothing")),
        ("a bad body", server.send(Method::POST, "/v1/search", "application/json", "{")),
        (
            "too large a body",
            server.send(Method::POST, "/v1/search", "application/json", vec![b' '; 300_000]),
        ),
        ("MCP", server.post("/mcp", &json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}))),
        ("a probe", server.get("/health/ready")),
        ("the OpenAPI document", stranger("/openapi.json")),
        ("nowhere", stranger("/nowhere")),
    ];
    for (what, reply) in &answers {
        protected(reply, what);
        assert_eq!(reply.header("strict-transport-security"), "max-age=31536000", "{what}");
    }
    assert_eq!(answers[1].1.header("content-type"), "text/plain; charset=utf-8");
    let plain = server.admin("/metrics");
    protected(&plain, "metrics");
    assert!(!plain.headers.contains_key("strict-transport-security"), "only what came over TLS says so");
    let docs = server.get("/docs");
    let policy = docs.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}
