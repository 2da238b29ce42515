//! Parity with the reference implementation. Needs the model (`MCP_RAG_TEST_MODEL`, or `.local/model` of the workspace,
//! which scripts/setup.sh provides); without it these tests say so and pass.
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mcp_rag_minilm::{Encoding, LoadError, Model, Precision, Scratch};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    text: String,
    token_ids: Vec<u32>,
    vector: Vec<f64>,
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn model() -> Option<Model> {
    load(Precision::Fp32)
}

/// None: no model here, or no instructions for the precision; says which.
fn load(precision: Precision) -> Option<Model> {
    let wanted = std::env::var_os("MCP_RAG_TEST_MODEL").map(PathBuf::from);
    let directory = wanted.clone().unwrap_or_else(|| workspace().join(".local/model"));
    if wanted.is_none() && !directory.join("model.safetensors").exists() {
        eprintln!("skipped: no model in .local/model (run scripts/setup.sh)");
        return None;
    }
    match Model::load(&directory, precision) {
        Err(LoadError::NoBf16) => {
            eprintln!("skipped: this CPU multiplies no bf16");
            None
        }
        loaded => Some(loaded.expect("the model loads")),
    }
}

fn cosine(a: &[f32], b: &[f64]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * b).sum();
    let length = |squares: f64| squares.sqrt();
    dot / length(a.iter().map(|a| f64::from(*a).powi(2)).sum()) / length(b.iter().map(|b| b * b).sum())
}

fn golden() -> Option<Vec<Golden>> {
    let path = workspace().join("../shared/data/golden/minilm_l6_v2_golden.jsonl");
    let Ok(lines) = fs::read_to_string(path) else {
        eprintln!("skipped: no golden file");
        return None;
    };
    Some(lines.lines().map(|line| serde_json::from_str(line).expect("golden JSON")).collect())
}

/// Cosines of the precision's embeddings with the golden ones, worst first.
fn cosines(precision: Precision) -> Option<Vec<f64>> {
    let (model, golden) = (load(precision)?, golden()?);
    let encodings: Vec<Encoding> =
        golden.iter().map(|golden| model.tokenizer().encode(&golden.text)).collect();
    let embeddings = model.embed(&mut Scratch::default(), &encodings);
    assert_eq!(model.dimensions(), 384);
    for ((golden, encoding), embedding) in golden.iter().zip(&encodings).zip(&embeddings) {
        assert_eq!(encoding.ids(), golden.token_ids);
        let length: f32 = embedding.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-5);
    }
    let mut cosines: Vec<f64> =
        golden.iter().zip(&embeddings).map(|(golden, embedding)| cosine(embedding, &golden.vector)).collect();
    cosines.sort_by(f64::total_cmp);
    eprintln!("{}: worst cosine {:.7} of {}", model.kernel(), cosines[0], cosines.len());
    Some(cosines)
}

#[test]
fn token_ids_and_embeddings_match_the_reference() {
    if let Some(cosines) = cosines(Precision::Fp32) {
        assert!(cosines[0] >= 0.9999, "worst cosine {}", cosines[0]);
    }
}

#[test]
fn embeddings_in_bf16_share_the_space_of_those_in_fp32() {
    if let Some(cosines) = cosines(Precision::Bf16) {
        assert!(cosines[0] >= 0.999, "worst cosine {}", cosines[0]);
    }
}

#[test]
fn tokenisation_of_odd_texts_matches_the_reference() {
    #[derive(Deserialize)]
    struct Case(String, Vec<u32>);
    let Some(model) = model() else { return };
    let fixture = include_str!("odd_texts.jsonl");
    for line in fixture.lines() {
        let Case(text, ids) = serde_json::from_str(line).expect("fixture JSON");
        assert_eq!(model.tokenizer().encode(&text).ids(), ids, "{text:?}");
        let offsets = model.tokenizer().offsets(&text);
        assert_eq!(offsets.len(), model.tokenizer().count(&text));
        assert!(offsets.iter().all(|span| text.get(span.clone()).is_some()), "{text:?}");
        assert!(offsets.is_sorted_by_key(|span| span.start), "{text:?}");
    }
}

#[test]
fn huge_texts_of_any_kind_are_encoded_and_counted_in_linear_time() {
    let Some(model) = model() else { return };
    let kinds =
        ["a", "word ", "\u{301}", "\u{302e}", "\0", " ", "[SEP]", "[[[", "中", "🚀", "é", ".", "unaffable"];
    for kind in kinds {
        let text = kind.repeat((1 << 20) / kind.len());
        let start = Instant::now();
        let encoding = model.tokenizer().encode(&text);
        assert!(encoding.len() <= 256);
        assert_eq!(model.tokenizer().count(&text), model.tokenizer().offsets(&text).len());
        // A hundredfold allowance for slow machines and unoptimised builds; quadratic time would take hours.
        assert!(start.elapsed() < Duration::from_secs(20), "{kind:?} took {:?}", start.elapsed());
    }
}
