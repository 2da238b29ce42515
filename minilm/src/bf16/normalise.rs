//! Layer normalisation of the residual stream, and its result rounded for the next product.

use crate::{
    normalise::{LayerNorm, normalise_row},
    simd::bf16::{Bf16, Bf16Op, PANEL},
};

/// Normalises `rows` in place and rounds them to `rounded`.
pub(super) struct NormaliseBoth<'a> {
    pub(super) norm: &'a LayerNorm,
    pub(super) rows: &'a mut [f32],
    pub(super) rounded: &'a mut [u16],
}

impl Bf16Op for NormaliseBoth<'_> {
    #[inline(always)]
    fn run<S: Bf16>(self, simd: S) {
        let width = self.norm.weight.len();
        for (row, rounded) in self.rows.chunks_exact_mut(width).zip(self.rounded.chunks_exact_mut(width)) {
            normalise_row(simd, self.norm, row);
            for (pair, rounded) in row.chunks_exact(PANEL).zip(rounded.chunks_exact_mut(PANEL)) {
                simd.store_pair(simd.load(pair), simd.load(&pair[S::LANES..]), rounded);
            }
        }
    }
}
