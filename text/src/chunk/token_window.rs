//! Windows of tokens: each holds as many as fit and repeats the last ones of the window before. Headings, blocks and
//! sentences do not matter; only words are kept whole where they can be.
//!
//! Linear: a window looks at its own tokens only, and at most half of it is repeated.

use std::ops::Range;
use std::sync::Arc;

use super::context::Contexts;
use super::pieces::{alone, boundary, cut_point, trim};
use super::token_index::TokenIndex;
use super::{Chunk, ChunkLimits};

pub(super) fn chunk(
    text: &str,
    index: &TokenIndex<'_>,
    limits: ChunkLimits,
    mut contexts: Contexts<'_>,
) -> Vec<Chunk> {
    // The title says what the document is; it is no structure.
    let context = contexts.of(&[], None);
    let budget = limits.max_tokens.saturating_sub(context.tokens);
    let whole = trim(text, 0..text.len());
    let mut chunks: Vec<Chunk> = Vec::new();
    let (mut start, mut covered) = (whole.start, whole.start);
    while covered < whole.end {
        let (end, _) = cut_point(text, start..whole.end, index, budget, limits.bytes());
        let end = alone(text, start..end, index, budget);
        let span = trim(text, start..end);
        if span.end <= covered && start < covered {
            start = trim(text, covered..whole.end).start; // the repeated part left no room
            continue;
        }
        if !span.is_empty() {
            let tokens = index.count_alone(text.get(span.clone()).unwrap_or_default());
            let (headings, context) = (Arc::new([]), context.text.clone());
            chunks.push(Chunk { span: span.clone(), headings, context, tokens, window: None });
        }
        covered = trim(text, end.max(covered)..whole.end).start;
        start = repeated(text, span, index, limits.overlap_tokens.min(budget / 2)).unwrap_or(covered);
    }
    chunks
}

/// Where the window after this one starts, so as to repeat its last tokens: at the first word that is whole.
fn repeated(text: &str, span: Range<usize>, index: &TokenIndex<'_>, overlap: usize) -> Option<usize> {
    let tokens = index.tokens(span.clone());
    let last = tokens.get(tokens.len().checked_sub(overlap)?..)?;
    let starts = last.iter().map(|token| token.start);
    starts.filter(|&start| start > span.start).find(|&start| boundary(text, start))
}
