//! Limits in one process: whose they are, what they count, what a client is told.

use crate::support::{Reply, Server, binary, eventually};
use crate::{TOKEN, ask, counter, key, send};
use reqwest::Method;
use serde_json::{Value, json};

fn number(reply: &Reply, name: &str) -> u64 {
    let value = reply.header(name);
    value.parse().unwrap_or_else(|_| panic!("{name}: {value:?} in {:?}", reply.headers))
}

/// Refused, with everything that a client needs to come back in time.
#[track_caller]
fn limited(reply: &Reply) -> Value {
    let error = reply.error(429, "rate_limited");
    assert_eq!(error["type"], "rate_limit_error");
    assert!(number(reply, "retry-after") >= 1);
    assert!(number(reply, "ratelimit-reset") >= number(reply, "retry-after"), "{:?}", reply.headers);
    error
}

#[test]
fn a_key_may_ask_as_often_as_it_is_allowed_on_every_surface_and_is_told_what_is_left() {
    let server = Server::builder().token(TOKEN).start();
    let (id, secret) = key(&server, &json!({"answers_per_minute": 1, "answers_burst": 4}));
    let first = ask(&server, &secret, "what is left?");
    first.ok(200);
    let told = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-policy"].map(|name| first.header(name));
    assert_eq!(told, ["4", "3", "4;w=240"]);
    assert!((50..=60).contains(&number(&first, "ratelimit-reset")), "{:?}", first.headers);
    // One budget, whichever way the question comes; the same again counts too.
    let chat = json!({"model": "mcp-rag", "messages": [{"role": "user", "content": "what is left?"}]});
    let chat = || send(&server, Method::POST, "/v1/chat/completions", &secret, Some(&chat));
    assert_eq!(chat().header("ratelimit-remaining"), "2");
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "ask", "arguments": {"question": "what is left?"}}});
    let tool = || {
        let client = reqwest::blocking::Client::new();
        let request = client.post(format!("{}/mcp", server.url())).bearer_auth(&secret).json(&call);
        Reply::read(
            request.header("accept", "application/json, text/event-stream").send().expect("an answer"),
        )
    };
    let called = tool();
    assert_eq!((called.status, called.header("ratelimit-remaining")), (200, "1"), "{}", called.text());
    assert_eq!(ask(&server, &secret, "what is left?").header("ratelimit-remaining"), "0");
    for refused in [ask(&server, &secret, "more?"), chat(), tool()] {
        let error = limited(&refused);
        assert!(error["message"].as_str().expect("text").contains("credential's limit"), "{error}");
        assert!(
            error["message"].as_str().expect("text").contains("1 answers a minute, 4 at once"),
            "{error}"
        );
    }
    let metric = "mcp_rag_quota_requests_total{budget=\"answers\",level=\"local\",outcome=";
    assert_eq!(counter(&server, &format!("{metric}\"admitted\"}} ")), 4);
    assert_eq!(counter(&server, &format!("{metric}\"limited\"}} ")), 3);

    // What it has no limit of, what another key does, and what only reads, is not concerned.
    let search = send(&server, Method::POST, "/v1/search", &secret, Some(&json!({"query": "anything"})));
    search.ok(200);
    assert_eq!(search.header("ratelimit-limit"), "");
    let jobs = send(&server, Method::GET, "/v1/jobs", &secret, None);
    assert_eq!((jobs.status, jobs.header("ratelimit-limit")), (200, ""));
    let (_, other) = key(&server, &json!({"answers_per_minute": 1, "answers_burst": 4}));
    assert_eq!(ask(&server, &other, "and me?").header("ratelimit-remaining"), "3");

    // Changed limits take effect at once, and a successor has them too.
    let more = json!({"answers_per_minute": 600});
    assert_eq!(server.patch(&format!("/v1/keys/{id}"), &json!({"limits": more})).ok(200)["limits"], more);
    assert_eq!(ask(&server, &secret, "now?").header("ratelimit-limit"), "600");
    let rotated = server.post(&format!("/v1/keys/{id}/rotate"), &json!({})).ok(201);
    assert_eq!(rotated["limits"], more);
    server.patch(&format!("/v1/keys/{id}"), &json!({"limits": {}})).ok(200);
    assert_eq!(ask(&server, &secret, "and now?").header("ratelimit-limit"), "");
    let wrong = json!({"limits": {"search_per_second": 1e7 as u64}});
    let error = server.patch(&format!("/v1/keys/{id}"), &wrong).error(400, "invalid_request");
    assert_eq!(error["param"], "limits.search_per_second");
    let unknown = json!({"limits": {"poems_per_day": 1}});
    server.patch(&format!("/v1/keys/{id}"), &unknown).error(400, "unknown_field");
}

