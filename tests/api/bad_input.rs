//! Whatever a client sends is answered with a documented 4xx, and the server goes on.

use crate::support::Server;
use crate::support::calls::segment;
use reqwest::Method;
use serde_json::json;

pub(crate) fn server() -> Server {
    let server = Server::start();
    server.create("docs");
    server.ingest("docs", &[("a", "The good document.")]);
    server
}

/// After everything: it works, and nothing panicked or was an error of ours.
pub(crate) fn still_well(mut server: Server) {
    assert_eq!(server.search_in("docs", "good document", "hybrid"), ["a"]);
    assert_eq!(server.get("/health").ok(200)["status"], "ok");
    let restarts = server.get("/v1/system").ok(200)["actors"].clone();
    assert!(restarts.as_array().into_iter().flatten().all(|actor| actor["restarts"] == 0), "{restarts}");
    server.stop();
    let errors: Vec<_> =
        server.log().since(0).into_iter().filter(|line| line.raw.contains("\"level\":\"ERROR\"")).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn vector(length: usize, value: &str) -> String {
    let numbers = vec![value; length].join(",");
    format!("{{\"query\":\"x\",\"mode\":\"dense\",\"embedding\":[{numbers}]}}")
}

#[test]
fn every_malformed_search_is_a_documented_4xx() {
    let server = server();
    let nested_array =
        format!("{{\"query\":\"x\",\"filters\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let nested_filter = format!(
        "{{\"query\":\"x\",\"filters\":{}1{}}}",
        "{\"type\":\"and\",\"filters\":[".repeat(60),
        "]}".repeat(60)
    );
    let table: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "invalid_request"),
        (b"{".to_vec(), "invalid_request"),
        (b"nonsense".to_vec(), "invalid_request"),
        (b"[]".to_vec(), "invalid_request"),
        (b"null".to_vec(), "invalid_request"),
        (b"\"query\"".to_vec(), "invalid_request"),
        (b"{}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\"} {\"query\":\"y\"}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"query\":\"y\"}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",}".to_vec(), "invalid_request"),
        (b"{\"query\":\"\xff\xfe\"}".to_vec(), "invalid_request"),
        (b"{\"query\":\"\\ud800\"}".to_vec(), "invalid_request"),
        (b"{\"query\":\"\"}".to_vec(), "invalid_request"),
        (b"{\"query\":\" \\n\\t \"}".to_vec(), "invalid_request"),
        (b"{\"query\":null}".to_vec(), "invalid_request"),
        (b"{\"query\":1}".to_vec(), "invalid_request"),
        (b"{\"query\":[]}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"limit\":1}".to_vec(), "unknown_field"),
        (b"{\"Query\":\"x\"}".to_vec(), "unknown_field"),
        (b"{\"query\":\"x\",\"top_k\":0}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"top_k\":101}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"top_k\":-1}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"top_k\":1.5}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"top_k\":1e999}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"top_k\":99999999999999999999}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"top_k\":\"10\"}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"mode\":\"fuzzy\"}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"degrade\":\"maybe\"}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"collections\":\"docs\"}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"collections\":[1]}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"min_score\":1e999}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"min_score\":1e300}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"min_score\":NaN}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"max_tokens\":0}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"max_tokens\":-5}".to_vec(), "invalid_request"),
        (b"{\"query\":\"x\",\"rerank\":\"yes\"}".to_vec(), "invalid_request"),
        (vector(3, "0.1").into_bytes(), "invalid_request"),
        (vector(385, "0.1").into_bytes(), "invalid_request"),
        (vector(0, "").into_bytes(), "invalid_request"),
        (vector(384, "0").into_bytes(), "invalid_request"),
        (vector(384, "-0.0").into_bytes(), "invalid_request"),
        (vector(384, "NaN").into_bytes(), "invalid_request"),
        (vector(384, "Infinity").into_bytes(), "invalid_request"),
        (vector(384, "1e999").into_bytes(), "invalid_request"),
        (vector(384, "1e39").into_bytes(), "invalid_request"),
        (vector(384, "null").into_bytes(), "invalid_request"),
        (vector(384, "\"0.1\"").into_bytes(), "invalid_request"),
        (nested_array.into_bytes(), "invalid_request"),
        (nested_filter.into_bytes(), "invalid_request"),
    ];
    for (body, code) in table {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let reply = server.send(Method::POST, "/v1/search", "application/json", body);
        assert_eq!(reply.status, 400, "{shown}: {}", reply.text());
        let error = reply.error(400, code);
        let told = error["message"].as_str().map_or(0, str::len);
        assert!(told < 600, "{shown}: a message of {told} bytes");
        assert!(error["param"].as_str().is_none_or(|param| param.len() <= 128), "{shown}: {error}");
    }
    server.post("/v1/search", &json!({"query": "x", "collections": ["nowhere"]})).error(404, "not_found");
    // Values at their limits are answered.
    for body in [
        json!({"query": "x", "top_k": 100}),
        json!({"query": "x".repeat(8000)}),
        json!({"query": "\u{0}"}),
        json!({"query": "a\u{0}b", "mode": "lexical"}),
        json!({"query": "\u{202e}\u{fffd}\u{1f980}"}),
        json!({"query": "x", "max_tokens": u32::MAX}),
        json!({"query": "x", "min_score": -1e30}),
    ] {
        let reply = server.post("/v1/search", &body);
        assert!(reply.status < 500, "{body}: {}", reply.text());
    }
    for value in ["1e-3", "1e15", "-7.5", "1e-44", "3e38"] {
        let reply = server.send(Method::POST, "/v1/search", "application/json", vector(384, value));
        assert_eq!(reply.status, 200, "{value}: {}", reply.text());
    }
    still_well(server);
}

