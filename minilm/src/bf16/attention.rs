//! Multi-head self-attention of one sequence; no padding, no mask.

use crate::{
    buffer::Buffer,
    functions::exp,
    simd::bf16::{BLOCK, Bf16, Bf16Op, GROUP, PANEL},
};

/// Reusable memory of [`Attention`].
#[derive(Default)]
pub(crate) struct AttentionScratch {
    keys: Buffer<u16>,
    values: Buffer<u16>,
    scores: Buffer<f32>,
    powers: Buffer<u16>,
}

/// Attention of one sequence of `tokens` tokens.
pub(crate) struct Attention<'a> {
    pub(crate) heads: usize,
    pub(crate) head_size: usize,
    pub(crate) tokens: usize,
    /// Queries (already scaled), keys and values of each token side by side, with room for whole groups of rows.
    pub(crate) qkv: &'a [u16],
    /// One row per token.
    pub(crate) out: &'a mut [u16],
    pub(crate) scratch: &'a mut AttentionScratch,
}

impl Bf16Op for Attention<'_> {
    #[inline(always)]
    fn run<S: Bf16>(self, simd: S) {
        let Self { heads, head_size, tokens, qkv, out, scratch } = self;
        let hidden = heads * head_size;
        let stride = 3 * hidden;
        // Room for whole panels: the surplus keys and values are zero, the surplus powers are next to zero.
        let padded = tokens.next_multiple_of(PANEL);
        let keys = scratch.keys.reserve(padded * head_size);
        let values = scratch.values.reserve(padded * head_size);
        let scores = scratch.scores.reserve(BLOCK * padded);
        let powers = scratch.powers.reserve(BLOCK * padded);
        let mut factors = [0.0; BLOCK];
        let mut tile = Tile([0.0; BLOCK * PANEL]);
        for head in 0..heads {
            let queries = head * head_size;
            pack_keys(&qkv[queries + hidden..], stride, tokens, head_size, keys);
            pack_values(&qkv[queries + 2 * hidden..], stride, tokens, head_size, values);
            for first in (0..tokens).step_by(BLOCK) {
                let rows = BLOCK.min(tokens - first);
                let a = &qkv[first * stride + queries..];
                for (at, panel) in keys.chunks_exact(PANEL * head_size).enumerate() {
                    simd.multiply(a, stride, rows, head_size, panel, &mut scores[at * PANEL..], padded);
                }
                let rows_of_scores = scores.chunks_exact_mut(padded).zip(powers.chunks_exact_mut(padded));
                for ((scores, powers), factor) in rows_of_scores.zip(&mut factors).take(rows) {
                    *factor = soften(simd, scores, tokens, powers);
                }
                for (at, panel) in values.chunks_exact(PANEL * padded).enumerate() {
                    simd.multiply(powers, padded, rows, padded, panel, &mut tile.0, PANEL);
                    for (row, (sums, factor)) in
                        tile.0.chunks_exact(PANEL).zip(&factors).take(rows).enumerate()
                    {
                        let out = &mut out[(first + row) * hidden + queries + at * PANEL..];
                        let scaled = |from| simd.mul(simd.load(&sums[from..]), simd.splat(*factor));
                        simd.store_pair(scaled(0), scaled(S::LANES), out);
                    }
                }
            }
        }
    }
}

#[repr(align(64))]
struct Tile([f32; BLOCK * PANEL]);

/// Writes `e^(score - largest)` of a row's first `tokens` scores, and returns `1 / sum` of them.
#[inline(always)]
fn soften<S: Bf16>(simd: S, scores: &mut [f32], tokens: usize, powers: &mut [u16]) -> f32 {
    scores[tokens..].fill(f32::NEG_INFINITY);
    let mut largest = [simd.splat(f32::NEG_INFINITY); 2];
    for pair in scores.chunks_exact(PANEL) {
        largest[0] = simd.max(largest[0], simd.load(pair));
        largest[1] = simd.max(largest[1], simd.load(&pair[S::LANES..]));
    }
    let largest = simd.splat(simd.largest(simd.max(largest[0], largest[1])));
    let mut sums = [simd.splat(0.0); 2];
    for (pair, powers) in scores.chunks_exact(PANEL).zip(powers.chunks_exact_mut(PANEL)) {
        let low = exp(simd, simd.sub(simd.load(pair), largest));
        let high = exp(simd, simd.sub(simd.load(&pair[S::LANES..]), largest));
        sums = [simd.add(sums[0], low), simd.add(sums[1], high)];
        simd.store_pair(low, high, powers);
    }
    1.0 / simd.sum(simd.add(sums[0], sums[1]))
}

/// Keys as the columns of a packed matrix: each token's key runs down one column of a panel, two numbers at a time.
#[inline(always)]
fn pack_keys(from: &[u16], stride: usize, tokens: usize, size: usize, panels: &mut [u16]) {
    for (panel, first) in panels.chunks_exact_mut(PANEL * size).zip((0..).step_by(PANEL)) {
        if first + PANEL > tokens {
            panel.fill(0);
        }
        for token in first..tokens.min(first + PANEL) {
            for (k, pair) in from[token * stride..][..size].chunks_exact(2).enumerate() {
                panel[(k * PANEL + token - first) * 2..][..2].copy_from_slice(pair);
            }
        }
    }
}

/// Values as the rows of a packed matrix: one panel per [`PANEL`] columns of the head, two tokens woven into one row.
#[inline(always)]
fn pack_values(from: &[u16], stride: usize, tokens: usize, size: usize, panels: &mut [u16]) {
    let padded = panels.len() / size;
    for (panel, column) in panels.chunks_exact_mut(PANEL * padded).zip((0..size).step_by(PANEL)) {
        for (row, token) in panel.chunks_exact_mut(2 * PANEL).zip((0..).step_by(2)) {
            let value = |token: usize| -> &[u16] {
                if token < tokens { &from[token * stride + column..][..PANEL] } else { &[0; PANEL] }
            };
            for ((pair, even), odd) in row.chunks_exact_mut(2).zip(value(token)).zip(value(token + 1)) {
                pair.copy_from_slice(&[*even, *odd]);
            }
        }
    }
}

const _: () = assert!(BLOCK == 2 * GROUP);
