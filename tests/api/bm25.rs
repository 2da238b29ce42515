//! Lexical scores are BM25 itself (Lucene's variant), computed here from the texts.

use crate::support::Server;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Words that no stemmer and no list of stop words touches.
const WORDS: [&str; 12] = [
    "falcon", "copper", "walnut", "velvet", "tundra", "orchid", "garnet", "lantern", "cobalt", "saffron",
    "juniper", "quartz",
];

/// Document id → its words.
type Corpus = BTreeMap<String, Vec<&'static str>>;

/// A text of `length` words that depends on `seed` alone, with frequent and rare words.
fn words(seed: u64, length: usize) -> Vec<&'static str> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..length).map(|_| WORDS[usize::try_from((next() % 12).min(next() % 12)).expect("small")]).collect()
}

fn bm25(corpus: &Corpus, query: &[&str]) -> BTreeMap<String, f64> {
    let documents = corpus.len() as f64;
    let average = corpus.values().map(Vec::len).sum::<usize>() as f64 / documents;
    let mut scores = BTreeMap::new();
    for (id, words) in corpus {
        let mut score = 0.0;
        for term in query {
            let tf = words.iter().filter(|word| *word == term).count() as f64;
            let df = corpus.values().filter(|words| words.contains(term)).count() as f64;
            let idf = (1.0 + (documents - df + 0.5) / (df + 0.5)).ln();
            score += idf * tf / (tf + 1.2 * (0.25 + 0.75 * words.len() as f64 / average));
        }
        if score > 0.0 {
            scores.insert(id.clone(), score);
        }
    }
    scores
}

fn ingest(server: &Server, collection: &str, corpus: &Corpus) {
    let document = |(id, words): (&String, &Vec<&str>)| json!({"external_id": id, "text": words.join(" ")});
    server.ingest_json(collection, &corpus.iter().map(document).collect::<Vec<Value>>());
}

#[track_caller]
fn check(server: &Server, collection: &str, corpus: &Corpus) {
    for query in [
        vec!["falcon"],
        vec!["quartz"],
        vec!["juniper", "saffron"],
        vec!["copper", "quartz", "falcon", "orchid"],
    ] {
        let body =
            json!({"query": query.join(" "), "collections": [collection], "mode": "lexical", "top_k": 100});
        let found = server.search(&body);
        let scores: BTreeMap<String, f64> = found["results"]
            .as_array()
            .expect("results")
            .iter()
            .map(|result| {
                let id = result["external_id"].as_str().expect("an id").to_owned();
                (id, result["scores"]["lexical"].as_f64().expect("a score"))
            })
            .collect();
        let expected = bm25(corpus, &query);
        assert_eq!(
            scores.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>(),
            "{query:?} finds what holds one of its words"
        );
        for (id, expected) in expected {
            let score = scores[&id];
            assert!(
                (score - expected).abs() <= 1e-5 * expected.max(1.0),
                "{query:?} {id}: {score} is not {expected}"
            );
        }
    }
}

#[test]
fn scores_are_exact_bm25_after_inserts_updates_and_deletes() {
    let server = Server::start();
    server.create("docs");
    let mut corpus: Corpus = (0..60)
        .map(|n| (format!("d{n:02}"), words(n + 1, 3 + usize::try_from(n * 7 % 90).expect("small"))))
        .collect();
    ingest(&server, "docs", &corpus);
    check(&server, "docs", &corpus);

    // Some grow, some shrink, one becomes empty of known words, some go, some come.
    for n in (0..60).step_by(3) {
        corpus.insert(format!("d{n:02}"), words(n + 1000, 2 + usize::try_from(n).expect("small")));
    }
    ingest(&server, "docs", &corpus);
    check(&server, "docs", &corpus);
    for n in (1..60).step_by(4) {
        let id = format!("d{n:02}");
        corpus.remove(&id);
        server.delete(&Server::document_path("docs", &id)).ok(200);
    }
    check(&server, "docs", &corpus);
    corpus.insert("new".to_owned(), vec!["quartz"; 70]);
    ingest(&server, "docs", &corpus);
    // A term's count in a chunk is kept up to 63: beyond, more of the same says nothing new.
    corpus.insert("new".to_owned(), vec!["quartz"; 5]);
    ingest(&server, "docs", &corpus);
    check(&server, "docs", &corpus);

    // A fresh collection with the same content has the same statistics, kept apart from the first.
    server.create("fresh");
    ingest(&server, "fresh", &corpus);
    check(&server, "fresh", &corpus);
    check(&server, "docs", &corpus);
    let terms = server.sql_of_tenant(1, "SELECT count(*) FROM lexical_terms WHERE df < 0");
    assert_eq!(terms[0][0].as_deref(), Some("0"));
    server.delete("/v1/collections/fresh").ok(200);
    check(&server, "docs", &corpus);
}

#[test]
fn a_word_asked_for_twice_counts_twice() {
    let server = Server::start();
    server.create("docs");
    server.ingest("docs", &[("a", "falcon copper"), ("b", "copper velvet velvet"), ("c", "tundra orchid")]);
    let score = |query: &str| {
        server.search(&json!({"query": query, "mode": "lexical"}))["results"][0]["score"]
            .as_f64()
            .expect("a score")
    };
    assert!((score("falcon falcon") - 2.0 * score("falcon")).abs() < 1e-5);
}

#[test]
fn title_and_headings_are_searchable_words_of_their_chunks() {
    let server = Server::start();
    server.create("docs");
    let body = json!({"text": "# Garnet\n\n## Cobalt\n\nThe body.", "title": "Saffron", "media_type": "text/markdown"});
    server.put_document("docs", "a", &body).ok(201);
    for word in ["garnet", "cobalt", "saffron", "body"] {
        assert_eq!(server.search_in("docs", word, "lexical"), ["a"], "{word}");
    }
}
