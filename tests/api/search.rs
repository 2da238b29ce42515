use crate::support::{Server, ids};
use serde_json::{Value, json};

const ANIMALS: [(&str, &str); 6] = [
    ("fox", "The red fox hunts mice in the meadow at dusk."),
    ("whale", "Whales sing to each other across the ocean."),
    ("bee", "Bees dance to tell the hive where flowers are."),
    ("owl", "Owls fly without a sound and hunt at night."),
    ("ant", "Ants follow trails of scent back to the colony."),
    ("eel", "Eels cross a whole ocean to spawn in one sea."),
];

fn server() -> Server {
    let server = Server::start();
    server.create("animals");
    server.ingest("animals", &ANIMALS);
    server
}

fn numbers(found: &Value, of: impl Fn(&Value) -> &Value) -> Vec<f64> {
    let results = found["results"].as_array().expect("results");
    results.iter().map(|result| of(result).as_f64().unwrap_or(f64::NAN)).collect()
}

#[test]
fn each_mode_ranks_by_its_own_scores_and_tells_them() {
    let server = server();
    let ask = |mode: &str| server.search(&json!({"query": "owls hunt at night", "mode": mode}));

    let dense = ask("dense");
    let scores = numbers(&dense, |result| &result["score"]);
    assert_eq!(scores.len(), 6);
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores[0] <= 1.0001, "{scores:?}");
    assert_eq!(scores, numbers(&dense, |result| &result["scores"]["dense"]));
    assert_eq!(ids(&dense)[0], "owl");

    let lexical = ask("lexical");
    let scores = numbers(&lexical, |result| &result["score"]);
    assert_eq!(ids(&lexical), ["owl", "fox"], "only what holds a word of the query");
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores[1] > 0.0, "{scores:?}");
    assert_eq!(scores, numbers(&lexical, |result| &result["scores"]["lexical"]));

    let hybrid = ask("hybrid");
    assert_eq!(hybrid["results"].as_array().map(Vec::len), Some(6));
    assert_eq!(ids(&hybrid)[..2], ["owl", "fox"]);
    let best = &hybrid["results"][0];
    assert!(best["scores"]["dense"].is_number() && best["scores"]["lexical"].is_number(), "{best}");
    assert_eq!(best["scores"]["rerank"], Value::Null);
    assert!(numbers(&hybrid, |result| &result["score"]).is_sorted_by(|a, b| a >= b));
    let default = server.search(&json!({"query": "owls hunt at night"}));
    assert_eq!(ids(&default), ids(&hybrid), "hybrid is the default");
}

#[test]
fn a_result_carries_its_source_and_the_response_its_state() {
    let server = Server::start();
    server.create("docs");
    let body = json!({
        "text": "# Tower\n\n## Lamp\n\nThe lamp of the tower burns oil.", "title": "Lighthouse", "uri": "https://x/1",
        "media_type": "text/markdown", "attributes": {"year": 1901},
    });
    let document = server.put_document("docs", "light", &body).ok(201);
    let found = server.search(&json!({"query": "lamp oil"}));
    let result = &found["results"][0];
    assert_eq!(result["document_id"], document["document"]["id"]);
    for (field, expected) in [
        ("external_id", json!("light")),
        ("collection", json!("docs")),
        ("title", json!("Lighthouse")),
        ("uri", json!("https://x/1")),
        ("attributes", json!({"year": 1901})),
    ] {
        assert_eq!(result[field], expected, "{field}");
    }
    assert!(
        result["chunk_id"].is_string() && result["text"].as_str().is_some_and(|text| text.contains("oil"))
    );
    assert_eq!(found["degraded"], json!([]));
    assert_eq!((&found["complete"], &found["truncated"]), (&json!(true), &json!(false)));
    assert_eq!((&found["next_cursor"], &found["cached"]), (&Value::Null, &json!(false)));
    for timing in ["embed_ms", "search_ms", "total_ms"] {
        assert!(found["timings"][timing].as_f64().is_some_and(|ms| ms > 0.0), "{timing}: {found}");
    }
}

