//! Parity with Hugging Face transformers on a small random cross-encoder; `cross_encoder/make.py` made the files.

use std::path::PathBuf;

use mcp_rag_minilm::{CrossEncoder, Encoding, LoadError, Precision, Scratch};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    query: String,
    text: String,
    ids: Vec<u32>,
    logit: f32,
}

/// None: this CPU has no instructions for the precision.
fn load(precision: Precision) -> Option<CrossEncoder> {
    let directory: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "cross_encoder"].iter().collect();
    match CrossEncoder::load(&directory, precision) {
        Err(LoadError::NoBf16) => None,
        loaded => Some(loaded.expect("the model loads")),
    }
}

/// The largest difference from what transformers computes.
fn difference(model: &CrossEncoder) -> f32 {
    let expected: Vec<Expected> = include_str!("cross_encoder/expected.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("fixture JSON"))
        .collect();
    let pairs: Vec<Encoding> =
        expected.iter().map(|one| model.pair(&model.query(&one.query), &one.text)).collect();
    for (one, pair) in expected.iter().zip(&pairs) {
        assert_eq!(pair.ids(), one.ids, "{:?} and {:?}", one.query, one.text);
    }
    let scores = model.score(&mut Scratch::default(), &pairs);
    scores.iter().zip(&expected).map(|(score, one)| (score - one.logit).abs()).fold(0.0, f32::max)
}

#[test]
fn token_ids_and_scores_match_the_reference() {
    let difference = difference(&load(Precision::Fp32).expect("every CPU computes fp32"));
    assert!(difference < 1e-4, "{difference}");
}

#[test]
fn scores_in_bf16_are_near_those_in_fp32() {
    if let Some(model) = load(Precision::Bf16) {
        let difference = difference(&model);
        // Scores lie between -5 and -2.
        assert!(difference < 0.1, "{difference}");
    }
}