#[test]
fn all_keys_of_a_tenant_share_its_limit_and_no_other_tenant_feels_it() {
    let server = Server::builder().token(TOKEN).set("auth.key_ttl_ms", 300).start();
    let run = |arguments: &[&str]| {
        let output = binary(server.home()).args(arguments).arg("--json").output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    run(&["tenants", "create", "acme"]);
    let make = ["keys", "create", "of acme", "--scope", "search", "--tenant", "acme"];
    let [one, two] = [run(&make), run(&make)].map(|made| made["secret"].as_str().expect("text").to_owned());
    ask(&server, &one, "before").ok(200);
    let limits = ["--limit", "answers_per_minute=1", "--limit", "answers_burst=3"];
    let limited_to = run(&[["tenants", "limit", "acme"].as_slice(), &limits].concat());
    assert_eq!(limited_to["limits"], json!({"answers_per_minute": 1, "answers_burst": 3}));
    eventually("the limit is in use", || ask(&server, &one, "soon").header("ratelimit-limit") == "3");
    assert_eq!(ask(&server, &two, "second").header("ratelimit-remaining"), "1");
    assert_eq!(ask(&server, &one, "third").header("ratelimit-remaining"), "0");
    for secret in [&one, &two] {
        let error = limited(&ask(&server, secret, "fourth"));
        assert!(error["message"].as_str().expect("text").contains("tenant's limit"), "{error}");
    }
    // The operator is of another tenant.
    let reply = server.post("/v1/answers", &json!({"question": "and I?"}));
    assert_eq!((reply.status, reply.header("ratelimit-limit")), (200, ""));
    // A key's own limit holds beside its tenant's, and what the key is refused costs the tenant nothing.
    run(&["tenants", "limit", "acme", "--limit", "answers_per_minute=60"]);
    let limits = ["--limit", "answers_per_minute=1", "--limit", "answers_burst=1"];
    let made = run(&[make.as_slice(), &limits].concat());
    let tight = made["secret"].as_str().expect("text");
    eventually("the limit is in use", || ask(&server, &two, "soon").header("ratelimit-limit") == "60");
    assert_eq!(ask(&server, tight, "only one").header("ratelimit-limit"), "1");
    let before = number(&ask(&server, &two, "before"), "ratelimit-remaining");
    for _ in 0..10 {
        limited(&ask(&server, tight, "only one"));
    }
    assert!(number(&ask(&server, &two, "after"), "ratelimit-remaining") + 1 >= before);
}

#[test]
fn what_is_ingested_counts_by_its_bytes_whether_they_were_announced_or_not() {
    let settings =
        Server::builder().set("server.max_body_bytes", 65536).set("ingest.max_document_bytes", 65536);
    let server = settings.set("quotas.key.ingest_bytes_per_second", 1024).token(TOKEN).start();
    server.create("notes"); // a body too, of the operator's
    let (_, secret) = key(&server, &json!({}));
    let text = "All work and no play. ".repeat(1800);
    let put = |name: &str, body: reqwest::blocking::Body| {
        let client = reqwest::blocking::Client::new();
        let path = format!("{}/v1/collections/notes/documents/{name}", server.url());
        let request = client.put(path).bearer_auth(&secret).header("content-type", "text/plain");
        Reply::read(request.body(body).send().expect("an answer"))
    };
    let chunked =
        |text: &str| reqwest::blocking::Body::new(std::io::Cursor::new(text.to_owned().into_bytes()));
    let first = put("a", chunked(&text));
    first.ok(202);
    // 39,600 bytes are 39 pieces of 1,024, and 64 are there at first; a few seconds may have passed.
    assert_eq!(number(&first, "ratelimit-limit"), 65536);
    assert_eq!(number(&first, "ratelimit-remaining"), 25 * 1024);
    for refused in [put("b", chunked(&text)), put("b", text.clone().into())] {
        let error = limited(&refused);
        assert!(
            error["message"].as_str().expect("text").contains("1024 bytes a second to ingest"),
            "{error}"
        );
        assert!((1..=14).contains(&number(&refused, "retry-after")), "{:?}", refused.headers);
    }
    server.document("notes", "b").error(404, "not_found");
    put("c", "Short enough.".into()).ok(202);
    // As large a body as there may be comes in when one has waited; more is refused for what it is.
    put("d", "x".repeat(65537).into()).error(413, "payload_too_large");
    send(&server, Method::GET, "/v1/collections/notes/documents", &secret, None).ok(200);
}

#[test]
fn configured_limits_change_while_the_server_runs() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("config/default.toml");
    std::fs::create_dir_all(home.path().join("config")).expect("a directory");
    let write = |burst: u32| {
        let text = format!("[quotas.key]\nanswers_per_minute = 1\nanswers_burst = {burst}\n");
        std::fs::write(&file, text).expect("written");
    };
    write(2);
    let builder = Server::builder().set("reload.interval_ms", 100);
    let server = builder.env("MCP_RAG_CONFIG_DIR", home.path().join("config").display()).start();
    let question = json!({"question": "how many?"});
    let asked = || server.post("/v1/answers", &question);
    assert_eq!(asked().header("ratelimit-limit"), "2");
    asked().ok(200);
    limited(&asked());
    write(50);
    eventually("the new limit is in use", || asked().header("ratelimit-limit") == "50");
}
