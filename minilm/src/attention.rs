//! Multi-head self-attention of one sequence; no padding, no mask.

use crate::{
    buffer::Buffer,
    functions::exp,
    matrix::{Finish, Product, View, ViewMut},
    simd::{Isa, Op, Simd},
};

/// Reusable memory of [`Attention::apply`].
#[derive(Default)]
pub(crate) struct AttentionScratch {
    keys: Buffer,
    values: Buffer,
    scores: Buffer,
    factors: Buffer,
}

/// The shape of an attention layer.
#[derive(Clone, Copy)]
pub(crate) struct Attention {
    pub(crate) isa: Isa,
    pub(crate) heads: usize,
    pub(crate) head_size: usize,
}

impl Attention {
    /// `qkv` holds queries (already scaled), keys and values of each token side by side; `out` gets one row per token.
    pub(crate) fn apply(self, qkv: &[f32], out: &mut [f32], scratch: &mut AttentionScratch) {
        let Self { isa, heads, head_size } = self;
        let hidden = heads * head_size;
        let (stride, tokens, width) = (3 * hidden, qkv.len() / (3 * hidden), isa.panel());
        // Room for whole panels: the surplus keys and values are zero, the surplus probabilities are next to zero.
        let padded = tokens.next_multiple_of(width.max(4));
        let block = 2 * isa.tile_rows();

        let keys = scratch.keys.reserve(padded * head_size);
        let values = scratch.values.reserve(padded * head_size);
        let scores = scratch.scores.reserve(block * padded);
        let factors = scratch.factors.reserve(block);
        for head in 0..heads {
            let queries = head * head_size;
            pack_keys(&qkv[queries + hidden..], stride, tokens, head_size, width, keys);
            pack_values(&qkv[queries + 2 * hidden..], stride, tokens, padded, head_size, width, values);
            for first in (0..tokens).step_by(block) {
                let rows = block.min(tokens - first);
                isa.run(Product {
                    a: View { data: &qkv[first * stride + queries..], stride },
                    rows,
                    depth: head_size,
                    panels: keys,
                    columns: padded,
                    out: ViewMut { data: scores, stride: padded },
                    finish: Finish::Plain,
                });
                isa.run(Softmax { scores: &mut scores[..rows * padded], padded, tokens, factors });
                isa.run(Product {
                    a: View { data: scores, stride: padded },
                    rows,
                    depth: padded,
                    panels: values,
                    columns: head_size,
                    out: ViewMut { data: &mut out[first * hidden + queries..], stride: hidden },
                    finish: Finish::ScaleRows(factors),
                });
            }
        }
    }
}

/// Keys as the columns of a packed matrix: each token's key runs down one column of a panel.
fn pack_keys(from: &[f32], stride: usize, tokens: usize, size: usize, width: usize, panels: &mut [f32]) {
    for (panel, first) in panels.chunks_exact_mut(width * size).zip((0..).step_by(width)) {
        if first + width > tokens {
            panel.fill(0.0);
        }
        for token in first..tokens.min(first + width) {
            for (k, key) in from[token * stride..][..size].iter().enumerate() {
                panel[k * width + token - first] = *key;
            }
        }
    }
}

/// Values as the rows of a packed matrix: one panel per `width` columns of the head.
fn pack_values(
    from: &[f32],
    stride: usize,
    tokens: usize,
    padded: usize,
    size: usize,
    width: usize,
    panels: &mut [f32],
) {
    for (panel, column) in panels.chunks_exact_mut(width * padded).zip((0..size).step_by(width)) {
        for (token, row) in panel.chunks_exact_mut(width).enumerate() {
            if token < tokens {
                row.copy_from_slice(&from[token * stride + column..][..width]);
            } else {
                row.fill(0.0);
            }
        }
    }
}

/// Turns rows of scores into `e^(score - largest)` and notes `1 / sum` of each row.
struct Softmax<'a> {
    scores: &'a mut [f32],
    padded: usize,
    tokens: usize,
    factors: &'a mut [f32],
}

impl Op for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for (row, factor) in self.scores.chunks_exact_mut(self.padded).zip(self.factors) {
            row[self.tokens..].fill(f32::NEG_INFINITY);
            let mut largest = simd.splat(f32::NEG_INFINITY);
            for part in row.chunks_exact(S::LANES) {
                largest = simd.max(largest, simd.load(part));
            }
            let largest = simd.splat(simd.largest(largest));
            let mut sum = simd.splat(0.0);
            for part in row.chunks_exact_mut(S::LANES) {
                let value = exp(simd, simd.sub(simd.load(part), largest));
                sum = simd.add(sum, value);
                simd.store(value, part);
            }
            *factor = 1.0 / simd.sum(sum);
        }
    }
}
