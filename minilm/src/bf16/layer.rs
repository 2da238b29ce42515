//! A transformer layer over bf16 products.

use super::{
    attention::{Attention, AttentionScratch},
    linear::{Linear, Output},
    normalise::NormaliseBoth,
};
use crate::{
    Encoding,
    buffer::Buffer,
    layer::Layer,
    normalise::LayerNorm,
    simd::bf16::{BLOCK, Kernel},
};

/// Rows that pass through the feed-forward part together: their intermediate activations fit in the second cache level.
const ROWS: usize = 256;

/// Reusable memory of a forward pass: activations as bf16.
#[derive(Default)]
pub(crate) struct Scratch {
    /// The residual stream, rounded.
    rounded: Buffer<u16>,
    qkv: Buffer<u16>,
    context: Buffer<u16>,
    intermediate: Buffer<u16>,
    attention: AttentionScratch,
}

impl Scratch {
    /// Normalises the looked-up embeddings and rounds them for the first layer.
    pub(crate) fn begin(&mut self, kernel: Kernel, norm: &LayerNorm, hidden: &mut [f32]) {
        // A block of its own behind the last row, for what reads whole groups.
        let rounded = self.rounded.reserve(hidden.len() + BLOCK * norm.weight.len());
        kernel.run(NormaliseBoth { norm, rows: hidden, rounded });
    }
}

impl Layer<Linear> {
    /// Computes the layer in place. `scratch` holds `hidden` rounded, and does so again afterwards.
    pub(crate) fn apply(
        &self,
        kernel: Kernel,
        heads: usize,
        hidden: &mut [f32],
        scratch: &mut Scratch,
        sequences: &[Encoding],
    ) {
        let width = self.output.columns();
        let tokens = hidden.len() / width;
        let room = tokens + BLOCK;
        let Scratch { rounded, qkv, context, intermediate, attention } = scratch;
        let stride = self.qkv.columns();
        let qkv = qkv.reserve(room * stride);
        self.qkv.apply(kernel, rounded, tokens, Output::Round(qkv));

        let context = context.reserve(room * width);
        let mut first = 0;
        for sequence in sequences {
            kernel.run(Attention {
                heads,
                head_size: width / heads,
                tokens: sequence.len(),
                qkv: &qkv[first * stride..],
                out: &mut context[first * width..],
                scratch: attention,
            });
            first += sequence.len();
        }

        let intermediate = intermediate.reserve((ROWS.min(tokens) + BLOCK) * self.up.columns());
        for first in (0..tokens).step_by(ROWS) {
            let rows = ROWS.min(tokens - first);
            let hidden = &mut hidden[first * width..][..rows * width];
            let rounded = &mut rounded[first * width..];
            self.output.apply(kernel, &context[first * width..], rows, Output::Add(hidden));
            kernel.run(NormaliseBoth { norm: &self.attention_norm, rows: hidden, rounded });
            self.up.apply(kernel, rounded, rows, Output::Gelu(intermediate));
            self.down.apply(kernel, intermediate, rows, Output::Add(hidden));
            kernel.run(NormaliseBoth { norm: &self.norm, rows: hidden, rounded });
        }
    }
}
