//! The `chunking` of a collection as it is written and shown.

use crate::error::Error;
use mcp_rag_actors::store::{ChunkContext, ChunkStrategy, Chunking};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const MAX_TOKENS: std::ops::RangeInclusive<u32> = 32..=8192;
const MAX_SENTENCES: u32 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum StrategyName {
    /// Along sections, blocks and sentences; source code along its items.
    Structure,
    /// Windows of `max_tokens`, whatever the structure.
    Tokens,
    /// Each sentence by itself, returned with those around it.
    SentenceWindow,
    /// Source code: each function, method or class by itself. Everything else as by `structure`.
    Code,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum ContextName {
    None,
    /// The configured chat model situates each chunk in its document, for the index only.
    Llm,
}

/// How documents are cut; sizes are in the embedder's tokens. What is not named stays, or is the default.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ChunkingChange {
    /// `structure` by default.
    strategy: Option<StrategyName>,
    /// 256 by default.
    #[schema(minimum = 32, maximum = 8192)]
    max_tokens: Option<u32>,
    /// Repeated from the chunk before: at most half of `max_tokens`; 32 by default.
    #[schema(minimum = 0, maximum = 4096)]
    overlap_tokens: Option<u32>,
    /// Of `sentence_window`: sentences on either side; 3 by default.
    #[schema(minimum = 1, maximum = 10)]
    window_sentences: Option<u32>,
    /// `none` by default; `llm` needs a chat model.
    context: Option<ContextName>,
}

/// How a collection cuts its documents.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(in crate::http) struct ChunkingView {
    strategy: StrategyName,
    max_tokens: u32,
    overlap_tokens: u32,
    /// Of `sentence_window` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    window_sentences: Option<u32>,
    context: ContextName,
}

impl From<Chunking> for ChunkingView {
    fn from(chunking: Chunking) -> Self {
        let strategy = match chunking.strategy {
            ChunkStrategy::Structure => StrategyName::Structure,
            ChunkStrategy::Tokens => StrategyName::Tokens,
            ChunkStrategy::SentenceWindow => StrategyName::SentenceWindow,
            ChunkStrategy::Code => StrategyName::Code,
        };
        let context = match chunking.context {
            ChunkContext::None => ContextName::None,
            ChunkContext::Llm => ContextName::Llm,
        };
        let windowed = strategy == StrategyName::SentenceWindow;
        Self {
            strategy,
            max_tokens: chunking.max_tokens,
            overlap_tokens: chunking.overlap_tokens,
            window_sentences: windowed.then_some(chunking.window_sentences),
            context,
        }
    }
}

impl ChunkingChange {
    /// The chunking that is meant, over what holds now. `chat` says whether a chat model is configured.
    pub(super) fn over(self, now: Chunking, chat: bool) -> Result<Chunking, Error> {
        let strategy = match self.strategy {
            None => now.strategy,
            Some(StrategyName::Structure) => ChunkStrategy::Structure,
            Some(StrategyName::Tokens) => ChunkStrategy::Tokens,
            Some(StrategyName::SentenceWindow) => ChunkStrategy::SentenceWindow,
            Some(StrategyName::Code) => ChunkStrategy::Code,
        };
        let context = match self.context {
            None => now.context,
            Some(ContextName::None) => ChunkContext::None,
            Some(ContextName::Llm) => ChunkContext::Llm,
        };
        let max_tokens = self.max_tokens.unwrap_or(now.max_tokens);
        // What was not asked for gives way to what was.
        let overlap_tokens = self.overlap_tokens.unwrap_or(now.overlap_tokens.min(max_tokens / 2));
        let window_sentences = self.window_sentences.unwrap_or(now.window_sentences);
        if !MAX_TOKENS.contains(&max_tokens) {
            return Err(Error::invalid("chunking.max_tokens", "`max_tokens` is between 32 and 8192"));
        }
        if overlap_tokens > max_tokens / 2 {
            let message = "`overlap_tokens` is at most half of `max_tokens`";
            return Err(Error::invalid("chunking.overlap_tokens", message));
        }
        if !(1..=MAX_SENTENCES).contains(&window_sentences) {
            let message = format!("`window_sentences` is between 1 and {MAX_SENTENCES}");
            return Err(Error::invalid("chunking.window_sentences", message));
        }
        if self.window_sentences.is_some() && strategy != ChunkStrategy::SentenceWindow {
            let message = "`window_sentences` belongs to the strategy `sentence_window`";
            return Err(Error::invalid("chunking.window_sentences", message));
        }
        if self.context == Some(ContextName::Llm) && !chat {
            let message = "`context: llm` needs a chat model: set generator.kind = \"openai\" with \
                           generator.base_url and generator.model, or use `context: none`";
            return Err(Error::invalid("chunking.context", message));
        }
        Ok(Chunking { strategy, max_tokens, overlap_tokens, window_sentences, context })
    }
}