#[test]
fn a_nul_character_in_any_field_is_a_4xx_and_in_a_text_a_space() {
    let server = server();
    let nul = "a\u{0}b";
    let document = |field: &str| {
        let mut body = json!({"text": "fine"});
        body[field] = match field {
            "attributes" => json!({"deep": {"list": ["x", nul]}}),
            "acl" => json!([nul]),
            _ => json!(nul),
        };
        body
    };
    for field in ["title", "uri", "attributes", "acl", "external_id", "media_type"] {
        let reply = server.put_document("docs", "x", &document(field));
        assert!((400..500).contains(&reply.status), "{field}: {}", reply.text());
        let mut line = document(field);
        if field != "external_id" {
            line["external_id"] = json!("x");
        }
        let reply = server.ndjson("docs", &line.to_string());
        assert!((400..500).contains(&reply.status), "{field}: {}", reply.text());
    }
    let key = json!({"text": "fine", "attributes": {"a\u{0}b": 1}});
    assert_eq!(server.put_document("docs", "x", &key).status, 400, "in a key");
    server.put_document("docs", "x\u{0}y", &json!({"text": "fine"})).error(400, "invalid_request");
    for query in ["title=a%00b", "uri=a%00b"] {
        let path = format!("/v1/collections/docs/documents/x?{query}");
        server.send(Method::PUT, &path, "text/plain", "fine").error(400, "invalid_request");
    }
    for body in [
        json!({"name": nul}),
        json!({"name": "n", "description": nul}),
        json!({"name": "n", "metadata": {"a": nul}}),
        json!({"name": "n", "metadata": {"a\u{0}b": 1}}),
        json!({"name": "n", "language": nul}),
    ] {
        server.post("/v1/collections", &body).error(400, "invalid_request");
    }
    server.patch("/v1/collections/docs", &json!({"description": nul})).error(400, "invalid_request");
    server.patch("/v1/collections/docs", &json!({"metadata": {"a": nul}})).error(400, "invalid_request");
    server.post("/v1/search", &json!({"query": "x", "collections": [nul]})).error(404, "not_found");
    for path in [
        "/v1/collections/a%00b",
        "/v1/collections/a%00b/documents",
        "/v1/collections/docs/documents/a%00b",
        "/v1/collections/docs/documents/a%00b/content",
        "/v1/collections?after=a%00b",
        "/v1/collections/docs/documents?status=a%00b",
        "/v1/jobs/a%00b",
        "/v1/jobs?after=a%00b",
    ] {
        let reply = server.get(path);
        assert!([400, 404].contains(&reply.status), "{path}: {}", reply.text());
        let reply = server.delete(path);
        assert!((400..500).contains(&reply.status), "DELETE {path}: {}", reply.text());
    }
    // Text is content, whatever is in it.
    server.put_document("docs", "nul", &json!({"text": "before\u{0}zenith"})).ok(201);
    assert_eq!(server.content("docs", "nul"), b"before zenith");
    assert_eq!(server.search_in("docs", "zenith", "lexical"), ["nul"]);
    // The escape's text is no NUL.
    server.put_document("docs", "escape", &json!({"text": "x", "attributes": {"code": "\\u0000"}})).ok(201);
    server.delete("/v1/collections/docs/documents/nul").ok(200);
    server.delete("/v1/collections/docs/documents/escape").ok(200);
    still_well(server);
}

