//! Stages that are switched off and on while the server runs: by a mounted file, and by LaunchDarkly.

use crate::support::{Builder, Server, eventually};
use mcp_rag_chaos::launchdarkly::LaunchDarkly;
use mcp_rag_chaos::model::{Behaviour, DIMENSIONS, Endpoint, Model};
use mcp_rag_chaos::proxy::{Fault, Proxy, Upstream};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Replaced as a whole, as Kubernetes and editors do it.
fn write(home: &Path, flags: &str) {
    fs::write(home.join("new"), flags).expect("a file");
    fs::rename(home.join("new"), home.join("flags.toml")).expect("the rename");
}

/// With a reranker and a chat model.
fn builder(model: &Model) -> Builder {
    Server::builder()
        .set("reranker.kind", "cohere")
        .set("reranker.base_url", model.url())
        .set("reranker.model", "common-words")
        .set("generator.kind", "openai")
        .set("generator.base_url", model.url())
        .set("generator.model", "tiny-chat")
        .set("flags.file", "flags.toml")
        .set("reload.interval_ms", 50)
}

fn filled(server: &Server) {
    server.create("facts");
    server.ingest("facts", &[("fox", "The brown fox jumps over the lazy dog every morning.")]);
}

fn search(server: &Server, degrade: &str) -> Value {
    let body = json!({"query": "what does the fox do", "rerank": true, "degrade": degrade});
    server.post("/v1/search", &body).json()
}

fn flags(server: &Server) -> Value {
    server.get("/v1/system").ok(200)["flags"].clone()
}

fn gauge(server: &Server, flag: &str) -> String {
    let name = format!("mcp_rag_flags{{flag=\"{flag}\"}} ");
    let metrics = server.admin("/metrics").text();
    metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_default().to_owned()
}

#[test]
fn stages_are_switched_off_and_on_again_by_a_mounted_file_while_the_server_runs() {
    let model = Model::start();
    let home = tempfile::tempdir().expect("a directory");
    // What is given in the environment cannot change, and so must not win.
    let mut server = builder(&model).env("MCP_RAG__FLAGS__RERANKER", true).start_in(home);
    filled(&server);
    assert_eq!(search(&server, "forbid")["degraded"], json!([]));
    assert_eq!(search(&server, "forbid")["cached"], json!(true));
    let question = json!({"question": "What does the brown fox jump over?"});
    assert_eq!(server.post("/v1/answers", &question).ok(200)["model"], "tiny-chat");

    write(server.home(), "reranker = false\nchat_model = false\ncache = false\n");
    eventually("the flags are turned", || flags(&server)["values"]["cache"] == json!(false));
    let off = json!([{"stage": "reranker", "reason": "switched_off", "fallback": "fused_order"}]);
    let found = search(&server, "allow");
    assert_eq!((&found["degraded"], &found["cached"]), (&off, &json!(false)), "not even from the cache");
    let refused = search(&server, "forbid");
    assert_eq!(refused["error"]["code"], "degraded", "{refused}");
    assert!(refused["error"]["message"].as_str().is_some_and(|message| message.contains("switched off")));
    let asked = model.requests(Endpoint::Chat);
    let answer = server.post("/v1/answers", &question).ok(200);
    let lacks = json!([{"stage": "generator", "reason": "switched_off", "fallback": "extractive"}]);
    assert_eq!((&answer["model"], &answer["degraded"]), (&json!("extractive"), &lacks), "{answer}");
    let mut strict = question.clone();
    strict["degrade"] = json!("forbid");
    assert_eq!(server.post("/v1/answers", &strict).ok(503)["error"]["code"], "degraded");
    let rewritten = server.search(&json!({"query": "fox", "rewrite": true}));
    assert_eq!(rewritten["degraded"][0]["fallback"], "original_query", "{rewritten}");
    assert_eq!(model.requests(Endpoint::Chat), asked, "it was not asked");
    // Nobody who does not want a stage notices, and nothing comes from the cache.
    for _ in 0..2 {
        let plain = server.search(&json!({"query": "fox", "degrade": "forbid"}));
        assert_eq!((&plain["degraded"], &plain["cached"]), (&json!([]), &json!(false)));
    }
    eventually("the change is told", || gauge(&server, "reranker") == "0");
    let turned = server.log().await_line(0, |line| line.message() == "a flag was turned");
    assert!(!turned.field("flag").is_empty());
    eventually("it is in the audit log", || {
        let entries = server.get("/v1/audit?actor=server").ok(200)["data"].clone();
        let told = |entry: &Value| entry["target"] == "reranker off" && entry["action"] == "turn of a flag";
        entries.as_array().is_some_and(|entries| entries.iter().any(told))
    });

    // What cannot be read changes nothing, and a file that is gone neither.
    let refusals = |server: &Server| {
        let metrics = server.admin("/metrics").text();
        metrics.contains("mcp_rag_config_reloads_total{outcome=\"refused\"} 1")
    };
    write(server.home(), "rerankers = true\n");
    eventually("the mistake is refused", || refusals(&server));
    assert!(server.log().contains("there are reranker, chat_model, next_space, cache"));
    fs::remove_file(server.home().join("flags.toml")).expect("it was there");
    server.log().await_line(0, |line| line.message().contains("flags.file is gone"));
    assert_eq!(search(&server, "allow")["degraded"], off);

    write(server.home(), "reranker = true\n");
    eventually("the flags are turned back", || flags(&server)["values"]["cache"] == json!(true));
    assert_eq!(search(&server, "forbid")["degraded"], json!([]));
    assert_eq!(server.post("/v1/answers", &question).ok(200)["model"], "tiny-chat");
    eventually("that is told too", || gauge(&server, "reranker") == "1");
    server.stop();
}

