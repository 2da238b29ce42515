//! An embedding model behind HTTP that answers, refuses, lies, is silent, and comes back.

use crate::support::{Builder, PATIENCE, Server, eventually};
use crate::tools::{breaker, document};
use mcp_rag_chaos::model::{Behaviour, DIMENSIONS, Endpoint, Model};
use serde_json::{Value, json};
use std::cell::Cell;
use std::time::{Duration, Instant};

const KEY: &str = "sk-test-4f1c9d2e7b";

fn builder(model: &Model) -> Builder {
    Server::builder()
        .set("embedder.kind", "openai")
        .set("embedder.base_url", model.url())
        .set("embedder.model", "hashed-words")
        .set("embedder.dimensions", DIMENSIONS)
        .set("embedder.timeout_ms", 400)
        .set("embedder.passage_timeout_ms", 2000)
        .env("MCP_RAG__EMBEDDER__API_KEY", KEY)
}

fn filled(builder: Builder) -> Server {
    let server = builder.start();
    server.create("kept");
    server.ingest_json("kept", &(0..20).map(|n| document(n, 0)).collect::<Vec<_>>());
    server
}

/// Searches that nobody made before.
struct Asker<'a> {
    server: &'a Server,
    asked: Cell<usize>,
}

impl<'a> Asker<'a> {
    fn new(server: &'a Server) -> Self {
        Self { server, asked: Cell::new(0) }
    }

    fn ask(&self) -> Value {
        self.asked.set(self.asked.get() + 1);
        let query = format!("the violin repairs varnish {}", self.asked.get());
        let found = self.server.search(&json!({"query": query, "collections": ["kept"]}));
        assert!(!found["results"].as_array().expect("results").is_empty(), "{found}");
        found
    }

    fn reason(&self) -> String {
        let found = self.ask();
        let degraded = found["degraded"].as_array().expect("degraded");
        assert_eq!(degraded.len(), 1, "{found}");
        assert_eq!(
            (&degraded[0]["stage"], &degraded[0]["fallback"]),
            (&json!("embedder"), &json!("lexical"))
        );
        let results = found["results"].as_array().expect("results");
        assert!(results.iter().all(|one| one["scores"]["dense"].is_null()), "{found}");
        degraded[0]["reason"].as_str().expect("a reason").to_owned()
    }

    #[track_caller]
    fn until_whole(&self) {
        eventually("searches are whole again", || self.ask()["degraded"] == json!([]));
        assert_eq!(breaker(self.server, "embedder")["state"], "closed");
        assert_eq!(breaker(self.server, "embedder")["opened_at"], Value::Null);
    }
}

#[test]
fn a_remote_embedder_finds_by_meaning_and_its_vectors_have_its_name() {
    let model = Model::start();
    let mut server = filled(builder(&model).set("embedder.query_prefix", "query: "));
    let found = Asker::new(&server).ask();
    assert!(found["results"][0]["scores"]["dense"].is_number(), "{found}");
    let asked = model.asked();
    let last = asked.last().expect("it was asked");
    assert_eq!(last.line, "POST /v1/embeddings HTTP/1.1");
    assert_eq!(last.authorization, format!("Bearer {KEY}"));
    assert_eq!(
        (&last.body["model"], &last.body["encoding_format"]),
        (&json!("hashed-words"), &json!("float"))
    );
    assert!(last.body["input"][0].as_str().is_some_and(|text| text.starts_with("query: the violin")));
    let build = server.get("/v1/system").ok(200)["build"].clone();
    assert_eq!(build["embedder"], json!({"model": "hashed-words", "dimensions": DIMENSIONS}));
    server.stop();
    assert!(!server.log().contains(KEY), "{}", server.log());
}

#[test]
fn embedders_of_the_other_forms_work_too() {
    for (kind, line, texts) in
        [("tei", "POST /v1/embed HTTP/1.1", "inputs"), ("ollama", "POST /v1/api/embed HTTP/1.1", "input")]
    {
        let model = Model::start();
        let mut server = filled(builder(&model).set("embedder.kind", kind));
        let found = Asker::new(&server).ask();
        assert_eq!(found["degraded"], json!([]), "{kind}: {found}");
        assert!(found["results"][0]["scores"]["dense"].is_number(), "{kind}: {found}");
        let last = model.asked().pop().expect("it was asked");
        assert_eq!(last.line, line);
        assert!(last.body[texts][0].as_str().is_some_and(|text| text.contains("violin")), "{kind}");
        server.stop();
    }
}

