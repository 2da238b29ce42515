//! The network: embeddings, transformer layers, mean pooling.
//!
//! Sequences of different lengths are laid end to end without padding. Linear layers see one tall matrix and read each
//! weight once for all of them; attention looks at each sequence on its own.

use std::path::Path;

use crate::{
    LoadError,
    attention::{Attention, AttentionScratch},
    bf16,
    buffer::Buffer,
    config::Config,
    layer::Layer,
    matrix::{Activation, Linear},
    normalise::LayerNorm,
    precision::Arithmetic,
    simd::{Isa, bf16::Kernel},
    weights::Weights,
    words::Words,
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
    bf16: bf16::Scratch,
}

pub(crate) struct Encoder {
    isa: Isa,
    config: Config,
    words: Words,
    /// Position embeddings, the embedding of the only token type added in.
    positions: Vec<f32>,
    norm: LayerNorm,
    layers: Layers,
}

/// The layers, packed for what computes them.
enum Layers {
    Fp32(Vec<Layer<Linear>>),
    Bf16(Kernel, Vec<Layer<bf16::Linear>>),
}

impl Encoder {
    pub(crate) fn load(path: &Path, config: Config, arithmetic: Arithmetic) -> Result<Self, LoadError> {
        let weights = &mut Weights::open(path)?;
        let (hidden, isa) = (config.hidden_size, arithmetic.isa);
        let words = weights.read("embeddings.word_embeddings.weight", &[config.vocab_size, hidden])?;
        let words = Words::new(words, hidden, arithmetic.precision());
        let mut positions = weights
            .read("embeddings.position_embeddings.weight", &[config.max_position_embeddings, hidden])?;
        let kinds = weights.read("embeddings.token_type_embeddings.weight", &[2, hidden])?;
        for row in positions.chunks_exact_mut(hidden) {
            row.iter_mut().zip(&kinds).for_each(|(position, kind)| *position += kind);
        }
        let norm = LayerNorm::load(weights, &config, "embeddings.LayerNorm")?;
        let indexes = 0..config.num_hidden_layers;
        let layers = match arithmetic.kernel {
            None => {
                let pack = |matrix: &[f32], bias| Linear::pack(isa, matrix, bias);
                let layers = indexes.map(|index| Layer::load(weights, &config, index, pack));
                Layers::Fp32(layers.collect::<Result<_, _>>()?)
            }
            Some(kernel) => {
                let layers = indexes.map(|index| Layer::load(weights, &config, index, bf16::Linear::pack));
                Layers::Bf16(kernel, layers.collect::<Result<_, _>>()?)
            }
        };
        Ok(Self { isa, config, words, positions, norm, layers })
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.config.hidden_size
    }

    pub(crate) fn arithmetic(&self) -> Arithmetic {
        let kernel = match self.layers {
            Layers::Fp32(_) => None,
            Layers::Bf16(kernel, _) => Some(kernel),
        };
        Arithmetic { isa: self.isa, kernel }
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
        match &self.layers {
            Layers::Fp32(layers) => {
                self.norm.apply(self.isa, &mut scratch.hidden[..tokens * width]);
                layers.iter().for_each(|layer| layer.apply(self, scratch, sequences, tokens));
            }
            Layers::Bf16(kernel, layers) => {
                let hidden = &mut scratch.hidden[..tokens * width];
                scratch.bf16.begin(*kernel, &self.norm, hidden);
                let heads = self.config.num_attention_heads;
                layers
                    .iter()
                    .for_each(|layer| layer.apply(*kernel, heads, hidden, &mut scratch.bf16, sequences));
            }
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
                self.words.add(id, position, row);
            }
        }
    }
}

impl Layer<Linear> {
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
