//! A collection given out and taken in again, with its vectors and without.

use crate::support::{Server, binary};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/v1/collections/docs/documents";

fn embedded(server: &Server) -> f64 {
    let metrics = server.admin("/metrics").text();
    let lines = metrics.lines().filter(|line| line.starts_with("mcp_rag_embedder_batch_texts_sum"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Documents of several kinds, some with more than one chunk.
fn filled() -> Server {
    let server = Server::start();
    server.create_with(
        &json!({"name": "docs", "language": "en", "chunking": {"max_tokens": 64, "overlap_tokens": 8}}),
    );
    let text = |n: usize| format!("The ferry number {n} crosses the strait at hour {n}. ").repeat(1 + n % 9);
    let documents: Vec<Value> = (0..250)
        .map(|n| {
            json!({"external_id": format!("ferry/{n}"), "text": text(n), "attributes": {"n": n},
                "uri": format!("https://x/{n}"), "acl": ["crew"], "expires_at": "2100-01-01T00:00:00Z"})
        })
        .collect();
    server.ingest_json("docs", &documents);
    let html = "<html><title>Harbour</title><body><p>The harbour master counts ferries.</p></body></html>";
    server.send(Method::PUT, &format!("{PATH}/page?wait=true"), "text/html", html).ok(201);
    server.send(
        Method::PUT,
        &format!("{PATH}/latin?wait=true"),
        "text/plain",
        b"caf\xe9 am Hafen, sch\xf6n".to_vec(),
    );
    server
}

fn lines(export: &str) -> Vec<Value> {
    export.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The best result as it is, and all true scores: which of several that score alike comes first is not said.
fn results(server: &Server, collection: &str, query: &str, mode: &str) -> (Value, Vec<i64>) {
    let found =
        server.search(&json!({"query": query, "collections": [collection], "mode": mode, "top_k": 20}));
    let results = found["results"].as_array().expect("results");
    let score = |one: &Value| (one["score"].as_f64().expect("a score") * 1e3).round() as i64;
    let best = &results[0];
    let best = json!([best["external_id"], best["text"], best["attributes"], best["title"], best["uri"]]);
    // Scaled scores depend on which of those that score alike are candidates.
    let scores = if mode == "hybrid" { Vec::new() } else { results.iter().map(score).collect() };
    (best, scores)
}

#[test]
fn an_export_with_vectors_is_taken_in_elsewhere_with_the_same_results_and_nothing_embedded() {
    let server = filled();
    let reply = server.get("/v1/collections/docs/export?vectors=true");
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/x-ndjson"));
    let export = reply.text();
    let all = lines(&export);
    assert_eq!(all[0]["export"]["collection"]["chunking"]["max_tokens"], 64);
    assert_eq!(all[all.len() - 1], json!({"complete": {"documents": 252}}));
    let ids: std::collections::HashSet<_> =
        all.iter().filter_map(|line| line["external_id"].as_str()).collect();
    assert_eq!((all.len(), ids.len()), (254, 252), "each document once");
    let one = all.iter().find(|line| line["external_id"] == "ferry/17").expect("it is there");
    assert_eq!(one["expires_at"], "2100-01-01T00:00:00Z");
    let chunk = &one["vectors"]["chunks"][0];
    let vector = STANDARD.decode(chunk["vector"].as_str().expect("base64")).expect("base64");
    assert_eq!((vector.len(), chunk["content_hash"].as_str().map(str::len)), (384 * 2, Some(64)));
    let latin = all.iter().find(|line| line["external_id"] == "latin").expect("it is there");
    assert!(latin["text"].is_null() && latin["content"].is_string(), "what is no UTF-8 goes as bytes");

    let queries = [("ferry at hour 7", "hybrid"), ("harbour master", "dense"), ("strait 12", "lexical")];
    let before: Vec<_> = queries.iter().map(|(query, mode)| results(&server, "docs", query, mode)).collect();
    let document = server.document("docs", "ferry/17").ok(200);
    server.delete("/v1/collections/docs").ok(200);
    // Elsewhere: a server that has never seen them.
    let other = Server::start();
    other.create_with(
        &json!({"name": "copy", "language": "en", "chunking": {"max_tokens": 64, "overlap_tokens": 8}}),
    );
    let idle = embedded(&other);
    let receipt =
        other.send(Method::POST, "/v1/collections/copy/import", "application/x-ndjson", export).ok(202);
    assert_eq!((&receipt["accepted"], &receipt["rejected"]), (&json!(252), &json!([])), "{receipt}");
    assert_eq!(receipt["vectors"]["of_other_models"], 0);
    let job = other.await_job(receipt["job"].as_str().expect("a job"));
    assert_eq!(job["status"], "succeeded", "{job}");
    assert!(embedded(&other) - idle < 0.5, "{} texts were embedded", embedded(&other) - idle);
    let chunks = other.get("/v1/collections/copy").ok(200)["chunks"].clone();
    assert_eq!(receipt["vectors"]["reusable"], chunks, "every vector is some chunk's");
    for ((query, mode), before) in queries.iter().zip(&before) {
        assert_eq!(results(&other, "copy", query, mode), *before, "{mode}");
    }
    let copied = other.document("copy", "ferry/17").ok(200);
    for field in ["title", "uri", "media_type", "attributes", "acl", "expires_at", "chunks"] {
        assert_eq!(copied[field], document[field], "{field}");
    }
    let staged = other.sql("mcp_rag_owner", "SELECT count(*) FROM staged_embeddings").expect("it runs");
    assert_eq!(staged, [[Some("0".to_owned())]], "nothing stays behind");
}

#[test]
fn vectors_of_another_model_are_left_aside_and_what_is_none_is_refused_line_by_line() {
    let server = Server::start();
    server.create("docs");
    let import = |lines: &[Value]| {
        let body = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        server.send(Method::POST, "/v1/collections/docs/import", "application/x-ndjson", body)
    };
    let vectors = |model: &str, vector: &str| json!({"model": model, "dimensions": 2, "chunks": [{"content_hash": "ab".repeat(32), "vector": vector}]});
    let receipt = import(&[
        json!({"export": {"version": 1}}),
        json!({"external_id": "a", "text": "Plain.", "vectors": vectors("another", "AAAAAA==")}),
        json!({"external_id": "b", "text": "Wrong.", "vectors": vectors("another", "AAA=")}),
        json!({"external_id": "c", "text": "Without."}),
        json!({"complete": {"documents": 3}}),
        json!({"complete": {"documents": 3}, "text": "x"}),
    ])
    .ok(202);
    assert_eq!(receipt["accepted"], 2, "{receipt}");
    assert_eq!(receipt["vectors"], json!({"reusable": 0, "of_other_models": 1}));
    let rejected: Vec<_> =
        receipt["rejected"].as_array().expect("a list").iter().map(|one| &one["line"]).collect();
    assert_eq!(rejected, [3, 6], "{receipt}");
    server.await_job(receipt["job"].as_str().expect("a job"));
    assert!(embedded(&server) > 0.5);
    server
        .send(Method::POST, "/v1/collections/docs/import", "text/plain", "x")
        .error(415, "unsupported_media_type");
    server.get("/v1/collections/nowhere/export").error(404, "not_found");
    let refused = server.get("/v1/collections/docs/export?vector=true");
    assert_eq!(refused.status, 400, "{}", refused.text());
}

#[test]
fn an_export_without_vectors_is_smaller_and_an_empty_collection_says_that_it_is_whole() {
    let server = filled();
    server.create("empty");
    assert_eq!(
        lines(&server.get("/v1/collections/empty/export").text())[1],
        json!({"complete": {"documents": 0}})
    );
    let (plain, full) =
        (server.get("/v1/collections/docs/export"), server.get("/v1/collections/docs/export?vectors=true"));
    assert!(plain.body.len() * 3 < full.body.len(), "{} of {}", plain.body.len(), full.body.len());
    assert!(!plain.text().contains("vectors"));
}

#[test]
fn the_command_line_writes_a_collection_to_a_file_and_takes_it_in_again() {
    let server = filled();
    let run = |arguments: &[&str]| {
        let mut command = binary(server.home());
        command.args(arguments).args(["--json", "--server", &server.url()]);
        let output = command.output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        (output.status.code(), body, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, body, error) = run(&["export", "docs", "docs.ndjson", "--vectors"]);
    assert_eq!((status, &body["documents"]), (Some(0), &json!(252)), "{error}");
    assert!(!server.home().join("docs.ndjson.partial").exists());
    let before = embedded(&server);
    let (status, body, error) = run(&["import", "copy", "docs.ndjson"]);
    assert_eq!((status, &body["accepted"], &body["rejected"]), (Some(0), &json!(252), &json!([])), "{error}");
    assert!((embedded(&server) - before).abs() < 0.5, "nothing was embedded");
    let copy = server.get("/v1/collections/copy").ok(200);
    let docs = server.get("/v1/collections/docs").ok(200);
    for field in ["chunking", "language", "documents", "chunks"] {
        assert_eq!(copy[field], docs[field], "{field}");
    }
    // A file that was cut off is taken in as far as it goes, and said to be cut off.
    let text = std::fs::read_to_string(server.home().join("docs.ndjson")).expect("the file");
    let cut: Vec<&str> = text.lines().take(100).collect();
    std::fs::write(server.home().join("cut.ndjson"), cut.join("\n")).expect("written");
    let (status, body, _) = run(&["import", "cut", "cut.ndjson"]);
    assert_eq!((status, &body["accepted"], &body["complete"]), (Some(1), &json!(99), &json!(false)));
    let (status, _, error) = run(&["export", "nowhere", "nowhere.ndjson"]);
    assert!(status == Some(1) && error.contains("not found"), "{error}");
}
