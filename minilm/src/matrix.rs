//! Matrix products over packed weights.
//!
//! A packed matrix is cut into panels as wide as a register tile: panel `p` holds, for each step of the depth, the
//! columns `p * PANEL ..` next to each other, so that the innermost loop reads memory strictly in order. The last panel
//! is padded with zeros.

use crate::{
    buffer::Buffer,
    functions::gelu,
    simd::{Isa, Op, Simd, tile::Tile},
};

/// Weights of one linear layer, packed for one instruction set.
pub(crate) struct Linear {
    panels: Buffer,
    bias: Vec<f32>,
    depth: usize,
    columns: usize,
}

impl Linear {
    /// Packs row-major `weights` (one row of `depth` per output, as PyTorch stores them).
    pub(crate) fn pack(isa: Isa, weights: &[f32], bias: Vec<f32>) -> Self {
        let columns = bias.len();
        let depth = weights.len() / columns;
        let width = isa.panel();
        let mut panels = Buffer::zeroed(columns.div_ceil(width) * width * depth);
        for (column, weights) in weights.chunks_exact(depth).enumerate() {
            let panel = column / width * width * depth + column % width;
            for (k, weight) in weights.iter().enumerate() {
                panels[panel + k * width] = *weight;
            }
        }
        Self { panels, bias, depth, columns }
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// `out = then(a * weights + bias)`
    pub(crate) fn apply(&self, isa: Isa, a: &[f32], out: &mut [f32], then: Activation) {
        let (rows, bias) = (a.len() / self.depth, &self.bias[..]);
        let finish = match then {
            Activation::None => Finish::Bias(bias),
            Activation::Gelu => Finish::BiasGelu(bias),
            Activation::AddToOutput => Finish::BiasAdd(bias),
        };
        let (a, out) = (View { data: a, stride: self.depth }, ViewMut { data: out, stride: self.columns });
        isa.run(Product {
            a,
            rows,
            depth: self.depth,
            panels: &self.panels,
            columns: self.columns,
            out,
            finish,
        });
    }
}

/// What happens to a linear layer's result on its way to the output.
#[derive(Clone, Copy)]
pub(crate) enum Activation {
    None,
    Gelu,
    /// The residual connection: the result is added to what the output holds.
    AddToOutput,
}

/// Rows of floats, `stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
}

/// Rows of floats to write, `stride` apart.
pub(crate) struct ViewMut<'a> {
    pub(crate) data: &'a mut [f32],
    pub(crate) stride: usize,
}

/// How a finished tile is written.
#[derive(Clone, Copy)]
pub(crate) enum Finish<'a> {
    Plain,
    /// Each row times its own factor.
    ScaleRows(&'a [f32]),
    Bias(&'a [f32]),
    BiasGelu(&'a [f32]),
    BiasAdd(&'a [f32]),
}

/// `out = finish(a * panels)`. `depth` must be a multiple of 4 and `columns` of the panel width.
pub(crate) struct Product<'a> {
    pub(crate) a: View<'a>,
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) panels: &'a [f32],
    pub(crate) columns: usize,
    pub(crate) out: ViewMut<'a>,
    pub(crate) finish: Finish<'a>,
}

impl Op for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { a, rows, depth, panels, columns, out, finish } = self;
        debug_assert!(columns.is_multiple_of(S::PANEL));
        let blocks = rows.div_ceil(S::TILE_ROWS).max(1);
        let mut tile = Tile::new();
        // Panels outside, rows inside: a panel stays in the first two cache levels while all rows pass over it.
        for (panel, column) in panels.chunks_exact(S::PANEL * depth).zip((0..columns).step_by(S::PANEL)) {
            let mut row = 0;
            for block in 0..blocks {
                // Even blocks: 16 rows make two tiles of 8 rather than one of 14 and one of 2.
                let end = rows * (block + 1) / blocks;
                if end == row {
                    continue;
                }
                tile.multiply(simd, &a.data[row * a.stride..], a.stride, end - row, depth, panel);
                for (sums, row) in tile.0.chunks_exact(S::PANEL).zip(row..end) {
                    let at = row * out.stride + column;
                    write(simd, sums, &mut out.data[at..at + S::PANEL], row, column, finish);
                }
                row = end;
            }
        }
    }
}

#[inline(always)]
fn write<S: Simd>(simd: S, sums: &[f32], out: &mut [f32], row: usize, column: usize, finish: Finish<'_>) {
    for (part, (sum, out)) in sums.chunks_exact(S::LANES).zip(out.chunks_exact_mut(S::LANES)).enumerate() {
        let sum = simd.load(sum);
        let bias = |bias: &[f32]| simd.add(sum, simd.load(&bias[column + part * S::LANES..]));
        let value = match finish {
            Finish::Plain => sum,
            Finish::ScaleRows(factors) => simd.mul(sum, simd.splat(factors[row])),
            Finish::Bias(b) => bias(b),
            Finish::BiasGelu(b) => gelu(simd, bias(b)),
            Finish::BiasAdd(b) => simd.add(bias(b), simd.load(out)),
        };
        simd.store(value, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Activation, Linear};
    use crate::{reference::Random, simd::Isa};

    proptest! {
        #[test]
        fn a_packed_product_equals_the_naive_one(
            rows in 0_usize..40, quads in 1_usize..20, panels in 1_usize..4, seed: u64,
        ) {
            let (depth, columns, mut random) = (4 * quads, 32 * panels, Random(seed));
            let (a, weights) = (random.floats(rows * depth), random.floats(columns * depth));
            let (bias, before) = (random.floats(columns), random.floats(rows * columns));
            for isa in Isa::available() {
                let layer = Linear::pack(isa, &weights, bias.clone());
                let (mut plain, mut added) = (vec![0.0; rows * columns], before.clone());
                layer.apply(isa, &a, &mut plain, Activation::None);
                layer.apply(isa, &a, &mut added, Activation::AddToOutput);
                for (at, (plain, added)) in plain.iter().zip(&added).enumerate() {
                    let (row, column) = (&a[at / columns * depth..], &weights[at % columns * depth..]);
                    let product = row.iter().zip(&column[..depth]).map(|(a, b)| f64::from(*a) * f64::from(*b));
                    let expected = product.sum::<f64>() + f64::from(bias[at % columns]);
                    prop_assert!((f64::from(*plain) - expected).abs() < 1e-4, "{}", isa.name());
                    prop_assert!((f64::from(*added) - expected - f64::from(before[at])).abs() < 1e-4, "{}", isa.name());
                }
            }
        }
    }
}
