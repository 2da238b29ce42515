//! How the console is served.

use crate::support::{Reply, Server};
use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, IF_NONE_MATCH};

/// What the page asks for by itself: the addresses in it.
fn files(page: &str) -> Vec<String> {
    let quoted = page.split('"').filter(|part| part.starts_with("/console/"));
    quoted.map(str::to_owned).collect()
}

#[test]
fn the_page_is_small_kept_by_browsers_and_allowed_nothing_but_itself() {
    let server = Server::builder().token(crate::TOKEN).start();
    let page = server.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").to_owned();
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.split("; ").any(|one| one == directive), "{directive} is not in {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{policy}");
    assert!(page.text().contains("<script type=\"module\" src=") && !page.text().contains("<style"));
    assert_eq!(page.header("cache-control"), "no-cache");
    let again = server.request(Method::GET, "/").header(IF_NONE_MATCH, page.header("etag"));
    assert_eq!(Reply::read(again.send().expect("an answer")).status, 304);
    for file in files(&page.text()) {
        let reply = server.get(&file);
        assert_eq!(reply.status, 200, "{file}");
        assert_eq!(reply.header("cache-control"), "public, max-age=31536000, immutable", "{file}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{file}");
        assert_eq!(reply.header("content-security-policy"), policy, "{file}");
        let packed = server.request(Method::GET, &file).header(ACCEPT_ENCODING, "gzip").send();
        let packed = Reply::read(packed.expect("an answer"));
        assert_eq!(packed.header("content-encoding"), "gzip", "{file}");
        assert!(packed.body.len() < reply.body.len(), "{file}");
        // A page of another replica, while one is being replaced by the other.
        let other = file.replacen(&file[9..25], "0123456789abcdef", 1);
        assert_eq!(
            (server.get(&other).status, server.get(&other).header("cache-control")),
            (200, "no-store")
        );
    }
    server.get("/console/0123456789abcdef/../Cargo.toml").error(404, "not_found");
    server.get("/console/0123456789abcdef/nothing.js").error(404, "not_found");
    server.post("/", &serde_json::json!({})).error(405, "method_not_allowed");
}

#[test]
fn the_console_can_be_switched_off() {
    let server = Server::builder().set("server.console", false).start();
    server.get("/").error(404, "not_found");
    server.get("/console/0123456789abcdef/app.js").error(404, "not_found");
}

#[test]
fn the_history_says_what_happened_in_each_interval() {
    let server = Server::start();
    server.create("notes");
    server.ingest("notes", &[("fox", "The quick brown fox jumps over the lazy dog.")]);
    let question = serde_json::json!({"question": "What does the fox jump over?", "rerank": true});
    server.post("/v1/answers", &question).ok(200);
    server.search(&serde_json::json!({"query": "fox"}));
    let mut points = Vec::new();
    crate::support::eventually("the interval has ended", || {
        let history = server.get("/v1/system/metrics").ok(200);
        points = history["points"].as_array().expect("points").clone();
        points.iter().any(|point| point["answer"]["count"].as_u64() > Some(0))
    });
    let point = points.iter().find(|point| point["answer"]["count"] == 1).expect("the answer's interval");
    assert!(point["answer"]["p50_ms"].as_f64() > Some(0.0), "{point}");
    assert_eq!(point["degraded"]["reranker"], 1, "{point}");
    assert!(point["requests"]["ok"].as_u64() >= Some(1) && point["requests"]["failed"] == 0, "{point}");
    assert!(points.iter().any(|point| point["search"]["count"].as_u64() >= Some(1)), "{points:?}");
    let last = points.last().and_then(|point| point["at"].as_str()).expect("a time");
    let after = server.get(&format!("/v1/system/metrics?after={last}")).ok(200);
    let later = after["points"].as_array().expect("points");
    assert!(later.iter().all(|point| point["at"].as_str() > Some(last)), "{later:?}");
    server.get("/v1/system/metrics?after=yesterday").error(400, "invalid_request");
}
