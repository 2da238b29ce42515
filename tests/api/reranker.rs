//! A reranking model in the server's own process. It is small and random, so its order is like no other; Hugging Face
//! transformers computed what it must be (`minilm/tests/cross_encoder`).

use crate::support::{Builder, Server, ids};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("minilm/tests/cross_encoder")
}

fn builder(folder: &Path) -> Builder {
    Server::builder().set("reranker.kind", "local").set("reranker.model_dir", folder.display())
}

/// Passages of the first query with their scores, best first.
fn expected() -> (String, Vec<(String, f64)>) {
    let lines = std::fs::read_to_string(model().join("expected.jsonl")).expect("the fixture");
    let cases: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let text = |case: &Value, key: &str| case[key].as_str().expect("a text").to_owned();
    let query = text(&cases[0], "query");
    let of_it = cases.iter().filter(|case| case["query"] == query.as_str()).take(7);
    let mut passages: Vec<_> =
        of_it.map(|case| (text(case, "text"), case["logit"].as_f64().expect("a score"))).collect();
    passages.sort_by(|one, other| other.1.total_cmp(&one.1));
    (query, passages)
}

#[test]
fn a_local_reranker_orders_results_by_what_it_reads_in_query_and_text() {
    let (query, passages) = expected();
    let mut server = builder(&model()).set("reranker.precision", "fp32").start();
    server.create("kept");
    let documents: Vec<Value> =
        passages.iter().map(|(text, _)| json!({"external_id": text, "text": text})).collect();
    server.ingest_json("kept", &documents);
    let ask = |top_k: usize, rerank: bool| {
        server.search(&json!({"query": query, "collections": ["kept"], "top_k": top_k, "rerank": rerank}))
    };
    let found = ask(7, true);
    assert_eq!(found["degraded"], json!([]), "{found}");
    assert_eq!(ids(&found), passages.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>());
    for (result, (text, expected)) in found["results"].as_array().expect("results").iter().zip(&passages) {
        let score = result["scores"]["rerank"].as_f64().expect("a score");
        assert!((score - expected).abs() < 1e-3, "{text}: {score}, not {expected}");
        assert_eq!(result["score"], result["scores"]["rerank"]);
    }
    // It chooses from more than are asked for, and only when asked.
    assert_eq!(ids(&ask(2, true)), ids(&found)[..2]);
    let plain = ask(7, false);
    assert_ne!(ids(&plain), ids(&found));
    assert_eq!(plain["results"][0]["scores"]["rerank"], Value::Null);
    let answer = json!({"question": query, "collections": ["kept"], "rerank": true});
    assert_eq!(server.post("/v1/answers", &answer).ok(200)["degraded"], json!([]));
    let breakers = server.get("/v1/system").ok(200)["breakers"].clone();
    let states = breakers.as_array().expect("breakers").iter();
    let reranker = states.clone().find(|breaker| breaker["name"] == "reranker");
    assert_eq!(reranker.map(|breaker| &breaker["state"]), Some(&json!("closed")), "{breakers}");
    assert!(server.log().last("reranking model ready").is_some());
    server.stop();
}

#[test]
fn a_folder_that_holds_no_cross_encoder_is_refused_with_the_setting_and_what_it_wants() {
    let (code, said) = Server::builder().set("reranker.kind", "local").start_refused();
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("reranker.model_dir") && said.contains("ms-marco-MiniLM-L-6-v2"), "{said}");

    let empty = tempfile::tempdir().expect("a directory");
    let other = tempfile::tempdir().expect("a directory");
    for file in ["tokenizer.json", "model.safetensors", "config.json"] {
        std::fs::copy(model().join(file), other.path().join(file)).expect("a copy");
    }
    let config = std::fs::read_to_string(other.path().join("config.json")).expect("the config");
    let config = config.replace(r#""0": "LABEL_0""#, r#""0": "LABEL_0", "1": "LABEL_1""#);
    std::fs::write(other.path().join("config.json"), config).expect("a file");
    for (folder, wrong) in [(empty.path(), "cannot read"), (other.path(), "several labels")] {
        let (code, said) = builder(folder).start_refused();
        assert_ne!(code, Some(0));
        let named = said.contains("reranker could not start") && said.contains("set reranker.model_dir");
        assert!(named && said.contains(wrong) && said.contains("config.json"), "{said}");
    }
}
