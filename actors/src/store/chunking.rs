//! How a collection cuts its documents, as it is stored.

use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

/// A collection's way of making chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunking {
    pub strategy: ChunkStrategy,
    pub max_tokens: u32,
    pub overlap_tokens: u32,
    /// Of the strategy `SentenceWindow`: sentences on either side.
    pub window_sentences: u32,
    pub context: ChunkContext,
}

impl Default for Chunking {
    fn default() -> Self {
        Self {
            strategy: ChunkStrategy::Structure,
            max_tokens: 256,
            overlap_tokens: 32,
            window_sentences: 3,
            context: ChunkContext::None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChunkStrategy {
    Structure,
    Tokens,
    SentenceWindow,
    Code,
}

impl ChunkStrategy {
    fn as_str(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Tokens => "tokens",
            Self::SentenceWindow => "sentence_window",
            Self::Code => "code",
        }
    }

    /// What a newer version may have written is read as the default, which cuts every document.
    fn read(name: &str) -> Self {
        match name {
            "tokens" => Self::Tokens,
            "sentence_window" => Self::SentenceWindow,
            "code" => Self::Code,
            _ => Self::Structure,
        }
    }
}

/// What is embedded and indexed besides a chunk's own text and headings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChunkContext {
    None,
    /// A chat model's sentences that situate the chunk in its document.
    Llm,
}

impl ChunkContext {
    fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Llm => "llm",
        }
    }

    fn read(name: &str) -> Self {
        if name == "llm" { Self::Llm } else { Self::None }
    }
}

/// In the order of [`Chunking::read`] and [`Columns`].
pub(super) const COLUMNS: &str =
    "max_tokens, overlap_tokens, chunk_strategy, window_sentences, chunk_context";

/// The columns' values.
pub(super) type Columns = (i32, i32, &'static str, i32, &'static str);

impl Chunking {
    /// Reads [`COLUMNS`], the first of which is column `at`.
    pub(super) fn read(row: &Row, at: usize) -> Self {
        let number = |at: usize| u32::try_from(row.get::<_, i32>(at)).unwrap_or_default();
        Self {
            max_tokens: number(at),
            overlap_tokens: number(at + 1),
            strategy: ChunkStrategy::read(row.get(at + 2)),
            window_sentences: number(at + 3),
            context: ChunkContext::read(row.get(at + 4)),
        }
    }

    pub(super) fn columns(self) -> Columns {
        let (max, overlap) = (self.max_tokens.cast_signed(), self.overlap_tokens.cast_signed());
        let sentences = self.window_sentences.cast_signed();
        (max, overlap, self.strategy.as_str(), sentences, self.context.as_str())
    }
}
