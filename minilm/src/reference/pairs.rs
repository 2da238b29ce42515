//! Scores of pairs against the definition, and models that score none.

use std::{fs, path::Path};

use super::{Tensors, dot, get, hidden, linear, replace, write_model};
use crate::{CrossEncoder, Encoding, LoadError, Precision, Scratch, precision::Arithmetic};

/// The score of a pair, computed from the definition.
fn score(tensors: &Tensors, pair: &Encoding) -> f64 {
    let rows = hidden(tensors, pair.ids(), pair.second());
    let pooled = linear(tensors, "pooler.dense", &rows[..1]);
    let pooled: Vec<f64> = pooled[0].iter().map(|value| value.tanh()).collect();
    dot(&pooled, &get(tensors, "classifier.weight")) + get(tensors, "classifier.bias")[0]
}

#[test]
fn every_kernel_scores_pairs_as_defined_for_every_length_and_batch() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let tensors = write_model(directory.path(), Some(1));
    for arithmetic in Arithmetic::available() {
        // The sum of 64 weighted numbers, each with the error of 8 bits through two layers.
        let tolerance = if arithmetic.kernel.is_some() { 0.1 } else { 1e-5 };
        let model = CrossEncoder::load_for(directory.path(), arithmetic).expect("the model is sound");
        let text = "foxes jump over a fox. b jumps over unknown foxes and ".repeat(4);
        let of = |at: usize| &text[..at];
        let pairs: Vec<Encoding> = (0..text.len())
            .step_by(5)
            .map(|at| model.pair(&model.query(of(at / 3)), of(at)))
            .chain([model.pair(&model.query(&text), "a fox"), model.pair(&model.query("jump"), "")])
            .collect();
        assert_eq!(
            pairs.iter().map(Encoding::len).max(),
            Some(super::POSITIONS),
            "truncated to all positions"
        );
        let scratch = &mut Scratch::default();
        let together = model.score(scratch, &pairs);
        assert_eq!(together.len(), pairs.len());
        for (pair, scored) in pairs.iter().zip(&together) {
            let expected = score(&tensors, pair);
            let (name, tokens) = (arithmetic.name(), pair.len());
            assert!(
                (f64::from(*scored) - expected).abs() < tolerance,
                "{name}, {tokens}: {scored}, not {expected}"
            );
            let alone = model.score(scratch, std::slice::from_ref(pair))[0];
            assert!((alone - scored).abs() < 1e-6, "the company of other pairs changes a score");
        }
        assert!(model.score(scratch, &[]).is_empty());
    }
}

#[test]
fn a_text_is_truncated_to_what_the_query_leaves_and_a_query_to_half() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    write_model(directory.path(), Some(1));
    let model = CrossEncoder::load(directory.path(), Precision::Fp32).expect("the model is sound");
    let lengths = |query: &str, text: &str| {
        let pair = model.pair(&model.query(query), text);
        assert_eq!((pair.ids()[0], pair.ids()[pair.second() - 1], pair.ids().last()), (2, 3, Some(&3)));
        (pair.second(), pair.len())
    };
    let long = "fox ".repeat(100);
    assert_eq!(lengths("fox", "a b"), (3, 6));
    assert_eq!(lengths("", ""), (2, 3));
    assert_eq!(lengths("a fox", &long), (4, 48));
    assert_eq!(lengths(&long, "a b"), (24, 27));
    assert_eq!(lengths(&long, &long), (24, 48));
}

/// Loads a small model of `labels` after `spoil` had its way with the directory, and returns the complaint.
fn complaint(labels: Option<usize>, spoil: impl FnOnce(&Path)) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    write_model(directory.path(), labels);
    spoil(directory.path());
    let loaded = CrossEncoder::load(directory.path(), Precision::Fp32);
    loaded.map_or_else(|error: LoadError| error.to_string(), |_| "none".to_owned())
}

#[test]
fn a_model_that_scores_no_pairs_is_refused_with_what_it_lacks() {
    assert_eq!(complaint(Some(1), |_| {}), "none");
    let labels = complaint(Some(3), |_| {});
    assert!(labels.contains("config.json") && labels.contains("several labels"), "{labels}");
    let sentences = complaint(None, |at| replace(&at.join("config.json"), "id2label", "ignored"));
    assert!(sentences.contains("it has no tensor pooler.dense.weight"), "{sentences}");
    let short = complaint(Some(1), |at| {
        replace(&at.join("config.json"), r#""max_position_embeddings":48"#, r#""max_position_embeddings":7"#);
    });
    assert!(short.contains("no room for a pair"), "{short}");
    let missing = complaint(Some(1), |at| fs::remove_file(at.join("tokenizer.json")).expect("it exists"));
    assert!(missing.contains("tokenizer.json") && missing.contains("cannot read"), "{missing}");
}
