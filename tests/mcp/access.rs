use crate::rpc::{LEGACY, send};
use crate::support::{Reply, Server};
use serde_json::{Value, json};

const TOKEN: &str = "correct-horse-battery-staple";

fn post(server: &Server, headers: &[(&str, &str)]) -> Reply {
    let client = reqwest::blocking::Client::new();
    let mut request = client
        .post(format!("{}/mcp", server.url()))
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", LEGACY);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    Reply::read(request.body(list.to_string()).send().expect("an answer"))
}

#[test]
fn without_a_credential_nothing_is_read_and_the_client_is_told_where_to_get_one() {
    let server = Server::builder()
        .token(TOKEN)
        .set("mcp.public_url", "https://rag.example.com")
        .set("mcp.authorization_servers", "https://login.example.com")
        .start();
    for headers in [&[][..], &[("authorization", "Bearer wrong")], &[("x-api-key", "wrong")]] {
        let reply = post(&server, headers);
        reply.error(401, "unauthorized");
        assert_eq!(
            reply.header("www-authenticate"),
            "Bearer resource_metadata=\"https://rag.example.com/.well-known/oauth-protected-resource/mcp\""
        );
    }
    post(&server, &[("authorization", &format!("Bearer {TOKEN}"))]).ok(200);
    let client = reqwest::blocking::Client::new();
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        let metadata =
            Reply::read(client.get(format!("{}{path}", server.url())).send().expect("an answer")).ok(200);
        assert_eq!(metadata["resource"], "https://rag.example.com/mcp");
        assert_eq!(metadata["authorization_servers"], json!(["https://login.example.com"]));
        assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
        assert_eq!(metadata["scopes_supported"], json!(["search", "ingest"]));
    }
    // REST says what it always said.
    let reply =
        Reply::read(client.get(format!("{}/v1/collections", server.url())).send().expect("an answer"));
    assert_eq!(reply.header("www-authenticate"), "Bearer");
}

#[test]
fn without_an_authorization_server_there_is_no_metadata() {
    let server = Server::builder().token(TOKEN).start();
    let reply = post(&server, &[]);
    reply.error(401, "unauthorized");
    assert_eq!(reply.header("www-authenticate"), "Bearer");
    server.get("/.well-known/oauth-protected-resource").error(404, "not_found");
}

#[test]
fn web_pages_and_other_names_are_kept_out_unless_they_are_allowed() {
    let server = Server::start();
    let port = server.port();
    for origin in ["https://evil.example", "null", "http://localhost.evil.example:1", "nonsense"] {
        assert_eq!(post(&server, &[("origin", origin)]).status, 403, "{origin}");
    }
    assert_eq!(
        post(&server, &[("host", "evil.example")]).status,
        403,
        "a name that was bound to this address"
    );
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        post(&server, &[("host", &host)]).ok(200);
    }
    drop(server);
    let server = Server::builder()
        .set("mcp.allowed_hosts", "rag.example.com")
        .set("mcp.allowed_origins", "https://app.example.com:443")
        .start();
    post(&server, &[("host", "rag.example.com"), ("origin", "https://app.example.com")]).ok(200);
    assert_eq!(
        post(&server, &[("host", "rag.example.com"), ("origin", "http://app.example.com")]).status,
        403
    );
    assert_eq!(post(&server, &[]).status, 403, "what was named replaces the default");
    drop(server);
    // Who needs a credential to enter may call the server what it likes.
    let server = Server::builder().token(TOKEN).start();
    let bearer = format!("Bearer {TOKEN}");
    post(&server, &[("host", "rag.cluster.local"), ("authorization", &bearer)]).ok(200);
    for origin in ["https://evil.example", "http://localhost:6274"] {
        assert_eq!(post(&server, &[("origin", origin), ("authorization", &bearer)]).status, 403);
    }
}

#[test]
fn settings_that_would_protect_less_than_they_seem_to_are_refused() {
    for (key, value) in [
        ("mcp.allowed_origins", "https://app.example.com"),
        ("mcp.allowed_origins", "*"),
        ("mcp.public_url", "rag.example.com"),
        ("mcp.public_url", "https://rag.example.com/"),
        ("mcp.authorization_servers", "https://login.example.com"),
        ("mcp.max_request_bytes", "1"),
    ] {
        let (code, said) = Server::builder().set(key, value).start_refused();
        assert_eq!(code, Some(78), "{key}={value}: {said}");
        assert!(said.contains(key), "{said}");
    }
}

#[test]
fn too_much_at_once_is_refused_at_the_door() {
    let server = Server::builder().set("server.max_in_flight", 1).set("server.max_answers", 1).start();
    crate::rpc::fill(&server);
    let calls = || json!({"name": "ask", "arguments": {"question": "What jumps over the lazy dog and why?"}});
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let ask = || scope.spawn(|| send(&server, LEGACY, "tools/call", calls()));
        let clients: Vec<_> = (0..16).map(|_| ask()).collect();
        clients.into_iter().map(|one| one.join().expect("no panic")).collect()
    });
    let refused: Vec<&Reply> = replies.iter().filter(|reply| reply.status != 200).collect();
    for reply in &refused {
        reply.error(503, "overloaded");
    }
    assert!((1..16).contains(&refused.len()), "{} of sixteen were refused where one fits", refused.len());
    assert_eq!(send(&server, LEGACY, "tools/list", Value::Null).status, 200);
}

#[test]
fn a_key_is_shown_and_may_call_the_tools_of_its_scopes_alone() {
    let server = Server::builder().token(TOKEN).start();
    let made = server.post("/v1/keys", &json!({"name": "reader", "scopes": ["search"]})).ok(201);
    let secret = made["secret"].as_str().expect("a secret");
    let ask = |method: &str, params: Value| {
        let client = reqwest::blocking::Client::new();
        let request = client
            .post(format!("{}/mcp", server.url()))
            .bearer_auth(secret)
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", LEGACY);
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        Reply::read(request.body(body.to_string()).send().expect("an answer"))
    };
    let listed = ask("tools/list", json!({})).ok(200);
    let mut names: Vec<&str> = listed["result"]["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["ask", "fetch", "list_collections", "search"]);
    let put =
        json!({"name": "ingest_document", "arguments": {"collection": "a", "external_id": "b", "text": "c"}});
    let refused = ask("tools/call", put);
    refused.error(403, "forbidden");
    assert!(refused.header("www-authenticate").contains("insufficient_scope"));
    let found = ask("tools/call", json!({"name": "search", "arguments": {"query": "anything"}})).ok(200);
    assert_eq!(found["result"]["structuredContent"]["results"], json!([]));
}
