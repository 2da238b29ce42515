use crate::support::{Reply, Server};
use reqwest::Method;
use serde_json::json;

/// Planted where a client puts what is its own.
const CANARIES: [&str; 12] = [
    "canarytoken",
    "canarytext",
    "canarytitle",
    "canaryuri",
    "canaryattribute",
    "canaryquery",
    "canaryquestion",
    "canaryid",
    "canaryinstruction",
    "canaryfilter",
    "canarywrong",
    "canaryacl",
];

#[test]
fn the_log_holds_no_secret_no_question_and_no_text_even_at_debug_level() {
    let mut server = Server::builder().token("canarytoken").env("MCP_RAG_LOG", "debug").start();
    server.create("docs");
    server.put_document("docs", "canaryid", &json!({
        "text": "The canarytext sings. It sings at dawn.", "title": "canarytitle", "uri": "https://x/canaryuri",
        "attributes": {"a": "canaryattribute"}, "acl": ["canaryacl"],
    })).ok(201);
    server.put(
        "/v1/collections/docs/documents/canaryid?wait=true&title=canarytitle",
        &json!({"text": "canarytext", "x": 1}),
    );
    server.ndjson(
        "docs",
        "{\"external_id\":\"canaryid\",\"text\":\"canarytext two\"}\n{\"canarytext\": broken",
    );
    server.send(
        Method::PUT,
        "/v1/collections/docs/documents/canaryid?wait=true",
        "text/plain",
        b"canarytext \xff\x01\x02\x03".to_vec(),
    );
    for mode in ["hybrid", "dense", "lexical"] {
        let filters = json!({"type": "eq", "key": "canaryfilter", "value": "canaryfilter"});
        server.search(&json!({"query": "canaryquery canarytext", "mode": mode}));
        server.search(&json!({"query": "canaryquery", "mode": mode, "filters": filters}));
    }
    server
        .post("/v1/search", &json!({"query": "canaryquery", "top_k": "canaryquery"}))
        .error(400, "invalid_request");
    server
        .post("/v1/search", &json!({"query": "canaryquery", "canaryfilter": 1}))
        .error(400, "unknown_field");
    server.get("/v1/collections/canaryid").error(404, "not_found");
    server.get("/canaryid?canaryquery=1").error(404, "not_found");
    for stream in [false, true] {
        let body = json!({"question": "canaryquestion: who sings at dawn?", "instructions": "canaryinstruction", "stream": stream});
        let reply =
            Reply::read(server.request(Method::POST, "/v1/answers").json(&body).send().expect("an answer"));
        assert_eq!(reply.status, 200);
    }
    let client = reqwest::blocking::Client::new();
    let wrong = client.get(format!("{}/v1/system", server.url())).bearer_auth("canarywrong").send();
    Reply::read(wrong.expect("an answer")).error(401, "unauthorized");
    server.delete(&Server::document_path("docs", "canaryid")).ok(200);
    server.stop();
    let lines = server.log().since(0);
    assert!(lines.len() > 30, "the log is there: {} lines", lines.len());
    for canary in CANARIES {
        let told: Vec<_> =
            lines.iter().filter(|line| line.raw.contains(canary)).map(|line| &line.raw).collect();
        assert!(told.is_empty(), "{canary} is in the log: {told:#?}");
    }
    // What the server's own database writes to its log file is a log too.
    let logs = server.home().join("data/logs");
    for entry in std::fs::read_dir(logs).expect("PostgreSQL's log").flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        for canary in CANARIES {
            assert!(!text.contains(canary), "{canary} is in {}", entry.path().display());
        }
    }
}