#[test]
fn fewer_results_come_back_for_top_k_min_score_and_max_tokens() {
    let server = server();
    let query = "animals of the ocean";
    let all = server.search(&json!({"query": query, "mode": "dense"}));
    let scores = numbers(&all, |result| &result["score"]);
    let two = server.search(&json!({"query": query, "mode": "dense", "top_k": 2}));
    assert_eq!(ids(&two), ids(&all)[..2]);

    let middle = (scores[2] + scores[3]) / 2.0;
    let better = server.search(&json!({"query": query, "mode": "dense", "min_score": middle}));
    assert_eq!(ids(&better), ids(&all)[..3]);

    let tokens = numbers(&all, |result| &result["tokens"]);
    let budget = tokens[0] + tokens[1] + 1.0;
    let packed = server.search(&json!({"query": query, "mode": "dense", "max_tokens": budget as u64}));
    assert_eq!(ids(&packed), ids(&all)[..2]);
    assert_eq!((&packed["truncated"], &all["truncated"]), (&json!(true), &json!(false)));
    let tiny = server.search(&json!({"query": query, "mode": "dense", "max_tokens": 1}));
    assert_eq!(ids(&tiny), ids(&all)[..1], "the best one always comes");
}

#[test]
fn a_vector_takes_the_place_of_the_embedded_text() {
    let server = server();
    let stored = server.sql_of_tenant(
        1,
        "SELECT e.embedding::text FROM embeddings e JOIN chunks USING (tenant_id, chunk_id) \
         JOIN documents d ON d.tenant_id = chunks.tenant_id AND d.document_id = chunks.document_id \
         WHERE d.external_id = 'bee'",
    );
    let vector: Value = serde_json::from_str(stored[0][0].as_deref().expect("a vector")).expect("numbers");
    assert_eq!(vector.as_array().map(Vec::len), Some(384));
    let dense = server.search(&json!({"embedding": vector, "mode": "dense"}));
    assert_eq!(ids(&dense)[0], "bee");
    assert!((dense["results"][0]["score"].as_f64().expect("a score") - 1.0).abs() < 0.002, "{dense}");
    // In a hybrid search the words still do their part.
    let hybrid = server.search(&json!({"query": "whales", "embedding": vector, "top_k": 2}));
    let mut both = ids(&hybrid);
    both.sort();
    assert_eq!(both, ["bee", "whale"]);
    // The length of a vector says nothing: cosine compares directions.
    let doubled: Vec<f64> =
        vector.as_array().into_iter().flatten().map(|x| x.as_f64().unwrap_or(0.0) * 1e3).collect();
    let same = server.search(&json!({"embedding": doubled, "mode": "dense"}));
    assert_eq!(ids(&same), ids(&dense));
    let error = server.post("/v1/search", &json!({"query": "x", "embedding": vector, "mode": "lexical"}));
    assert_eq!(error.error(400, "invalid_request")["param"], "embedding");
    let error = server.post("/v1/search", &json!({"embedding": vector})).error(400, "invalid_request");
    assert_eq!(error["param"], "query", "a hybrid search needs words");
}

#[test]
fn a_search_sees_the_named_collections_and_no_others() {
    let server = server();
    server.create("plants");
    server.create("empty");
    server.ingest(
        "plants",
        &[("fox", "The foxglove blooms at dusk in the meadow."), ("oak", "Oaks live long.")],
    );
    let of = |collections: Value, mode: &str| {
        let found =
            server.search(&json!({"query": "meadow at dusk", "collections": collections, "mode": mode}));
        let mut names: Vec<String> = found["results"]
            .as_array()
            .expect("results")
            .iter()
            .map(|result| result["collection"].as_str().expect("a name").to_owned())
            .collect();
        names.sort();
        names.dedup();
        names
    };
    for mode in ["hybrid", "dense", "lexical"] {
        assert_eq!(of(json!(["animals"]), mode), ["animals"]);
        assert_eq!(of(json!(["plants"]), mode), ["plants"]);
        assert_eq!(of(json!(["plants", "animals", "plants"]), mode), ["animals", "plants"]);
        assert_eq!(of(Value::Null, mode), ["animals", "plants"]);
        assert!(of(json!(["empty"]), mode).is_empty());
    }
    let unknown = server.post("/v1/search", &json!({"query": "x", "collections": ["animals", "nowhere"]}));
    assert_eq!(unknown.error(404, "not_found")["param"], "collections");
    server.post("/v1/search", &json!({"query": "x", "collections": []})).error(400, "invalid_request");
}

