//! The smallest pieces a chunk is made of: sentences and lines, and parts of those that are too long.

use std::ops::Range;

use super::ChunkLimits;
use super::token_index::TokenIndex;
use crate::parse::{Block, BlockKind};
use crate::scripts;
use crate::sentences::sentences;

#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub span: Range<usize>,
    /// The block it is part of.
    pub block: usize,
    /// Cut inside a word. Such a piece is a chunk by itself, because its tokens are not those of the whole text.
    pub cut: bool,
}

/// The pieces of `blocks`, each within what any chunk can hold.
pub(super) fn pieces(
    text: &str,
    blocks: &[Block],
    index: &TokenIndex<'_>,
    limits: ChunkLimits,
) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (block, Block { span, kind, .. }) in blocks.iter().enumerate() {
        let Some(body) = text.get(span.clone()) else {
            continue;
        };
        let parts = match kind {
            BlockKind::Heading(_) => std::iter::once(0..body.len()).collect(),
            BlockKind::Code | BlockKind::Table => lines(body),
            BlockKind::Paragraph | BlockKind::List | BlockKind::Quote => sentences(body),
        };
        for part in parts {
            split(text, span.start + part.start..span.start + part.end, block, index, limits, &mut pieces);
        }
    }
    pieces
}

/// Lines with their indentation, without blank ones.
pub(super) fn lines(body: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let mut lines = Vec::new();
    for line in body.split_inclusive('\n') {
        let visible = line.trim_end().len();
        if visible > 0 {
            lines.push(at..at + visible);
        }
        at += line.len();
    }
    lines
}

/// Cuts `span` until every part is within the limits: after a word where possible, else between tokens.
pub(super) fn split(
    text: &str,
    span: Range<usize>,
    block: usize,
    index: &TokenIndex<'_>,
    limits: ChunkLimits,
    pieces: &mut Vec<Piece>,
) {
    let mut rest = span;
    let mut cut = false;
    while index.count(rest.clone()) > limits.piece() || rest.len() > limits.bytes() || cut {
        let (end, inside_word) = cut_point(text, rest.clone(), index, limits.piece(), limits.bytes());
        let (end, cut_here) = if cut || inside_word {
            (alone(text, rest.start..end, index, limits.piece()), true)
        } else {
            (end, false)
        };
        pieces.push(Piece { span: trim(text, rest.start..end), block, cut: cut_here });
        let remaining = trim(text, end..rest.end);
        // The next part starts inside a word when this one ended there.
        cut = inside_word && remaining.start == end
            || end < rest.end && remaining.start == end && cut_here && !boundary(text, end);
        rest = remaining;
        if rest.is_empty() {
            return;
        }
    }
    pieces.push(Piece { span: rest, block, cut: false });
}

/// Where the first part of `span` ends, of at most so many tokens and bytes, and whether that is inside a word.
pub(super) fn cut_point(
    text: &str,
    span: Range<usize>,
    index: &TokenIndex<'_>,
    most_tokens: usize,
    most_bytes: usize,
) -> (usize, bool) {
    let tokens = index.tokens(span.clone());
    let by_tokens = tokens.get(most_tokens).map_or(span.end, |over| over.start.max(span.start));
    let by_bytes = text.floor_char_boundary(span.end.min(span.start.saturating_add(most_bytes)));
    let furthest = by_tokens.min(by_bytes);
    if furthest == span.end {
        return (furthest, false);
    }
    let half = span.start + (furthest - span.start) / 2;
    let within = text.get(span.start..furthest).unwrap_or_default();
    let after_space = within
        .char_indices()
        .rev()
        .take_while(|(at, _)| span.start + at >= half)
        .find(|(_, c)| c.is_whitespace());
    if let Some((at, _)) = after_space {
        return (span.start + at, false);
    }
    // Token starts beside punctuation, or between characters of scripts without spaces, are no word's inside. Only
    // the tokens of this part are looked at: a part costs what it holds, not what follows it.
    let near = tokens.get(..=most_tokens).unwrap_or(tokens);
    let starts = near.iter().map(|token| token.start).filter(|&start| start > half && start <= furthest);
    if let Some(at) = starts.rev().find(|&start| boundary(text, start)) {
        return (at, false);
    }
    (furthest.max(next_character(text, span.start)), true)
}

/// Shortens a part that is cut inside a word until it is within the limit when read by itself.
pub(super) fn alone(text: &str, span: Range<usize>, index: &TokenIndex<'_>, most_tokens: usize) -> usize {
    let mut end = span.end;
    while let Some(part) = text.get(span.start..end)
        && index.count_alone(part) > most_tokens
    {
        let shorter = text.floor_char_boundary(span.start + (end - span.start) * 3 / 4);
        if shorter <= next_character(text, span.start) {
            return next_character(text, span.start);
        }
        end = shorter;
    }
    end
}

fn next_character(text: &str, at: usize) -> usize {
    at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8)
}

/// Whether a cut at `at` leaves words whole.
pub(super) fn boundary(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    let after = text.get(at..).and_then(|after| after.chars().next());
    match (before, after) {
        (Some(before), Some(after)) => !scripts::join(before, after),
        _ => true,
    }
}

pub(super) fn trim(text: &str, span: Range<usize>) -> Range<usize> {
    let part = text.get(span.clone()).unwrap_or_default();
    let start = span.start + (part.len() - part.trim_start().len());
    start..start.max(span.start + part.trim_end().len())
}
