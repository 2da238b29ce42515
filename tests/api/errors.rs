use crate::support::Server;
use reqwest::Method;
use serde_json::json;

#[test]
fn every_answer_has_a_request_id_and_keeps_the_clients_own() {
    let server = Server::start();
    server.create("docs");
    let ask = |path: &str, id: Option<&str>| {
        let request = server.request(Method::GET, path);
        let request = match id {
            Some(id) => request.header("x-request-id", id),
            None => request,
        };
        crate::support::Reply::read(request.send().expect("an answer"))
    };
    let paths = [
        "/health",
        "/openapi.json",
        "/docs",
        "/v1/collections",
        "/v1/collections/docs",
        "/v1/collections/nowhere",
        "/nowhere",
        "/v1/nowhere",
        "/v1/search",
        "/v1/collections?limit=x",
        "/v1/collections/%ff",
        "/v1/system",
    ];
    for path in paths {
        let fresh = ask(path, None).header("x-request-id").to_owned();
        assert!(fresh.len() >= 16, "{path}: {fresh:?}");
        assert_ne!(fresh, ask(path, None).header("x-request-id"), "{path}");
        assert_eq!(ask(path, Some("my-id_1.2:3")).header("x-request-id"), "my-id_1.2:3", "{path}");
        for bad in ["spaces in it", "<script>", &"x".repeat(200)] {
            assert_ne!(ask(path, Some(bad)).header("x-request-id"), bad, "{path}");
        }
    }
    let line =
        server.log().await_line(0, |line| line.message() == "request" && line.span("id") == "my-id_1.2:3");
    assert_eq!(line.field("status"), "200");
}

#[test]
fn unknown_routes_and_methods_answer_in_the_documented_form() {
    let server = Server::start();
    for path in ["/nowhere", "/v1", "/v1/", "/v1/nowhere", "/v1/search/x", "/health/x", "/v2/search", "/%00"]
    {
        server.get(path).error(404, "not_found");
    }
    for (method, path) in [
        (Method::GET, "/v1/search"),
        (Method::GET, "/v1/answers"),
        (Method::PUT, "/v1/collections"),
        (Method::POST, "/v1/collections/x"),
        (Method::POST, "/v1/jobs"),
        (Method::POST, "/v1/collections/x/documents/y"),
        (Method::DELETE, "/v1/system"),
        (Method::POST, "/health/live"),
        (Method::DELETE, "/openapi.json"),
        (Method::POST, "/docs"),
    ] {
        let reply = server.send(method.clone(), path, "application/json", "{}");
        let allowed = reply.header("allow");
        assert!(!allowed.is_empty() && !allowed.contains(method.as_str()), "{method} {path}: {allowed}");
        let error = reply.error(405, "method_not_allowed");
        assert!(
            error["message"].as_str().is_some_and(|text| text.contains(method.as_str())),
            "{method} {path}"
        );
    }
}

#[test]
fn a_head_request_and_compressed_or_odd_headers_do_no_harm() {
    let server = Server::start();
    let reply = server.request(Method::HEAD, "/health").send().expect("an answer");
    assert!(reply.status().as_u16() < 500);
    let odd = server
        .request(Method::POST, "/v1/search")
        .header("content-encoding", "gzip")
        .header("content-type", "application/json")
        .body("not gzip at all")
        .send()
        .expect("an answer");
    assert!((400..500).contains(&odd.status().as_u16()), "{odd:?}");
    let plain = server.send(Method::POST, "/v1/search", "text/plain", json!({"query": "x"}).to_string());
    assert!(plain.status < 500, "{}", plain.text());
}