#[test]
fn a_repeated_search_is_cached_until_something_changes() {
    let server = server();
    server.create("other");
    let ask = || server.search(&json!({"query": "ocean song", "collections": ["animals"]}));
    let first = ask();
    let second = ask();
    assert_eq!((&first["cached"], &second["cached"]), (&json!(false), &json!(true)));
    assert_eq!(first["results"], second["results"]);
    assert!(second["timings"]["total_ms"].as_f64() < first["timings"]["total_ms"].as_f64());
    let narrower = server.search(&json!({"query": "ocean song", "collections": ["animals"], "top_k": 3}));
    assert_eq!(narrower["cached"], false, "another question");
    // A write elsewhere changes nothing here; each kind of write here is seen at once.
    server.ingest("other", &[("x", "The ocean song of elsewhere.")]);
    assert_eq!(ask()["cached"], true);
    server.put_document("animals", "seal", &json!({"text": "The seal sings an ocean song."})).ok(201);
    let after = ask();
    assert_eq!((&after["cached"], &after["results"][0]["external_id"]), (&json!(false), &json!("seal")));
    assert_eq!(ask()["cached"], true);
    server.put_document("animals", "seal", &json!({"text": "The seal sleeps on ice."})).ok(200);
    let replaced = ask();
    assert_eq!(replaced["cached"], false);
    assert_ne!(replaced["results"][0]["external_id"], "seal");
    server.delete(&Server::document_path("animals", "whale")).ok(200);
    let deleted = ask();
    assert_eq!(deleted["cached"], false);
    assert!(ids(&deleted).iter().all(|id| id != "whale"), "{deleted}");
}

#[test]
fn a_write_is_seen_by_the_next_search_even_under_load() {
    let server = server();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let (server, over) = (&server, &over);
            scope.spawn(move || {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    server.search(&json!({"query": "ocean", "mode": "lexical"}));
                }
            });
        }
        let missed: Vec<usize> = (0..60)
            .filter(|n| {
                let word = format!("zq{n}x");
                server.put_document("animals", "news", &json!({"text": format!("The word {word}.")}));
                server.search_in("animals", &word, "lexical") != ["news"]
            })
            .collect();
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(missed.is_empty(), "these writes were not seen by their own client: {missed:?}");
    });
}

#[test]
fn a_hybrid_search_is_never_empty_where_a_leg_finds_something() {
    let server = server();
    // No word of the query is in a document: only the dense leg finds.
    let dense_only = server.search(&json!({"query": "zoological creatures", "top_k": 3}));
    assert_eq!(dense_only["results"].as_array().map(Vec::len), Some(3));
    assert!(
        dense_only["results"].as_array().into_iter().flatten().all(|one| one["scores"]["dense"].is_number())
    );
    // An identifier means nothing to the model: the lexical leg's find must come first.
    server.put_document("animals", "error", &json!({"text": "Seen: QX7731Z in the log."})).ok(201);
    assert_eq!(server.search_in("animals", "QX7731Z", "hybrid")[0], "error");
    // Stop words alone leave the lexical leg nothing.
    assert!(server.search_in("animals", "the of and", "lexical").is_empty());
    assert!(!server.search_in("animals", "the of and", "hybrid").is_empty());
}

#[test]
fn asking_for_a_reranker_that_is_not_there_is_said_or_refused() {
    let server = server();
    let found = server.search(&json!({"query": "ocean", "rerank": true}));
    assert_eq!(found["degraded"][0]["stage"], "reranker");
    assert!(!ids(&found).is_empty());
    let forbidden =
        server.post("/v1/search", &json!({"query": "ocean", "rerank": true, "degrade": "forbid"}));
    let error = forbidden.error(503, "degraded");
    assert!(error["message"].as_str().is_some_and(|message| message.contains("reranker")), "{error}");
    assert_eq!(server.search(&json!({"query": "ocean", "degrade": "forbid"}))["degraded"], json!([]));
}

#[test]
fn searches_see_the_same_after_a_restart() {
    let mut server = server();
    let before = server.search(&json!({"query": "hunting at night"}));
    server.restart();
    let after = server.search(&json!({"query": "hunting at night"}));
    assert_eq!(before["results"], after["results"]);
    server.stop();
}
