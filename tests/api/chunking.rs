//! How a collection cuts its documents, and what that means for what is found.

use crate::support::Server;
use serde_json::{Value, json};

const FACTS: &str = "The museum opened in 1893. Its founder was a whaler from Genoa. He collected maps of every coast \
    he saw. The lighthouse beside it is made of white granite. It was lit by whale oil at first. Electric light came \
    after the war. Visitors climb two hundred steps to the lamp. The view reaches the mountains on clear days. A cafe \
    at the foot sells waffles. The harbour master keeps the key.";

fn create(server: &Server, name: &str, chunking: &Value) -> Value {
    server.create_with(&json!({"name": name, "chunking": chunking}))
}

fn results(server: &Server, collection: &str, query: &str, mode: &str) -> Vec<Value> {
    let body = json!({"query": query, "collections": [collection], "mode": mode, "top_k": 100});
    server.search(&body)["results"].as_array().expect("results").clone()
}

fn at(span: &Value) -> std::ops::Range<usize> {
    let offset = |name: &str| usize::try_from(span[name].as_u64().expect("an offset")).expect("small");
    offset("start")..offset("end")
}

#[test]
fn each_strategy_is_stored_shown_and_checked() {
    let server = Server::start();
    let shown = |name: &str, chunking: Value| create(&server, name, &chunking)["chunking"].clone();
    assert_eq!(
        shown("a", json!({"strategy": "sentence_window", "max_tokens": 128, "window_sentences": 2})),
        json!({"strategy": "sentence_window", "max_tokens": 128, "overlap_tokens": 32, "window_sentences": 2, "context": "none"})
    );
    assert_eq!(
        shown("b", json!({"strategy": "tokens", "max_tokens": 32})),
        json!({"strategy": "tokens", "max_tokens": 32, "overlap_tokens": 16, "context": "none"}),
        "what was not asked for gives way"
    );
    assert_eq!(shown("c", json!({"strategy": "code"}))["strategy"], "code");
    assert_eq!(server.get("/v1/collections/a").ok(200)["chunking"]["window_sentences"], 2);
    for (chunking, param) in [
        (json!({"strategy": "sentence_window", "window_sentences": 11}), "chunking.window_sentences"),
        (json!({"strategy": "sentence_window", "window_sentences": 0}), "chunking.window_sentences"),
        (json!({"window_sentences": 2}), "chunking.window_sentences"),
        (json!({"strategy": "magic"}), "chunking.strategy"),
        (json!({"context": "magic"}), "chunking.context"),
        (json!({"context": "llm"}), "chunking.context"),
    ] {
        let body = json!({"name": "x", "chunking": chunking});
        let error = server.post("/v1/collections", &body).error(400, "invalid_request");
        assert_eq!(error["param"], param, "{body}");
    }
    let refused = server.post("/v1/collections", &json!({"name": "x", "chunking": {"context": "llm"}}));
    let message = refused.error(400, "invalid_request")["message"].to_string();
    assert!(message.contains("generator.kind"), "names the remedy: {message}");
    let error = server.post("/v1/collections", &json!({"name": "x", "chunking": {"window": 2}}));
    error.error(400, "unknown_field");
}

#[test]
fn a_sentence_is_found_and_its_window_is_returned_once_with_true_bytes() {
    let server = Server::start();
    create(
        &server,
        "docs",
        &json!({"strategy": "sentence_window", "window_sentences": 1, "max_tokens": 128}),
    );
    server.put_document("docs", "museum", &json!({"text": FACTS, "title": "Harbour"})).ok(201);
    for mode in ["hybrid", "dense", "lexical"] {
        let found = results(&server, "docs", "who climbs the steps to the lamp", mode);
        let first = &found[0];
        assert_eq!(
            &FACTS[at(&first["match"])],
            "Visitors climb two hundred steps to the lamp.",
            "{mode}: {first}"
        );
        let span = at(&first["span"]);
        assert_eq!(&FACTS[span.clone()], first["text"].as_str().expect("text"));
        assert!(
            first["text"]
                .as_str()
                .is_some_and(|text| text.starts_with("Electric") && text.ends_with("days."))
        );
        // No result's sentence stands in a better result's window.
        for (place, result) in found.iter().enumerate() {
            let matched = at(&result["match"]);
            let hidden = |better: &Value| {
                let window = at(&better["span"]);
                window.start <= matched.start && matched.end <= window.end
            };
            assert!(!found[..place].iter().any(hidden), "{mode}: {result}");
        }
        assert!(found.len() < 10, "neighbours are one result");
    }
    let budget = json!({"query": "lighthouse", "collections": ["docs"], "max_tokens": 40});
    let packed = server.search(&budget);
    let tokens: i64 = packed["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|one| one["tokens"].as_i64().expect("tokens"))
        .sum();
    assert!(tokens <= 40 && packed["truncated"] == true, "the window counts: {tokens}");
    let answer = server
        .post("/v1/answers", &json!({"question": "What is the lighthouse made of?", "collections": ["docs"]}))
        .ok(200);
    let cited = answer["citations"].as_array().expect("citations");
    assert!(!cited.is_empty(), "{answer}");
    for citation in cited {
        assert_eq!(&FACTS[at(&citation["span"])], citation["quote"].as_str().expect("a quote"));
    }
}

#[test]
fn source_code_is_found_by_function_under_the_names_around_it() {
    let server = Server::start();
    create(&server, "code", &json!({"strategy": "code"}));
    let source = "class Duck(Bird):\n    def swim(self, pond):\n        self.position = (self.position + self.speed * pond.current) % pond.length\n        self.tired = True\n\n    # Loud.\n    def quack(self, times):\n        for number in range(times):\n            self.voice.play(self.sounds['quack'], volume=self.volume, number=number)\n        return times\n";
    let path = "/v1/collections/code/documents/duck.py?wait=true";
    server.send(reqwest::Method::PUT, path, "text/x-python", source).ok(201);
    let long: String = source.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>().repeat(6);
    let long = format!("class Duck(Bird):\n{long}");
    let path = "/v1/collections/code/documents/long.py?wait=true";
    server.send(reqwest::Method::PUT, path, "text/x-python", long.clone()).ok(201);
    let found = results(&server, "code", "quack volume", "lexical");
    let of_long: Vec<&Value> = found.iter().filter(|one| one["external_id"] == "long.py").collect();
    assert!(!of_long.is_empty(), "{found:?}");
    for result in &of_long {
        assert_eq!(&long[at(&result["span"])], result["text"].as_str().expect("text"));
        assert_eq!(result["headings"][0], "class Duck");
    }
    assert_eq!(server.get("/v1/collections/code/documents/long.py").ok(200)["media_type"], "text/x-python");
    assert_eq!(of_long[0]["headings"][1], "def quack", "{}", of_long[0]);
    assert!(
        of_long[0]["text"].as_str().is_some_and(|text| text.starts_with("    # Loud.")),
        "{}",
        of_long[0]
    );
}
