//! One transformer layer: its parts, and how they are read. How it is computed depends on the precision of its products.

use crate::{LoadError, config::Config, normalise::LayerNorm, weights::Weights};

/// A transformer layer over linear layers of one precision.
pub(crate) struct Layer<L> {
    /// Queries, already divided by the root of the head size, keys and values side by side.
    pub(crate) qkv: L,
    pub(crate) output: L,
    pub(crate) attention_norm: LayerNorm,
    pub(crate) up: L,
    pub(crate) down: L,
    pub(crate) norm: LayerNorm,
}

impl<L> Layer<L> {
    /// Reads layer `index`; `pack` takes row-major weights and a bias.
    pub(crate) fn load(
        weights: &mut Weights,
        config: &Config,
        index: usize,
        pack: impl Fn(&[f32], Vec<f32>) -> L,
    ) -> Result<Self, LoadError> {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
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
        let linear = |weights: &mut Weights, part: &str, outputs: usize, inputs: usize| {
            let name = name(part);
            let matrix = weights.read(&format!("{name}.weight"), &[outputs, inputs])?;
            Ok::<L, LoadError>(pack(&matrix, weights.read(&format!("{name}.bias"), &[outputs])?))
        };
        Ok(Self {
            qkv: pack(&matrix, bias),
            output: linear(weights, "attention.output.dense", hidden, hidden)?,
            attention_norm: LayerNorm::load(weights, config, &name("attention.output.LayerNorm"))?,
            up: linear(weights, "intermediate.dense", intermediate, hidden)?,
            down: linear(weights, "output.dense", hidden, intermediate)?,
            norm: LayerNorm::load(weights, config, &name("output.LayerNorm"))?,
        })
    }
}
