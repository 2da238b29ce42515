//! The network: embeddings, transformer layers, mean pooling.
//!
//! Sequences of different lengths are laid end to end without padding. Linear layers see one tall matrix and read each
//! weight once for all of them; attention looks at each sequence on its own.

use std::path::Path;

use crate::{
    LoadError,
    attention::{Attention, AttentionScratch},
    buffer::Buffer,
    config::Config,
    matrix::{Activation, Linear},
    normalise::LayerNorm,
    simd::Isa,
    weights::Weights,
};

/// Rows that pass through a linear layer together: 8 tiles of AVX-512. Their intermediate activations fit in the second
/// cache level, and the weights are still read seldom enough not to be limited by memory.
const ROWS: usize = 112;

/// A pass of the network ends at the first sequence that brings it to this many tokens, which bounds the scratch memory
/// and keeps activations cached. More would not read the weights noticeably less often.
const TOKENS_PER_PASS: usize = 256;

/// Reusable memory of a forward pass. It grows to what the largest pass needs (about 4 MB for all-MiniLM-L6-v2).
#[derive(Default)]
pub struct Scratch {
    hidden: Buffer,
    qkv: Buffer,
    context: Buffer,
    intermediate: Buffer,
    attention: AttentionScratch,
}

pub(crate) struct Encoder {
    isa: Isa,
    config: Config,
    words: Vec<f32>,
    /// Position embeddings, the embedding of the only token type added in.
    positions: Vec<f32>,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

struct Layer {
    qkv: Linear,
    output: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    norm: LayerNorm,
}

impl Encoder {
    pub(crate) fn load(path: &Path, config: Config, isa: Isa) -> Result<Self, LoadError> {
        let weights = &mut Weights::open(path)?;
        let hidden = config.hidden_size;
        let words = weights.read("embeddings.word_embeddings.weight", &[config.vocab_size, hidden])?;
        let mut positions = weights
            .read("embeddings.position_embeddings.weight", &[config.max_position_embeddings, hidden])?;
        let kinds = weights.read("embeddings.token_type_embeddings.weight", &[2, hidden])?;
        for row in positions.chunks_exact_mut(hidden) {
            row.iter_mut().zip(&kinds).for_each(|(position, kind)| *position += kind);
        }
        let norm = layer_norm(weights, &config, "embeddings.LayerNorm")?;
        let layers = (0..config.num_hidden_layers)
            .map(|layer| Layer::load(weights, &config, isa, layer))
            .collect::<Result<_, _>>()?;
        Ok(Self { isa, config, words, positions, norm, layers })
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.config.hidden_size
    }

    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    /// The embeddings of `sequences`, each `1..=max_position_embeddings` known token ids long.
    pub(crate) fn embed(&self, scratch: &mut Scratch, sequences: &[&[u32]]) -> Vec<Vec<f32>> {
        let mut embeddings = Vec::with_capacity(sequences.len());
        let mut rest = sequences;
        while !rest.is_empty() {
            let mut tokens = 0;
            let count = rest
                .iter()
                .take_while(|sequence| {
                    let room = tokens < TOKENS_PER_PASS;
                    tokens += sequence.len();
                    room
                })
                .count();
            let (pass, later) = rest.split_at(count);
            self.pass(scratch, pass, &mut embeddings);
            rest = later;
        }
        embeddings
    }

    fn pass(&self, scratch: &mut Scratch, sequences: &[&[u32]], embeddings: &mut Vec<Vec<f32>>) {
        let width = self.config.hidden_size;
        let tokens: usize = sequences.iter().map(|sequence| sequence.len()).sum();
        scratch.hidden.reserve(tokens * width);
        self.look_up(sequences, &mut scratch.hidden);
        self.norm.apply(self.isa, &mut scratch.hidden[..tokens * width]);
        for layer in &self.layers {
            layer.apply(self, scratch, sequences, tokens);
        }
        let mut rows = scratch.hidden.chunks_exact(width);
        embeddings.extend(sequences.iter().map(|sequence| pool(rows.by_ref().take(sequence.len()), width)));
    }

