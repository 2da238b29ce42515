//! A loaded model: tokenizer and encoder that fit each other.

use std::{path::Path, sync::Arc};

use crate::{
    Encoding, LoadError, Precision, Scratch, Tokenizer,
    config::Config,
    encoder::{Encoder, passes},
    precision::Arithmetic,
    weights::Weights,
};

/// A sentence encoder. Cheap to clone, shared between threads.
#[derive(Clone)]
pub struct Model {
    encoder: Arc<Encoder>,
    tokenizer: Tokenizer,
}

impl Model {
    /// Loads the model from a directory with `config.json`, `tokenizer.json`, `model.safetensors` and, optionally,
    /// `sentence_bert_config.json` and `1_Pooling/config.json`.
    ///
    /// # Errors
    /// If a file is missing, damaged, or describes a model of another architecture, or if this machine cannot compute in
    /// the precision.
    pub fn load(directory: &Path, precision: Precision) -> Result<Self, LoadError> {
        Self::load_for(directory, Arithmetic::choose(precision)?)
    }

    pub(crate) fn load_for(directory: &Path, arithmetic: Arithmetic) -> Result<Self, LoadError> {
        let config = Config::load(directory)?;
        let tokenizer =
            Tokenizer::load(&directory.join("tokenizer.json"), config.max_tokens, config.vocab_size)?;
        let mut weights = Weights::open(&directory.join("model.safetensors"))?;
        let encoder = Encoder::load(&mut weights, config, arithmetic)?;
        Ok(Self { encoder: Arc::new(encoder), tokenizer })
    }

    /// Floats per embedding.
    pub fn dimensions(&self) -> usize {
        self.encoder.dimensions()
    }

    /// What the model computes with: `amx-bf16`, `avx512-bf16`, `avx512`, `avx2` or `portable`.
    pub fn kernel(&self) -> &'static str {
        self.encoder.arithmetic().name()
    }

    /// The precision that was asked for or chosen.
    pub fn precision(&self) -> Precision {
        self.encoder.arithmetic().precision()
    }

    /// The tokenizer whose encodings [`Model::embed`] takes.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// One embedding of length 1 for each encoding, in their order. Encodings must come from this model's tokenizer.
    ///
    /// Short texts gain from being embedded together; sorting or padding them is not needed.
    pub fn embed(&self, scratch: &mut Scratch, batch: &[Encoding]) -> Vec<Vec<f32>> {
        let mut embeddings = Vec::with_capacity(batch.len());
        for pass in passes(batch) {
            embeddings.extend(self.encoder.pass(scratch, pass).map(|rows| pool(rows, self.dimensions())));
        }
        embeddings
    }
}

/// The mean of the rows, scaled to length 1.
fn pool(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f32; width];
    for row in rows.chunks_exact(width) {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-12);
    sum.iter_mut().for_each(|value| *value /= length);
    sum
}
