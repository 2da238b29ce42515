//! Matrix products over packed bf16 weights.

use crate::{
    buffer::Buffer,
    functions::gelu,
    simd::{
        Simd,
        bf16::{BLOCK, Bf16, Bf16Op, GROUP, Kernel, PANEL, round},
    },
};

/// Weights of one linear layer as bf16, packed as [`crate::simd::bf16`] describes.
pub(crate) struct Linear {
    panels: Buffer<u16>,
    bias: Vec<f32>,
    depth: usize,
}

/// What becomes of a linear layer's result.
pub(crate) enum Output<'a> {
    /// `out = round(result + bias)`
    Round(&'a mut [u16]),
    /// `out = round(gelu(result + bias))`
    Gelu(&'a mut [u16]),
    /// `out += result + bias`: the residual connection.
    Add(&'a mut [f32]),
}

impl Linear {
    /// Packs row-major `weights` (one row per output, as PyTorch stores them); both sides must be multiples of 32.
    pub(crate) fn pack(weights: &[f32], bias: Vec<f32>) -> Self {
        let depth = weights.len() / bias.len();
        debug_assert!(depth.is_multiple_of(PANEL) && bias.len().is_multiple_of(PANEL));
        let mut panels = Buffer::zeroed(weights.len());
        for (column, weights) in weights.chunks_exact(depth).enumerate() {
            let panel = &mut panels[column / PANEL * PANEL * depth..][..PANEL * depth];
            for (k, weight) in weights.iter().enumerate() {
                panel[(k / 2 * PANEL + column % PANEL) * 2 + k % 2] = round(*weight);
            }
        }
        Self { panels, bias, depth }
    }

    pub(crate) fn columns(&self) -> usize {
        self.bias.len()
    }

    /// The product with `rows` rows of `a`, which must have room for whole groups.
    pub(crate) fn apply(&self, kernel: Kernel, a: &[u16], rows: usize, output: Output<'_>) {
        kernel.run(Product { layer: self, a, rows, output });
    }
}

struct Product<'a> {
    layer: &'a Linear,
    a: &'a [u16],
    rows: usize,
    output: Output<'a>,
}

impl Bf16Op for Product<'_> {
    #[inline(always)]
    fn run<S: Bf16>(self, simd: S) {
        let Self { layer: Linear { panels, bias, depth }, a, rows, mut output } = self;
        let (depth, columns) = (*depth, bias.len());
        let blocks = rows.div_ceil(BLOCK).max(1);
        let share = (PANEL * depth).div_ceil(blocks);
        let mut tile = Tile([0.0; BLOCK * PANEL]);
        // Panels outside, rows inside: a panel is read from memory once and stays near while all rows pass over it. The
        // next one is asked for meanwhile, a share with each block of rows.
        for (at, bias) in bias.chunks_exact(PANEL).enumerate() {
            let (panel, next) = panels[at * PANEL * depth..].split_at(PANEL * depth);
            let mut ahead = next[..next.len().min(PANEL * depth)].chunks(share);
            for first in (0..rows).step_by(BLOCK) {
                let count = BLOCK.min(rows - first);
                let whole = count.next_multiple_of(GROUP);
                let a = &a[first * depth..(first + whole) * depth];
                simd.prefetch_slice(ahead.next().unwrap_or_default());
                simd.multiply(a, depth, count, depth, panel, &mut tile.0, PANEL);
                let places = (first..first + count).map(|row| row * columns + at * PANEL);
                let sums = tile.0.chunks_exact(PANEL).zip(places);
                match &mut output {
                    Output::Round(out) => {
                        for (sums, at) in sums {
                            let [low, high] = biased(simd, sums, bias);
                            simd.store_pair(low, high, &mut out[at..at + PANEL]);
                        }
                    }
                    Output::Gelu(out) => {
                        for (sums, at) in sums {
                            let [low, high] = biased(simd, sums, bias);
                            simd.store_pair(gelu(simd, low), gelu(simd, high), &mut out[at..at + PANEL]);
                        }
                    }
                    Output::Add(out) => {
                        for (sums, at) in sums {
                            let (left, right) = out[at..at + PANEL].split_at_mut(S::LANES);
                            let [low, high] = biased(simd, sums, bias);
                            simd.store(simd.add(low, simd.load(left)), left);
                            simd.store(simd.add(high, simd.load(right)), right);
                        }
                    }
                }
            }
        }
    }
}

/// The sums of one block, before they are finished.
#[repr(align(64))]
struct Tile([f32; BLOCK * PANEL]);

#[inline(always)]
fn biased<S: Simd>(simd: S, sums: &[f32], bias: &[f32]) -> [S::V; 2] {
    let at = |from: usize| simd.add(simd.load(&sums[from..]), simd.load(&bias[from..]));
    [at(0), at(S::LANES)]
}