    fn look_up(&self, sequences: &[&[u32]], hidden: &mut [f32]) {
        let width = self.config.hidden_size;
        let mut rows = hidden.chunks_exact_mut(width);
        for sequence in sequences {
            for ((&id, position), row) in
                sequence.iter().zip(self.positions.chunks_exact(width)).zip(&mut rows)
            {
                let word = &self.words[id as usize * width..][..width];
                row.iter_mut()
                    .zip(word.iter().zip(position))
                    .for_each(|(out, (word, position))| *out = word + position);
            }
        }
    }
}

impl Layer {
    fn load(weights: &mut Weights, config: &Config, isa: Isa, layer: usize) -> Result<Self, LoadError> {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        let (mut matrix, mut bias) = (Vec::new(), Vec::new());
        for part in ["query", "key", "value"] {
            let name = name(&format!("attention.self.{part}"));
            matrix.extend(weights.read(&format!("{name}.weight"), &[hidden, hidden])?);
            bias.extend(weights.read(&format!("{name}.bias"), &[hidden])?);
        }
        // Attention divides its scores by the root of the head size: scaling the queries once does the same.
        let scale = ((hidden / config.num_attention_heads) as f32).sqrt().recip();
        let queries = matrix[..hidden * hidden].iter_mut().chain(&mut bias[..hidden]);
        queries.for_each(|weight| *weight *= scale);
        Ok(Self {
            qkv: Linear::pack(isa, &matrix, bias),
            output: linear(weights, isa, &name("attention.output.dense"), hidden, hidden)?,
            attention_norm: layer_norm(weights, config, &name("attention.output.LayerNorm"))?,
            up: linear(weights, isa, &name("intermediate.dense"), intermediate, hidden)?,
            down: linear(weights, isa, &name("output.dense"), hidden, intermediate)?,
            norm: layer_norm(weights, config, &name("output.LayerNorm"))?,
        })
    }

    fn apply(&self, encoder: &Encoder, scratch: &mut Scratch, sequences: &[&[u32]], tokens: usize) {
        let (isa, width) = (encoder.isa, encoder.config.hidden_size);
        let hidden = &mut scratch.hidden[..tokens * width];
        let qkv = scratch.qkv.reserve(tokens * self.qkv.columns());
        for (rows, out) in hidden.chunks(ROWS * width).zip(qkv.chunks_mut(ROWS * self.qkv.columns())) {
            self.qkv.apply(isa, rows, out, Activation::None);
        }

        let context = scratch.context.reserve(tokens * width);
        let heads = encoder.config.num_attention_heads;
        let attention = Attention { isa, heads, head_size: width / heads };
        let mut first = 0;
        for sequence in sequences {
            let end = first + sequence.len();
            let rows = &qkv[first * self.qkv.columns()..end * self.qkv.columns()];
            attention.apply(rows, &mut context[first * width..end * width], &mut scratch.attention);
            first = end;
        }

        let intermediate = scratch.intermediate.reserve(ROWS.min(tokens) * self.up.columns());
        for (rows, context) in hidden.chunks_mut(ROWS * width).zip(context.chunks(ROWS * width)) {
            self.output.apply(isa, context, rows, Activation::AddToOutput);
            self.attention_norm.apply(isa, rows);
            let intermediate = &mut intermediate[..rows.len() / width * self.up.columns()];
            self.up.apply(isa, rows, intermediate, Activation::Gelu);
            self.down.apply(isa, intermediate, rows, Activation::AddToOutput);
            self.norm.apply(isa, rows);
        }
    }
}

fn linear(
    weights: &mut Weights,
    isa: Isa,
    name: &str,
    outputs: usize,
    inputs: usize,
) -> Result<Linear, LoadError> {
    let matrix = weights.read(&format!("{name}.weight"), &[outputs, inputs])?;
    Ok(Linear::pack(isa, &matrix, weights.read(&format!("{name}.bias"), &[outputs])?))
}

fn layer_norm(weights: &mut Weights, config: &Config, name: &str) -> Result<LayerNorm, LoadError> {
    let mut read = |part: &str| weights.read(&format!("{name}.{part}"), &[config.hidden_size]);
    Ok(LayerNorm { weight: read("weight")?, bias: read("bias")?, epsilon: config.layer_norm_eps })
}

/// The mean of the rows, scaled to length 1.
fn pool<'a>(rows: impl Iterator<Item = &'a [f32]>, width: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f32; width];
    for row in rows {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-12);
    sum.iter_mut().for_each(|value| *value /= length);
    sum
}