#[test]
fn an_embedder_that_fails_in_any_way_costs_the_dense_leg_only_and_no_time_once_its_circuit_is_open() {
    let model = Model::start();
    let mut server = filled(builder(&model));
    let asker = Asker::new(&server);
    for fault in [
        Behaviour::Status(500),
        Behaviour::Status(429),
        Behaviour::Garbage,
        Behaviour::Half,
        Behaviour::Silent,
        Behaviour::Slow(Duration::from_secs(5)),
    ] {
        asker.until_whole();
        model.set(Endpoint::Embeddings, fault.clone());
        let began = Instant::now();
        eventually("the circuit opens", || asker.reason() == "circuit_open");
        let opened = breaker(&server, "embedder");
        assert_ne!(opened["state"], "closed", "{fault:?}: {opened}");
        assert!(opened["opened_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{opened}");
        let refused = server.post(
            "/v1/search",
            &json!({"query": format!("{fault:?}"), "collections": ["kept"], "degrade": "forbid"}),
        );
        refused.error(503, "degraded");
        println!("{fault:?}: opened after {:?}", began.elapsed());
        model.heal();
    }
    asker.until_whole();
    let actors = server.get("/v1/system").ok(200)["actors"].clone();
    assert!(actors.as_array().expect("actors").iter().all(|actor| actor["restarts"] == 0), "{actors}");
    server.stop();
    assert!(!server.log().contains(KEY), "{}", server.log());
}

#[test]
fn an_answer_whose_sentences_were_chosen_without_the_embedder_says_so() {
    let model = Model::start();
    let mut server = filled(builder(&model));
    model.set(Endpoint::Embeddings, Behaviour::Status(500));
    // The search needs no embedding; choosing the sentences does.
    let mut question = json!({"question": "What does the violin repair?", "mode": "lexical"});
    let answer = server.post("/v1/answers", &question).ok(200);
    let told = json!([{"stage": "embedder", "reason": "failed", "fallback": "lexical"}]);
    assert_eq!(answer["degraded"], told, "{answer}");
    question["degrade"] = json!("forbid");
    server.post("/v1/answers", &question).error(503, "degraded");
    server.stop();
}

#[test]
fn an_open_circuit_asks_nobody_and_a_half_open_one_asks_once() {
    let model = Model::start();
    let mut server = filled(builder(&model));
    let asker = Asker::new(&server);
    model.set(Endpoint::Embeddings, Behaviour::Silent);
    let state = || breaker(&server, "embedder")["state"].clone();
    let mut probed = 0;
    let deadline = Instant::now() + PATIENCE;
    while probed < 3 {
        assert!(Instant::now() < deadline);
        eventually("the circuit is open", || {
            if state() == "closed" {
                asker.reason();
            }
            state() == "open"
        });
        let before = model.requests(Endpoint::Embeddings);
        let began = Instant::now();
        assert_eq!(asker.reason(), "circuit_open");
        let took = began.elapsed();
        assert!(took < Duration::from_millis(350), "less than embedder.timeout_ms: {took:?}");
        assert_eq!(model.requests(Endpoint::Embeddings), before);

        eventually("it is half open", || state() == "half_open");
        std::thread::scope(|scope| {
            for n in 0..12 {
                let (server, body) =
                    (&server, json!({"query": format!("probe {probed} of {n}"), "collections": ["kept"]}));
                // The probe itself meets silence: nobody may have waited for it.
                scope.spawn(move || {
                    let told =
                        json!([{"stage": "embedder", "reason": "circuit_open", "fallback": "lexical"}]);
                    assert_eq!(server.search(&body)["degraded"], told);
                });
            }
        });
        eventually("it was asked", || model.requests(Endpoint::Embeddings) > before);
        assert_eq!(model.requests(Endpoint::Embeddings), before + 1, "one probe");
        probed += 1;
    }
    model.heal();
    asker.until_whole();
    server.stop();
}

#[test]
fn documents_wait_for_an_embedder_that_is_away_and_become_searchable_when_it_is_back() {
    let model = Model::start();
    let mut server = filled(builder(&model));
    model.set(Endpoint::Embeddings, Behaviour::Status(500));
    let receipt = server.ndjson("kept", &document(100, 0).to_string()).ok(202);
    eventually("the circuit opens", || breaker(&server, "embedder")["state"] == "open");
    assert_ne!(server.document("kept", "doc-100").ok(200)["status"], "ready");
    model.heal();
    let job = server.await_job(receipt["job"].as_str().expect("a job"));
    assert_eq!((&job["status"], &job["progress"]["failed"]), (&json!("succeeded"), &json!(0)), "{job}");
    server.stop();
}

#[test]
fn vectors_of_another_length_are_never_stored() {
    let model = Model::start();
    // It replies with its own 384 numbers whatever it is told.
    let mut server = builder(&model).set("embedder.dimensions", 512).start();
    server.create("kept");
    server.ndjson("kept", &document(1, 0).to_string()).ok(202);
    eventually("the circuit opens", || breaker(&server, "embedder")["state"] != "closed");
    assert_ne!(server.document("kept", "doc-1").ok(200)["status"], "ready");
    server.stop();
    let (code, log) = Server::builder().set("embedder.kind", "tei").start_refused();
    assert_eq!(code, Some(78));
    assert!(log.contains("embedder.base_url"), "{log}");
}
