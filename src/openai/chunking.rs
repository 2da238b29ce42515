//! `chunking_strategy`: a size and an overlap in tokens, or the vector store's own.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const SIZES: std::ops::RangeInclusive<u32> = 100..=4096;

/// How a file is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ChunkingStrategy {
    /// As the vector store says.
    Auto {},
    Static {
        #[serde(rename = "static")]
        sizes: Sizes,
    },
}

/// The form of a [`ChunkingStrategy`], whose own would not say that it has no other fields.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ChunkingStrategy)]
#[expect(dead_code, reason = "for the OpenAPI document")]
pub(crate) enum StrategyForm {
    Auto(AutoChunking),
    Static(StaticChunking),
}

/// As the vector store says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the OpenAPI document")]
pub(crate) struct AutoChunking {
    #[serde(rename = "type")]
    kind: Auto,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AutoChunkingType)]
enum Auto {
    Auto,
}

/// Of a size and an overlap in tokens.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the OpenAPI document")]
pub(crate) struct StaticChunking {
    #[serde(rename = "type")]
    kind: Static,
    #[serde(rename = "static")]
    sizes: Sizes,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = StaticChunkingType)]
enum Static {
    Static,
}

/// In tokens of the embedding model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sizes {
    #[schema(minimum = 100, maximum = 4096)]
    max_chunk_size_tokens: u32,
    /// At most half of it.
    #[schema(minimum = 0, maximum = 2048)]
    chunk_overlap_tokens: u32,
}

/// What is in force.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = FileChunkingView)]
pub(crate) struct ChunkingView {
    /// `static`
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "static")]
    sizes: Sizes,
}

impl ChunkingStrategy {
    /// The largest chunk and the overlap; none for the vector store's own.
    pub(super) fn cut(given: Option<Self>) -> Result<Option<(u32, u32)>, Error> {
        let Some(Self::Static { sizes }) = given else { return Ok(None) };
        let Sizes { max_chunk_size_tokens: max, chunk_overlap_tokens: overlap } = sizes;
        if !SIZES.contains(&max) {
            let message = "`max_chunk_size_tokens` is between 100 and 4096";
            return Err(Error::invalid("chunking_strategy.static.max_chunk_size_tokens", message));
        }
        if overlap > max / 2 {
            let message = "`chunk_overlap_tokens` is at most half of `max_chunk_size_tokens`";
            return Err(Error::invalid("chunking_strategy.static.chunk_overlap_tokens", message));
        }
        Ok(Some((max, overlap)))
    }
}

impl ChunkingView {
    pub(super) fn of(max_tokens: i32, overlap_tokens: i32) -> Self {
        let sizes = Sizes {
            max_chunk_size_tokens: max_tokens.unsigned_abs(),
            chunk_overlap_tokens: overlap_tokens.unsigned_abs(),
        };
        Self { kind: "static", sizes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_strategy_is_read_or_refused() {
        let read = |value| serde_json::from_value::<ChunkingStrategy>(value);
        let of = |max, overlap| {
            let sizes = json!({"max_chunk_size_tokens": max, "chunk_overlap_tokens": overlap});
            ChunkingStrategy::cut(Some(read(json!({"type": "static", "static": sizes})).expect("a strategy")))
        };
        assert_eq!(of(800, 400).expect("valid"), Some((800, 400)));
        assert!(of(99, 0).is_err() && of(4097, 0).is_err() && of(100, 51).is_err());
        assert_eq!(ChunkingStrategy::cut(read(json!({"type": "auto"})).ok()).expect("valid"), None);
        assert!(read(json!({"type": "other"})).is_err());
        assert!(read(json!({"type": "static"})).is_err());
    }
}
