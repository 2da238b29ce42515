//! The ways to cut a document.

use crate::SourceLanguage;

/// How a document becomes chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Along its sections, blocks and sentences.
    Structure,
    /// Windows of as many tokens as fit, each repeating the end of the one before; structure is ignored.
    Tokens,
    /// Each sentence by itself, returned with the sentences around it.
    SentenceWindow {
        /// At most so many on either side.
        sentences: usize,
    },
    /// Source code along its items, members and statements.
    Syntax {
        language: SourceLanguage,
        /// Each item by itself, unless it is tiny; otherwise neighbours share a chunk while they fit.
        apart: bool,
    },
}