#[test]
fn every_malformed_document_is_a_documented_4xx() {
    let server = server();
    let path = "/v1/collections/docs/documents/x";
    for (body, code) in [
        ("", "invalid_request"),
        ("{}", "invalid_request"),
        ("[]", "invalid_request"),
        ("{\"text\":1}", "invalid_request"),
        ("{\"text\":null}", "invalid_request"),
        ("{\"text\":\"x\",\"texts\":\"y\"}", "unknown_field"),
        ("{\"text\":\"x\",\"attributes\":[]}", "invalid_request"),
        ("{\"text\":\"x\",\"attributes\":\"a\"}", "invalid_request"),
        ("{\"text\":\"x\",\"attributes\":{\"n\":1e999}}", "invalid_request"),
        ("{\"text\":\"x\",\"acl\":\"me\"}", "invalid_request"),
        ("{\"text\":\"x\",\"acl\":[1]}", "invalid_request"),
        ("{\"text\":\"x\",\"external_id\":\"other\"}", "invalid_request"),
        ("{\"text\":\"\\ud800\"}", "invalid_request"),
    ] {
        let reply = server.send(Method::PUT, path, "application/json", body);
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
        reply.error(400, code);
    }
    let long = |length: usize| "x".repeat(length);
    for body in [
        json!({"text": "x", "title": long(3000)}),
        json!({"text": "x", "uri": long(5000)}),
        json!({"text": "x", "attributes": {"a": long(70_000)}}),
        json!({"text": "x", "acl": vec!["a"; 300]}),
        json!({"text": "x", "acl": [long(600)]}),
    ] {
        server.put(path, &body).error(400, "invalid_request");
    }
    let mut deep = json!(1);
    for _ in 0..120 {
        deep = json!([deep]);
    }
    let reply = server.put_document("docs", "deep", &json!({"text": "x", "attributes": {"a": deep}}));
    assert!(reply.status < 500, "{}", reply.text());
    for id in [long(513), "é".repeat(300)] {
        let error = server.put_document("docs", &id, &json!({"text": "x"})).error(400, "invalid_request");
        assert_eq!(error["param"], "external_id");
        server.document("docs", &id).error(404, "not_found");
        server.delete(&Server::document_path("docs", &id)).error(404, "not_found");
    }
    for query in ["wait=maybe", "wait=true&wiat=true"] {
        let reply = server.put(&format!("{path}?{query}"), &json!({"text": "x"}));
        assert!((400..500).contains(&reply.status), "{query}: {}", reply.text());
    }
    server.put("/v1/collections/nowhere/documents/x", &json!({"text": "x"})).error(404, "not_found");
    let invalid = server.send(Method::PUT, "/v1/collections/docs/documents/%ff%fe", "text/plain", "x");
    assert!((400..500).contains(&invalid.status), "{}", invalid.text());
    assert!(segment("/").contains('%'));
    let huge = "<div>".repeat(200_000);
    let reply = server.send(Method::PUT, "/v1/collections/docs/documents/html?wait=true", "text/html", huge);
    assert!(reply.status < 500, "{}", reply.text());
    server.delete("/v1/collections/docs/documents/html");
    server.delete("/v1/collections/docs/documents/deep");
    still_well(server);
}
