//! Sentence embeddings with all-MiniLM-L6-v2 (and BERT encoders of the same architecture) on the CPU, and scores of pairs
//! of texts by a cross-encoder over the same network.
//!
//! Pure computation: files are read once by [`Model::load`] or [`CrossEncoder::load`]; after that nothing blocks, no thread
//! is started and nothing but the result is allocated. Both are immutable and shared; each thread that computes owns a
//! [`Scratch`].
//!
//! - [`tokenizer`](Tokenizer): WordPiece, identical to the reference implementation, linear in the input.
//! - `encoder`: the network, in fp32 over `matrix`, `attention` and `normalise`, in bf16 over the same in `bf16`.
//! - `simd`: vector and tile instructions, chosen at run time; the only `unsafe` code.
//!
//! Memory: about 90 MB for the weights, 45 MB as bf16; 4 MB for a scratch. Time is proportional to the tokens after truncation, so
//! a caller bounds it by the number of texts it passes at once.

mod attention;
mod bf16;
mod buffer;
mod config;
mod cross_encoder;
mod encoder;
mod error;
mod functions;
mod layer;
mod matrix;
mod model;
mod normalise;
mod precision;
#[cfg(test)]
mod reference;
mod simd;
mod tokenizer;
mod weights;
mod words;

pub use cross_encoder::{CrossEncoder, Query};
pub use encoder::Scratch;
pub use error::LoadError;
pub use model::Model;
pub use precision::Precision;
pub use tokenizer::{Encoding, Tokenizer};
