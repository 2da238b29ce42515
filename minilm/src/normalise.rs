//! Layer normalisation, in place.

use crate::{
    LoadError,
    config::Config,
    simd::{Isa, Op, Simd},
    weights::Weights,
};

pub(crate) struct LayerNorm {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    pub(crate) epsilon: f32,
}

impl LayerNorm {
    pub(crate) fn load(weights: &mut Weights, config: &Config, name: &str) -> Result<Self, LoadError> {
        let mut read = |part: &str| weights.read(&format!("{name}.{part}"), &[config.hidden_size]);
        Ok(Self { weight: read("weight")?, bias: read("bias")?, epsilon: config.layer_norm_eps })
    }

    /// Normalises each row of `rows`, whose width is that of the weights and a multiple of 32.
    pub(crate) fn apply(&self, isa: Isa, rows: &mut [f32]) {
        isa.run(Normalise { layer: self, rows });
    }
}

struct Normalise<'a> {
    layer: &'a LayerNorm,
    rows: &'a mut [f32],
}

impl Op for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for row in self.rows.chunks_exact_mut(self.layer.weight.len()) {
            normalise_row(simd, self.layer, row);
        }
    }
}

#[inline(always)]
pub(crate) fn normalise_row<S: Simd>(simd: S, layer: &LayerNorm, row: &mut [f32]) {
    let LayerNorm { weight, bias, epsilon } = layer;
    let count = weight.len() as f32;
    let mut sum = simd.splat(0.0);
    for part in row.chunks_exact(S::LANES) {
        sum = simd.add(sum, simd.load(part));
    }
    let mean = simd.splat(simd.sum(sum) / count);
    // Two passes: the sum of squares minus the square of the sum would cancel.
    let mut squares = simd.splat(0.0);
    for part in row.chunks_exact(S::LANES) {
        let centred = simd.sub(simd.load(part), mean);
        squares = simd.mul_add(centred, centred, squares);
    }
    let scale = simd.splat(1.0 / (simd.sum(squares) / count + epsilon).sqrt());
    let affine = weight.chunks_exact(S::LANES).zip(bias.chunks_exact(S::LANES));
    for (part, (weight, bias)) in row.chunks_exact_mut(S::LANES).zip(affine) {
        let centred = simd.mul(simd.sub(simd.load(part), mean), scale);
        simd.store(simd.mul_add(centred, simd.load(weight), simd.load(bias)), part);
    }
}
