//! In which precision the products are computed, and with which instructions.

use serde::Deserialize;

use crate::{
    LoadError,
    simd::{Isa, bf16::Kernel},
};

/// The precision of weights and of the inputs of products. Everything else always is single precision.
///
/// The embeddings of both precisions lie in one space: they differ by far less than those of texts that say the same in
/// other words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// bf16 where this machine computes it fast, else fp32.
    #[default]
    Auto,
    /// bf16, refused where the machine has no instructions for it. It takes half the memory.
    Bf16,
    /// fp32.
    Fp32,
}

/// What a model computes with; its weights are packed for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arithmetic {
    pub(crate) isa: Isa,
    /// None: products in fp32, on `isa`.
    pub(crate) kernel: Option<Kernel>,
}

impl Arithmetic {
    pub(crate) fn choose(precision: Precision) -> Result<Self, LoadError> {
        let isa = Isa::detect();
        let kernel = match precision {
            Precision::Fp32 => None,
            Precision::Auto => Kernel::available().into_iter().next(),
            Precision::Bf16 => Some(Kernel::available().into_iter().next().ok_or(LoadError::NoBf16)?),
        };
        Ok(Self { isa, kernel })
    }

    pub(crate) fn name(self) -> &'static str {
        self.kernel.map_or_else(|| self.isa.name(), Kernel::name)
    }

    pub(crate) fn precision(self) -> Precision {
        if self.kernel.is_some() { Precision::Bf16 } else { Precision::Fp32 }
    }

    /// All that this machine can compute with.
    #[cfg(test)]
    pub(crate) fn available() -> Vec<Self> {
        let isa = Isa::detect();
        let fp32 = Isa::available().into_iter().map(|isa| Self { isa, kernel: None });
        fp32.chain(Kernel::available().into_iter().map(|kernel| Self { isa, kernel: Some(kernel) })).collect()
    }
}
