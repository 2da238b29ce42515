//! The network: embeddings and transformer layers. What becomes of the last one's rows is up to its callers.
//!
//! Sequences of different lengths are laid end to end without padding. Linear layers see one tall matrix and read each
//! weight once for all of them; attention looks at each sequence on its own.

use crate::{
    Encoding, LoadError,
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
    /// Position embeddings, the embedding of the first token type added in.
    positions: Vec<f32>,
    /// What the embedding of the second token type, that of a pair's second text, has over that of the first.
    second: Vec<f32>,
    norm: LayerNorm,
    layers: Layers,
}

/// The layers, packed for what computes them.
enum Layers {
    Fp32(Vec<Layer<Linear>>),
    Bf16(Kernel, Vec<Layer<bf16::Linear>>),
}

impl Encoder {
    pub(crate) fn load(
        weights: &mut Weights,
        config: Config,
        arithmetic: Arithmetic,
    ) -> Result<Self, LoadError> {
        let (hidden, isa) = (config.hidden_size, arithmetic.isa);
        let words = weights.read("embeddings.word_embeddings.weight", &[config.vocab_size, hidden])?;
        let words = Words::new(words, hidden, arithmetic.precision());
        let mut positions = weights
            .read("embeddings.position_embeddings.weight", &[config.max_position_embeddings, hidden])?;
        let kinds = weights.read("embeddings.token_type_embeddings.weight", &[2, hidden])?;
        for row in positions.chunks_exact_mut(hidden) {
            row.iter_mut().zip(&kinds).for_each(|(position, kind)| *position += kind);
        }
        let second = kinds[hidden..].iter().zip(&kinds).map(|(second, first)| second - first).collect();
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
        Ok(Self { isa, config, words, positions, second, norm, layers })
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

    /// The final hidden rows of each of `sequences`, in their order. Their ids must be known and no more than there are
    /// positions; `sequences` is one pass of [`passes`].
    pub(crate) fn pass<'a>(
        &self,
        scratch: &'a mut Scratch,
        sequences: &'a [Encoding],
    ) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        let width = self.config.hidden_size;
        let tokens: usize = sequences.iter().map(Encoding::len).sum();
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
        let mut rest = &scratch.hidden[..];
        sequences.iter().map(move |sequence| {
            let (rows, later) = rest.split_at(sequence.len() * width);
            rest = later;
            rows
        })
    }

    fn look_up(&self, sequences: &[Encoding], hidden: &mut [f32]) {
        let width = self.config.hidden_size;
        let mut rows = hidden.chunks_exact_mut(width);
        for sequence in sequences {
            let places = self.positions.chunks_exact(width).zip(&mut rows).enumerate();
            for (&id, (at, (position, row))) in sequence.ids().iter().zip(places) {
                self.words.add(id, position, row);
                if at >= sequence.second() {
                    row.iter_mut().zip(&self.second).for_each(|(value, second)| *value += second);
                }
            }
        }
    }
}

/// The sequences of each pass of the network.
pub(crate) fn passes(sequences: &[Encoding]) -> impl Iterator<Item = &[Encoding]> {
    let mut rest = sequences;
    std::iter::from_fn(move || {
        let mut tokens = 0;
        let room = |sequence: &&Encoding| {
            let room = tokens < TOKENS_PER_PASS;
            tokens += sequence.len();
            room
        };
        let (pass, later) = rest.split_at(rest.iter().take_while(room).count());
        rest = later;
        (!pass.is_empty()).then_some(pass)
    })
}

impl Layer<Linear> {
    fn apply(&self, encoder: &Encoder, scratch: &mut Scratch, sequences: &[Encoding], tokens: usize) {
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
