//! How long searches by words take, and what a collection weighs: `cargo run --release -p mcp-rag-hot --example words
//! [CHUNKS]`.
//!
//! Chunks are made of sentences of the abstracts and paragraphs in ../shared/data/retrieval, queries are those that come with them.

#![expect(clippy::print_stdout, reason = "what it is for")]

use mcp_rag_hot::dense::Effort;
use mcp_rag_hot::filter::{Filter, Scalar, Test};
use mcp_rag_hot::{About, Change, Chunk, Collection, Document, Mode, Scratch, Search, Sight, Term, search};
use serde_json::{Value, json};
use snowball_stemmers_rs::{Algorithm, Stemmer};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::Instant;

const DIMENSIONS: usize = 384;
const FOLDER: &str = "../shared/data/retrieval";

/// A small generator that gives the same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }

    fn vector(&mut self) -> Vec<f32> {
        (0..DIMENSIONS).map(|_| self.below(2_000) as f32 / 1_000.0 - 1.0).collect()
    }
}

struct Analyzer {
    stemmer: Stemmer,
    stop: HashSet<&'static str>,
}

impl Analyzer {
    /// Each term's base, with its count.
    fn terms(&self, text: &str) -> HashMap<i64, i64> {
        let mut counts = HashMap::new();
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            let word = word.to_lowercase();
            if self.stop.contains(word.as_str()) {
                continue;
            }
            let mut hasher = DefaultHasher::new();
            self.stemmer.stem(&word).hash(&mut hasher);
            *counts.entry((hasher.finish() as i64) & !63).or_default() += 1;
        }
        counts
    }
}

fn read(path: &str, field: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(Path::new(FOLDER).join(path)).ok()?;
    let line = |line| serde_json::from_str::<Value>(line).ok()?.get(field)?.as_str().map(str::to_owned);
    text.lines().map(line).collect()
}

fn sentences(texts: &[String]) -> Vec<Vec<&str>> {
    texts.iter().map(|text| text.split_inclusive(". ").collect()).collect()
}

/// Neighbouring sentences of one text and then of another, about as long as a chunk of 256 tokens.
fn text(of: &[Vec<&str>], random: &mut Random) -> String {
    let mut text = String::new();
    while text.len() < 1_000 {
        let from = &of[random.below(of.len())];
        let start = random.below(from.len());
        for sentence in &from[start..from.len().min(start + 4)] {
            text.push_str(sentence);
        }
        text.push(' ');
    }
    text
}

fn percentiles(mut times: Vec<f64>) -> String {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    format!("mean {mean:7.1}  p50 {:7.1}  p95 {:7.1}  p99 {:7.1} µs", at(0.5), at(0.95), at(0.99))
}

fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let with_vectors = std::env::args().nth(2).is_some_and(|flag| flag == "vectors");
    let texts = read("scifact/corpus.jsonl", "text").zip(read("squad2-dev/corpus.jsonl", "text"));
    let queries = read("scifact/queries.jsonl", "text").zip(read("squad2-dev/queries.jsonl", "text"));
    let (Some(texts), Some(queries)) = (texts, queries) else {
        println!("skipped: {FOLDER} is not there");
        return;
    };
    let analyzer = Analyzer {
        stemmer: Stemmer::create(Algorithm::English),
        stop: stop_words::lookup("en").map(|words| words.iter().copied().collect()).unwrap_or_default(),
    };
    let sources = [sentences(&texts.0), sentences(&texts.1)];
    let mut random = Random(7);
    let collection = Collection::new(1, with_vectors.then_some(DIMENSIONS));
    let before = resident();
    let (mut applied, mut bytes, mut postings) = (0.0, 0, 0);
    for id in 0..count as i64 {
        let text = text(&sources[id as usize % 2], &mut random);
        let terms = analyzer.terms(&text);
        postings += terms.len();
        bytes += text.len();
        let about = About {
            id,
            external_id: format!("document-{id}"),
            title: format!("The title of document {id}"),
            media_type: "text/plain".to_owned(),
            attributes:
                json!({ "tenth": id % 10, "hundredth": id % 100, "thousandth": id % 1000, "number": id })
                    .to_string(),
            ..About::default()
        };
        let length = terms.values().sum::<i64>();
        let keys = terms.iter().map(|(base, count)| base | *count.min(&63)).collect();
        let vector = with_vectors.then(|| random.vector());
        let chunk = Chunk { id, text, keys, length: length as i32, vector, ..Chunk::default() };
        let change = Change::Put(Box::new(Document { about, chunks: vec![chunk] }));
        let began = Instant::now();
        collection.apply(&change).expect("applied");
        applied += began.elapsed().as_secs_f64();
    }
    println!("{count} chunks: {bytes} bytes of text, {postings} postings");
    println!("applied in {applied:.2} s ({:.1} µs each)", applied / count as f64 * 1e6);
    println!("memory: {} bytes counted, {} resident", collection.memory_bytes(), resident() - before);
    println!("by part: {:?}", collection.weights());

    let mut asked: Vec<Vec<Term>> = Vec::new();
    for query in queries.0.iter().take(1_000).chain(queries.1.iter().take(1_000)) {
        let terms = analyzer.terms(query).into_iter();
        asked.push(terms.map(|(base, count)| Term { collection: 1, base, count: count as f32 }).collect());
    }
    let vectors: Vec<Vec<f32>> = (0..100).map(|_| random.vector()).collect();
    let eq = |key: &str| Filter::Attribute(key.to_owned(), Test::In(vec![Scalar::Number(3.into())]));
    let filters = [
        ("all", None),
        ("10 %", Some(eq("tenth"))),
        ("1 %", Some(eq("hundredth"))),
        ("0.1 %", Some(eq("thousandth"))),
    ];
    let mut scratch = Scratch::default();
    let modes = [(Mode::Lexical, "lexical"), (Mode::Hybrid, "hybrid ")];
    for (mode, name) in modes.into_iter().filter(|(mode, _)| with_vectors || *mode == Mode::Lexical) {
        for (share, filter) in &filters {
            let mut times = Vec::new();
            for round in 0..2 {
                for (terms, vector) in asked.iter().zip(vectors.iter().cycle()) {
                    let wanted = Search {
                        mode,
                        vector: with_vectors.then_some(vector.as_slice()),
                        effort: Effort::Recall(0.95),
                        terms,
                        filter: filter.as_ref(),
                        sight: Sight::All,
                        now: 0,
                        limit: 10,
                        candidates: 50,
                        words: None,
                    };
                    let began = Instant::now();
                    let hits = search(&[&collection], &wanted, &mut scratch).expect("searched");
                    if round > 0 {
                        times.push(began.elapsed().as_secs_f64() * 1e6);
                    }
                    std::hint::black_box(hits);
                }
            }
            println!("{name} of {share:>5}: {}", percentiles(times));
        }
    }
}
