//! Source code by its syntax: whole functions, methods and classes where they fit, under the names of the items around
//! them; what is too long is cut between members, statements, lines.
//!
//! Nothing is repeated: a statement out of its place would say something else. A source whose syntax cannot be had,
//! because it is too long or too strange, is cut by lines as `structure` does it.

mod grammar;
mod parts;

use std::ops::Range;
use std::sync::Arc;

use super::context::Contexts;
use super::pieces::{lines, split};
use super::token_index::TokenIndex;
use super::{Chunk, ChunkLimits};
use crate::SourceLanguage;
use parts::{Part, parts, visible};

/// An item below this share of a chunk may share one with its neighbours.
const TINY_SHARE: usize = 8;

/// None where there is no tree. With `apart` each item that is not tiny is a chunk by itself.
pub(super) fn chunk(
    text: &str,
    language: SourceLanguage,
    apart: bool,
    index: &TokenIndex<'_>,
    limits: ChunkLimits,
    contexts: &mut Contexts<'_>,
) -> Option<Vec<Chunk>> {
    let tree = grammar::tree(language, text)?;
    let fits = |span: Range<usize>| span.len() <= limits.bytes() && index.count(span) <= limits.piece();
    let mut small = Vec::new();
    for part in parts(&tree, text, &fits) {
        if fits(part.span.clone()) {
            small.push(part);
        } else {
            shorten(text, &part, index, limits, &mut small);
        }
    }
    let packer = Packer { text, parts: &small, index, limits, apart };
    Some(packer.pack(contexts))
}

/// Cuts a part that has no syntax inside it, as a long comment or string has none.
fn shorten(text: &str, part: &Part, index: &TokenIndex<'_>, limits: ChunkLimits, small: &mut Vec<Part>) {
    let mut pieces = Vec::new();
    for line in lines(text.get(part.span.clone()).unwrap_or_default()) {
        let line = part.span.start + line.start..part.span.start + line.end;
        split(text, line, 0, index, limits, &mut pieces);
    }
    small.extend(pieces.into_iter().filter_map(|piece| {
        let span = visible(text, piece.span)?;
        Some(Part { span, path: Arc::clone(&part.path), depth: part.depth + 1, item: false, cut: piece.cut })
    }));
}

struct Packer<'a> {
    text: &'a str,
    parts: &'a [Part],
    index: &'a TokenIndex<'a>,
    limits: ChunkLimits,
    apart: bool,
}

impl Packer<'_> {
    fn pack(&self, contexts: &mut Contexts<'_>) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        let mut next = 0;
        while let Some(first) = self.parts.get(next) {
            let budget = self.limits.max_tokens.saturating_sub(contexts.of(&first.path, None).tokens);
            let mut end = self.end(next, budget);
            let chunk = loop {
                let chunk = self.finish(next..end, contexts);
                let whole = chunk.tokens + contexts.of(&chunk.headings, None).tokens;
                if whole <= self.limits.max_tokens || end == next + 1 {
                    break chunk;
                }
                end -= (end - next).div_ceil(8);
            };
            chunks.push(chunk);
            next = end;
        }
        chunks
    }

    fn span(&self, parts: Range<usize>) -> Range<usize> {
        let last = parts.end.saturating_sub(1).max(parts.start);
        self.parts[parts.start].span.start..self.parts[last].span.end
    }

    /// The part after the last one of the chunk that starts with part `first`.
    fn end(&self, first: usize, budget: usize) -> usize {
        if self.parts[first].cut {
            return first + 1;
        }
        let mut end = first + 1;
        while let Some(part) = self.parts.get(end) {
            let span = self.span(first..end + 1);
            if part.cut || self.apart && self.parts_company(first, end) {
                return end;
            }
            if span.len() > self.limits.bytes() || self.index.count(span) > budget {
                return self.best_break(first, end, budget);
            }
            end += 1;
        }
        end
    }

    /// Whether an item of some size begins or has ended here. The head of what an item stands in goes with it.
    fn parts_company(&self, first: usize, at: usize) -> bool {
        let large = |part: &Part| {
            part.item && self.index.count(part.span.clone()) * TINY_SHARE >= self.limits.max_tokens
        };
        let heads =
            |part: &Part| !part.item && !part.path.is_empty() && self.parts[at].path.starts_with(&part.path);
        large(&self.parts[at - 1]) || large(&self.parts[at]) && !self.parts[first..at].iter().all(heads)
    }

    /// Of the places in the chunk's second half, the one where least is torn apart; the last of several.
    fn best_break(&self, first: usize, end: usize, budget: usize) -> usize {
        let filled = |at: &usize| self.index.count(self.span(first..*at)) * 2 >= budget;
        let places = (first + 1..=end).rev().take_while(filled);
        places.min_by_key(|&at| self.parts[at].depth).unwrap_or(end)
    }

    fn finish(&self, parts: Range<usize>, contexts: &mut Contexts<'_>) -> Chunk {
        let span = self.span(parts.clone());
        let tokens = self.index.count_alone(self.text.get(span.clone()).unwrap_or_default());
        let headings = common(&self.parts[parts]);
        let context = contexts.of(&headings, None).text;
        Chunk { span, headings, context, tokens, window: None }
    }
}

/// The items that hold every part.
fn common(parts: &[Part]) -> Arc<[String]> {
    let Some(first) = parts.first() else {
        return Arc::new([]);
    };
    let shared = parts.iter().fold(first.path.len(), |shared, part| {
        first.path.iter().zip(part.path.iter()).take(shared).take_while(|(a, b)| a == b).count()
    });
    if shared == first.path.len() { Arc::clone(&first.path) } else { first.path[..shared].into() }
}

#[cfg(test)]
mod tests;