#[test]
fn a_space_is_searched_by_a_flag_before_it_is_activated_and_left_again_at_once() {
    let model = Model::start();
    let mut server = Server::builder()
        .set("embedder.next.kind", "openai")
        .set("embedder.next.base_url", model.url())
        .set("embedder.next.model", "hashed-words")
        .set("embedder.next.dimensions", DIMENSIONS)
        .set("flags.file", "flags.toml")
        .set("reload.interval_ms", 50)
        .start();
    filled(&server);
    write(server.home(), "next_space = true\n");
    eventually("the flag is turned", || flags(&server)["values"]["next_space"] == json!(true));
    let query = |text: &str| server.search(&json!({"query": text, "mode": "dense"}));
    assert_eq!(
        query("fox one")["degraded"],
        json!([]),
        "there is no such space yet: the active one is searched"
    );
    let built = server.post("/v1/spaces", &json!({})).ok(202);
    let job = built["job"].as_str().expect("a job").to_owned();
    eventually("the space is complete", || {
        server.get(&format!("/v1/jobs/{job}")).ok(200)["status"] == "succeeded"
    });
    // The next model alone can say no, and so tells which space was searched.
    model.set(Endpoint::Embeddings, Behaviour::Status(500));
    eventually("the next space is searched", || query("fox two")["degraded"][0]["stage"] == "embedder");
    write(server.home(), "next_space = false\n");
    eventually("the active one is searched again", || query("fox three")["degraded"] == json!([]));
    let spaces = server.get("/v1/spaces").ok(200);
    assert_eq!(spaces["data"][0]["state"], "active", "no flag changes the database: {spaces}");
    server.stop();
}

#[test]
fn launchdarkly_turns_flags_also_for_one_tenant_and_its_last_values_stay_while_it_is_away() {
    let launchdarkly = LaunchDarkly::start("sdk-test-51d0c7");
    launchdarkly.turn("mcp-rag-reranker", true, &[]);
    let address = ([127, 0, 0, 1], launchdarkly.port()).into();
    let proxy = Proxy::start(Upstream::Tcp(address));
    let model = Model::start();
    let home: TempDir = tempfile::tempdir().expect("a directory");
    let mut server = builder(&model)
        .set("flags.provider", "launchdarkly")
        .set("flags.launchdarkly.base_url", format!("http://{}", proxy.address()))
        .env("MCP_RAG__FLAGS__LAUNCHDARKLY__SDK_KEY", "sdk-test-51d0c7")
        .start_in(home);
    filled(&server);
    let shown = flags(&server);
    assert_eq!(
        (&shown["provider"], &shown["state"]),
        (&json!("launchdarkly"), &json!("connected")),
        "{shown}"
    );
    assert_eq!(
        shown["values"]["cache"],
        json!(true),
        "a flag that is not there has the value of the settings"
    );
    assert_eq!(search(&server, "forbid")["degraded"], json!([]));

    launchdarkly.turn("mcp-rag-reranker", false, &[]);
    eventually("the stream brings the change", || search(&server, "allow")["degraded"] != json!([]));
    launchdarkly.turn("mcp-rag-reranker", false, &[("tenant", "ten_1")]);
    eventually("a tenant has it another way", || search(&server, "allow")["degraded"] == json!([]));
    assert_eq!(flags(&server)["values"]["reranker"], json!(false), "others have it as before");

    proxy.set(Fault::Cut);
    eventually("it is away", || flags(&server)["state"] == "away");
    assert_eq!(search(&server, "forbid")["degraded"], json!([]), "the last value stays");
    launchdarkly.turn("mcp-rag-reranker", false, &[]);
    proxy.set(Fault::None);
    eventually("it is back, with what changed meanwhile", || {
        search(&server, "allow")["degraded"] != json!([])
    });
    assert!(
        launchdarkly.heard().iter().all(|line| line == "GET /all HTTP/1.1"),
        "nothing else is told to it"
    );
    server.stop();
    assert!(!server.log().contains("sdk-test"));
}

#[test]
fn a_server_starts_with_the_settings_flags_where_launchdarkly_is_away_or_refuses_its_key() {
    let launchdarkly = LaunchDarkly::start("sdk-right");
    let url = format!("http://127.0.0.1:{}", launchdarkly.port());
    let nobody = format!("http://127.0.0.1:{}", mcp_rag_chaos::free_port());
    for (url, state) in [(url, "refused"), (nobody, "away")] {
        let mut server = Server::builder()
            .set("flags.provider", "launchdarkly")
            .set("flags.launchdarkly.base_url", url)
            .set("flags.launchdarkly.wait_ms", 500)
            .set("flags.cache", false)
            .env("MCP_RAG__FLAGS__LAUNCHDARKLY__SDK_KEY", "sdk-wrong")
            .start();
        let shown = flags(&server);
        assert_eq!((&shown["state"], &shown["values"]["cache"]), (&json!(state), &json!(false)), "{shown}");
        server.stop();
    }
    let (code, said) = Server::builder().set("flags.provider", "launchdarkly").start_refused();
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("flags__launchdarkly__sdk_key"), "{said}");
}
