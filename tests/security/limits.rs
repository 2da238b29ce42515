//! Depth and size, at every route that takes a body; and what a head may hold.

use crate::support::Server;
use reqwest::Method;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Every method and path of the OpenAPI document that takes a body, with something for each parameter.
fn routes(server: &Server) -> Vec<(Method, String)> {
    let document = server.get("/openapi.json").ok(200);
    let paths = document["paths"].as_object().expect("paths");
    let of = |(path, methods): (&String, &Value)| -> Vec<(Method, String)> {
        let filled: Vec<&str> =
            path.split('/').map(|part| if part.starts_with('{') { "docs" } else { part }).collect();
        let methods = methods
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, operation)| operation.get("requestBody").is_some());
        methods.filter_map(|(name, _)| Some((name.to_uppercase().parse().ok()?, filled.join("/")))).collect()
    };
    paths.iter().flat_map(of).collect()
}

#[test]
fn no_route_is_brought_down_by_depth() {
    let server = Server::start();
    server.create("docs");
    let mut routes = routes(&server);
    routes.push((Method::POST, "/mcp".to_owned()));
    assert!(routes.len() > 20, "{routes:?}");
    let deep = |open: &str, close: &str| open.repeat(20_000) + "1" + &close.repeat(20_000);
    let bombs = [
        deep("[", "]"),
        deep("{\"a\":", "}"),
        format!("{{\"query\":\"x\",\"filters\":{}}}", deep("{\"not\":", "}")),
        format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{}}}", deep("[", "]")),
        "[".repeat(200_000),
    ];
    for (method, path) in &routes {
        for bomb in &bombs {
            let reply = server.send(method.clone(), path, "application/json", bomb.as_str());
            assert!(reply.status < 500, "{method} {path}: {} {}", reply.status, reply.text());
        }
    }
    let restarts = server.get("/v1/system").ok(200)["actors"].clone();
    assert!(restarts.as_array().into_iter().flatten().all(|actor| actor["restarts"] == 0), "{restarts}");
}

/// The beginning of the answer to these bytes.
fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    let _ = socket.write_all(bytes);
    let mut answer = [0; 512];
    let read = socket.read(&mut answer).unwrap_or(0);
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[test]
fn heads_are_bounded_in_length_and_in_number() {
    let server = Server::builder().set("server.read_timeout_ms", 1000).start();
    let get = |path: &str, more: &str| {
        raw(
            &server,
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{more}connection: close\r\n\r\n").as_bytes(),
        )
    };
    assert!(get("/health/live", "x-one: a\r\n").starts_with("HTTP/1.1 200"));
    let many: String = (0..1000).map(|n| format!("x-{n}: a\r\n")).collect();
    let long = format!("x-long: {}\r\n", "a".repeat(1 << 20));
    for (path, more) in [
        ("/health/live", many.as_str()),
        ("/health/live", long.as_str()),
        (&format!("/health/live?{}", "a".repeat(1 << 20)), ""),
    ] {
        let answer = get(path, more);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    // One byte at a time keeps no connection longer than the head's time.
    let mut slow = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    slow.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit");
    let began = std::time::Instant::now();
    let mut answer = [0; 64];
    let mut ended = false;
    while !ended && began.elapsed() < Duration::from_secs(20) {
        ended = slow.write_all(b"a").is_err()
            || !matches!(slow.read(&mut answer), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
    }
    assert!(ended, "it was closed");
    assert!(get("/health/live", "").starts_with("HTTP/1.1 200"), "and the next is served");
}
