//! Vectors that come with documents, as an export gives them: reused where the model is the same.

use crate::error::Error;
use crate::rag::Rag;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use half::f16;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const HASH: usize = 32;
/// As many as PostgreSQL keeps.
const MOST_DIMENSIONS: usize = 16_000;

/// A document's vectors, and the model they are of.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VectorsView {
    pub model: String,
    #[schema(minimum = 1, maximum = 16_000)]
    pub dimensions: usize,
    pub chunks: Vec<ChunkVector>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChunkVector {
    /// SHA-256 of the text that was embedded, in hex.
    #[schema(pattern = "^[0-9A-Fa-f]{64}$")]
    pub content_hash: String,
    /// 16-bit floats, little-endian, in base64.
    pub vector: String,
}

/// The same, read.
#[derive(Debug, Clone)]
pub struct KnownVectors {
    pub model: String,
    pub dimensions: usize,
    /// By the hash of what was embedded.
    pub by_hash: Vec<(Vec<u8>, Vec<f32>)>,
}

impl VectorsView {
    pub fn of(model: &str, dimensions: usize, vectors: &[(Vec<u8>, Vec<u8>)]) -> Self {
        let chunk = |(hash, halves): &(Vec<u8>, Vec<u8>)| ChunkVector {
            content_hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            vector: STANDARD.encode(halves),
        };
        Self { model: model.to_owned(), dimensions, chunks: vectors.iter().map(chunk).collect() }
    }

    pub fn read(self) -> Result<KnownVectors, Error> {
        let Self { model, dimensions, chunks } = self;
        let invalid = || {
            let message = format!(
                "`vectors.chunks` holds SHA-256 hashes in hex and vectors of {dimensions} 16-bit floats in base64"
            );
            Error::invalid("vectors", message)
        };
        if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            let message = format!("`vectors.dimensions` is between 1 and {MOST_DIMENSIONS}");
            return Err(Error::invalid("vectors.dimensions", message));
        }
        let by_hash = chunks.into_iter().map(|chunk| {
            let hash = unhex(&chunk.content_hash).filter(|hash| hash.len() == HASH).ok_or_else(invalid)?;
            let bytes = STANDARD.decode(chunk.vector).map_err(|_| invalid())?;
            let halves: Vec<f32> =
                bytes.chunks_exact(2).map(|pair| f16::from_le_bytes([pair[0], pair[1]]).to_f32()).collect();
            let whole = bytes.len() == dimensions * 2 && halves.iter().all(|value| value.is_finite());
            if whole { Ok((hash, halves)) } else { Err(invalid()) }
        });
        Ok(KnownVectors { by_hash: by_hash.collect::<Result<_, Error>>()?, model, dimensions })
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if digits.len().is_multiple_of(2) { digits.chunks(2).map(pair).collect() } else { None }
}

impl Rag {
    /// Whether vectors are of the space that documents are embedded in here.
    pub fn reuses(&self, vectors: &KnownVectors) -> bool {
        vectors.model == self.embedder.model() && vectors.dimensions == self.embedder.dimensions()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn vectors_are_read_back_as_they_were_given_out(
            vectors in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 32), proptest::collection::vec(-1000_i16..1000, 3)), 0..5),
        ) {
            let halves = |values: &Vec<i16>| -> Vec<f16> { values.iter().map(|value| f16::from_f32(f32::from(*value) / 997.0)).collect() };
            let given: Vec<_> = vectors.iter()
                .map(|(hash, values)| (hash.clone(), halves(values).iter().flat_map(|half| half.to_le_bytes()).collect()))
                .collect();
            let read = VectorsView::of("m", 3, &given).read().expect("readable");
            let expected: Vec<_> = vectors.iter()
                .map(|(hash, values)| (hash.clone(), halves(values).iter().map(|half| half.to_f32()).collect::<Vec<_>>()))
                .collect();
            prop_assert_eq!(read.by_hash, expected);
        }
    }

    #[test]
    fn what_is_no_vector_is_refused() {
        let hash = "00".repeat(32);
        for (content_hash, vector) in [
            (hash.as_str(), "AAA="),     // one and a half of two
            (hash.as_str(), "!"),        // no base64
            (hash.as_str(), "AHwAfA=="), // infinite
            (&hash[2..], "AAAAAA=="),    // short of a byte
            ("zz", "AAAAAA=="),
        ] {
            let chunk = ChunkVector { content_hash: content_hash.to_owned(), vector: vector.to_owned() };
            let view = VectorsView { model: "m".to_owned(), dimensions: 2, chunks: vec![chunk] };
            assert_eq!(
                view.read().expect_err("refused").param.as_deref(),
                Some("vectors"),
                "{content_hash} {vector}"
            );
        }
    }
}
