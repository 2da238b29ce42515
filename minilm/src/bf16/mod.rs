//! The layers with weights and the inputs of every product rounded to bf16.
//!
//! Sums, biases, the residual stream, layer normalisation, softmax and GELU stay in single precision; their results are
//! rounded on the way to the next product. Activations that are only read by products exist only as bf16.
//!
//! Buffers have room for whole groups of rows ([`GROUP`](crate::simd::bf16::GROUP)), because products read and compute
//! whole groups. What the surplus rows hold is left over from earlier use and never reaches a row that counts.

mod attention;
mod layer;
mod linear;
mod normalise;

pub(crate) use layer::Scratch;
pub(crate) use linear::Linear;
