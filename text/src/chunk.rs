//! Chunks: the pieces of a document that are embedded, searched and cited.
//!
//! Invariants, tested as properties: a chunk's text is `parsed.text[chunk.span]`; chunks are in order; every
//! visible character is in a chunk; a chunk's embedded text (context and text together) stays within
//! [`ChunkLimits::max_tokens`]; equal input gives equal chunks.
//!
//! The text is tokenised once to plan the cuts, and each chunk once more to be certain. Sections are kept whole where they fit, tiny neighbours are put together, and what
//! is too long is cut at the end of a block, else of a sentence or a line, else of a word, else between characters.
//! That is [`Strategy::Structure`]; the other strategies have a module each.

mod context;
mod pack;
mod pieces;
mod sections;
mod sentence_window;
mod strategy;
mod syntax;
mod token_index;
mod token_window;

use std::ops::Range;
use std::sync::Arc;

pub use context::{context_prefix, first_words};
pub use strategy::Strategy;

use super::parse::Parsed;
use context::Contexts;
use token_index::TokenIndex;

/// The embedder's tokenizer, as far as chunking needs it.
pub trait TokenSpans {
    /// The bytes of each token of `text`, in order, special tokens left out.
    fn spans(&self, text: &str) -> Vec<Range<usize>>;
}

/// Sizes in the embedder's tokens, special tokens left out: an embedder that reads 256 tokens of which two are
/// special has a `max_tokens` of 254.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// Most tokens of a chunk's embedded text. Values below [`ChunkLimits::MIN_TOKENS`] are raised to it.
    pub max_tokens: usize,
    /// Tokens repeated from the chunk before, within one section. At most half of `max_tokens` is used.
    pub overlap_tokens: usize,
}

impl ChunkLimits {
    /// Below this, single characters need not fit.
    pub const MIN_TOKENS: usize = 16;

    fn sane(self) -> Self {
        let max_tokens = self.max_tokens.max(Self::MIN_TOKENS);
        Self { max_tokens, overlap_tokens: self.overlap_tokens.min(max_tokens / 2) }
    }

    /// The context's share: a quarter.
    fn context(self) -> usize {
        self.max_tokens / 4
    }

    /// What any chunk can hold, whatever its context, with a little room for cuts that change tokens.
    fn piece(self) -> usize {
        self.max_tokens - self.context() - self.max_tokens / 16
    }

    /// Bounds a chunk where tokens do not: a tokenizer may read a megabyte of Base64 as one unknown word.
    fn bytes(self) -> usize {
        self.max_tokens * 32
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Bytes of the parsed text.
    pub span: Range<usize>,
    /// The headings in force for all of the chunk, outermost first.
    pub headings: Arc<[String]>,
    /// Title and headings that the chunk's own text does not show; part of what is embedded.
    pub context: Arc<str>,
    /// Tokens of the text, context left out.
    pub tokens: usize,
    /// What a search returns in place of the chunk's own text.
    pub window: Option<Window>,
}

/// The text around a chunk that is found by less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Bytes of the parsed text; holds the chunk's span.
    pub span: Range<usize>,
    pub tokens: usize,
}

impl Chunk {
    /// What the embedder reads: the context, then the text. A title and one paragraph give `title\nparagraph`.
    pub fn embedded_text(&self, text: &str) -> String {
        let body = text.get(self.span.clone()).unwrap_or_default();
        if self.context.is_empty() { body.to_owned() } else { format!("{}\n{body}", self.context) }
    }
}

/// Cuts a document into chunks. `title` is the title in force, which a caller may set over the document's own.
pub fn chunk(
    parsed: &Parsed,
    title: Option<&str>,
    strategy: Strategy,
    limits: ChunkLimits,
    tokens: &dyn TokenSpans,
) -> Vec<Chunk> {
    let limits = limits.sane();
    let index = TokenIndex::new(&parsed.text, tokens);
    let mut contexts = Contexts::new(title, limits.context(), tokens);
    match strategy {
        Strategy::Structure => structure(parsed, &index, limits, contexts),
        Strategy::Tokens => token_window::chunk(&parsed.text, &index, limits, contexts),
        Strategy::SentenceWindow { sentences } => {
            sentence_window::chunk(parsed, sentences, &index, limits, contexts)
        }
        Strategy::Syntax { language, apart } => {
            let by_syntax = syntax::chunk(&parsed.text, language, apart, &index, limits, &mut contexts);
            by_syntax.unwrap_or_else(|| structure(parsed, &index, limits, contexts))
        }
    }
}

fn structure(
    parsed: &Parsed,
    index: &TokenIndex<'_>,
    limits: ChunkLimits,
    mut contexts: Contexts<'_>,
) -> Vec<Chunk> {
    let blocks = sections::tile(parsed);
    let mut chunks = Vec::new();
    for group in sections::groups(&blocks, index, limits) {
        pack::pack(&parsed.text, &blocks[group], index, limits, &mut contexts, &mut chunks);
    }
    chunks
}

#[cfg(test)]
mod tests;
