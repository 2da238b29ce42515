use crate::rpc::{LEGACY, MODERN, notes, raw, send};
use crate::support::{Reply, Server};
use reqwest::Method;
use serde_json::{Value, json};

#[test]
fn both_eras_are_answered_at_one_endpoint_without_sessions() {
    let server = notes();
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let hello = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let reply = send(&server, version, "initialize", hello);
        let result = reply.ok(200)["result"].clone();
        assert_eq!(
            (&result["protocolVersion"], &result["serverInfo"]["name"]),
            (&json!(version), &json!("mcp-rag"))
        );
        assert_eq!(reply.header("mcp-session-id"), "", "any replica may answer the next request");
        let tools = send(&server, version, "tools/list", Value::Null).ok(200)["result"].clone();
        assert!(tools.get("resultType").is_none(), "no field of a later era: {tools}");
    }
    let found = send(&server, MODERN, "server/discover", Value::Null).ok(200)["result"].clone();
    assert!(found["supportedVersions"].as_array().expect("a list").contains(&json!(MODERN)), "{found}");
    assert_eq!((&found["resultType"], &found["cacheScope"]), (&json!("complete"), &json!("private")));
    for (method, params) in [
        ("tools/list", Value::Null),
        ("prompts/list", Value::Null),
        ("resources/list", Value::Null),
        ("resources/templates/list", Value::Null),
        ("resources/read", json!({"uri": "mcp-rag://documents/notes/fox"})),
    ] {
        let result = send(&server, MODERN, method, params).ok(200)["result"].clone();
        assert_eq!(
            (&result["resultType"], &result["cacheScope"]),
            (&json!("complete"), &json!("private")),
            "{method}"
        );
        assert!(result["ttlMs"].is_u64(), "{method}: {result}");
    }
}

#[test]
fn methods_without_a_use_here_are_told_so() {
    let server = notes();
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        let request = server.request(method.clone(), "/mcp").header("accept", "text/event-stream");
        let reply = Reply::read(request.send().expect("an answer"));
        assert_eq!((reply.status, reply.header("allow")), (405, "POST"), "{method}");
    }
    let notification = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    assert_eq!(raw(&server, &[("mcp-protocol-version", LEGACY.to_owned())], &notification).status, 202);
}

#[test]
fn the_headers_of_the_newest_protocol_must_agree_with_the_body() {
    let server = notes();
    let version = || ("mcp-protocol-version", MODERN.to_owned());
    let body = |version: &str| {
        json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "search", "arguments": {"query": "x"},
            "_meta": {"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"}}}})
        .to_string()
    };
    let named =
        |name: &str| [version(), ("mcp-method", "tools/call".to_owned()), ("mcp-name", name.to_owned())];
    assert_eq!(raw(&server, &named("search"), &body(MODERN)).status, 200);
    for headers in
        [&named("fetch")[..], &named("search")[..2], &[version(), ("mcp-method", "tools/list".to_owned())]]
    {
        let reply = raw(&server, headers, &body(MODERN));
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!(-32020)), "{}", reply.text());
    }
    let future = [
        ("mcp-protocol-version", "2099-01-01".to_owned()),
        named("search")[1].clone(),
        named("search")[2].clone(),
    ];
    let reply = raw(&server, &future, &body("2099-01-01"));
    let error = reply.json()["error"].clone();
    assert_eq!((reply.status, &error["code"]), (400, &json!(-32022)), "{error}");
    assert!(error["data"]["supported"].as_array().expect("a list").contains(&json!(MODERN)), "{error}");
}

#[test]
fn results_are_of_their_output_schemas_and_every_property_of_an_input_schema_is_known() {
    let server = notes();
    let tools = send(&server, LEGACY, "tools/list", Value::Null).ok(200)["result"]["tools"].clone();
    for tool in tools.as_array().expect("tools") {
        let name = tool["name"].as_str().expect("a name");
        let properties = tool["inputSchema"]["properties"].as_object().expect("properties");
        for property in properties.keys() {
            // Of a type that none of them has: what is known is refused for that, what is unknown as unknown.
            let arguments = json!({ property.as_str(): {"neither": ["this"]} });
            let reply =
                send(&server, LEGACY, "tools/call", json!({"name": name, "arguments": arguments})).ok(200);
            let text = reply["result"]["content"][0]["text"].as_str().unwrap_or_default();
            assert!(!text.contains("unknown_field"), "{name} does not know {property}: {text}");
        }
        assert!(tool["outputSchema"]["required"].is_array(), "{name}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{name}");
    }
}

#[test]
fn progress_comes_as_events_before_the_result_for_who_asks() {
    let server = notes();
    let params =
        json!({"name": "ask", "arguments": {"question": "What jumps?"}, "_meta": {"progressToken": "p1"}});
    let reply = send(&server, LEGACY, "tools/call", params);
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/event-stream"));
    let text = reply.text();
    let events: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str(data.trim()).ok())
        .collect();
    let (last, before) = events.split_last().expect("events");
    assert!(last["result"]["structuredContent"]["answer"].is_string(), "{text}");
    assert!(
        !before.is_empty() && before.iter().all(|event| event["method"] == "notifications/progress"),
        "{text}"
    );
    assert_eq!(before[0]["params"]["progressToken"], "p1");
}

/// A stop in the middle of an answer: it is finished first.
#[test]
fn a_server_that_stops_finishes_what_was_asked() {
    let mut server = Server::start();
    crate::rpc::fill(&server);
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "ask", "arguments": {"question": "What jumps over the dog?"}}});
    let request = server
        .request(Method::POST, "/mcp")
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .body(call.to_string());
    let asking = std::thread::spawn(move || Reply::read(request.send().expect("an answer")).ok(200));
    std::thread::yield_now();
    crate::support::eventually("the question is under way or over", || {
        asking.is_finished()
            || server.get("/v1/system").ok(200)["admission"]["lanes"].to_string().contains("\"in_flight\":1")
    });
    server.stop();
    let answer = asking.join().expect("no panic");
    assert!(answer["result"]["structuredContent"]["answer"].is_string(), "{answer}");
}
