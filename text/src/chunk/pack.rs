//! Packs one group of blocks into chunks.

use std::ops::Range;
use std::sync::Arc;

use super::context::Contexts;
use super::pieces::{Piece, pieces};
use super::token_index::TokenIndex;
use super::{Chunk, ChunkLimits};
use crate::parse::{Block, BlockKind};

pub(super) fn pack(
    text: &str,
    blocks: &[Block],
    index: &TokenIndex<'_>,
    limits: ChunkLimits,
    contexts: &mut Contexts<'_>,
    chunks: &mut Vec<Chunk>,
) {
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
        return;
    };
    let whole = first.span.start..last.span.end;
    let context = context_tokens(first, contexts);
    let budget = limits.max_tokens.saturating_sub(context);
    if whole.len() <= limits.bytes() && index.count(whole.clone()) <= budget {
        let tokens = index.count_alone(&text[whole.clone()]);
        if tokens <= budget {
            chunks.push(finish(whole, tokens, blocks, contexts));
            return;
        }
    }
    let pieces = pieces(text, blocks, index, limits);
    Packer { text, blocks, pieces: &pieces, index, limits }.pack(contexts, chunks);
}

struct Packer<'a> {
    text: &'a str,
    blocks: &'a [Block],
    pieces: &'a [Piece],
    index: &'a TokenIndex<'a>,
    limits: ChunkLimits,
}

impl Packer<'_> {
    fn pack(&self, contexts: &mut Contexts<'_>, chunks: &mut Vec<Chunk>) {
        let mut next = 0;
        let mut overlap = None;
        while let Some(first) = self.pieces.get(next) {
            let block = &self.blocks[first.block];
            let budget = self.limits.max_tokens.saturating_sub(context_tokens(block, contexts));
            let fresh = first.span.start;
            let start = overlap
                .take()
                .filter(|&start| self.fits(start..first.span.end, budget) && !first.cut)
                .unwrap_or(fresh);
            let (span, tokens, end) = self.certain(next, start, self.end(next, start, budget), budget);
            let held = &self.blocks[first.block..=self.pieces[end - 1].block];
            chunks.push(finish(span, tokens, held, contexts));
            overlap = self.overlap(next, end);
            next = end;
        }
    }

    /// The chunk's span and tokens as the embedder will count them, reading it by itself. Where that is more than
    /// in the whole text (a control character that a tokenizer drops joins words), the overlap goes, then pieces.
    fn certain(&self, first: usize, start: usize, end: usize, budget: usize) -> (Range<usize>, usize, usize) {
        let (mut start, mut end) = (start, end);
        loop {
            let span = start..self.pieces[end - 1].span.end;
            let tokens = self.index.count_alone(&self.text[span.clone()]);
            let fresh = self.pieces[first].span.start;
            if tokens <= budget || (start == fresh && end == first + 1) {
                return (span, tokens, end);
            }
            if start == fresh {
                end -= 1;
            }
            start = fresh;
        }
    }

    /// The piece after the last one of the chunk that starts at byte `start` with piece `first`.
    fn end(&self, first: usize, start: usize, budget: usize) -> usize {
        if self.pieces[first].cut {
            return first + 1;
        }
        let mut end = first + 1;
        while let Some(piece) = self.pieces.get(end)
            && !piece.cut
            && self.fits(start..piece.span.end, budget)
        {
            end += 1;
        }
        if end == self.pieces.len() {
            return end;
        }
        self.block_end(first, end, budget).unwrap_or(self.before_headings(first, end))
    }

    /// Where the block that would be cut starts, if that leaves the chunk half full and the block fits the next.
    fn block_end(&self, first: usize, end: usize, budget: usize) -> Option<usize> {
        let cut = self.pieces[end].block;
        let start = (first + 1..end).rev().take_while(|&piece| self.pieces[piece].block == cut).last()?;
        let kept = self.index.count(self.pieces[first].span.start..self.pieces[start - 1].span.end);
        let fits = self.index.count(self.blocks[cut].span.clone()) <= self.limits.piece();
        (fits && kept * 2 >= budget).then(|| self.before_headings(first, start))
    }

    /// A heading does not end a chunk: it goes with what it heads.
    fn before_headings(&self, first: usize, end: usize) -> usize {
        let mut before = end;
        while before > first && self.is_heading(before - 1) {
            before -= 1;
        }
        if before > first { before } else { end }
    }

    fn is_heading(&self, piece: usize) -> bool {
        matches!(self.blocks[self.pieces[piece].block].kind, BlockKind::Heading(_))
    }

    fn fits(&self, span: Range<usize>, budget: usize) -> bool {
        span.len() <= self.limits.bytes() && self.index.count(span) <= budget
    }

    /// Where the chunk after pieces `first..end` starts so as to repeat the end of this one: at a sentence or line,
    /// if one is short enough. Half a sentence would be a quote that says something else. Sections do not repeat
    /// each other.
    fn overlap(&self, first: usize, end: usize) -> Option<usize> {
        let following = self.pieces.get(end)?;
        let last = &self.pieces[end - 1];
        let headings = &self.blocks[following.block].headings;
        if self.limits.overlap_tokens == 0 || following.cut || last.cut || self.is_heading(end) {
            return None;
        }
        let repeatable = |&piece: &usize| {
            let Piece { span, block, cut } = &self.pieces[piece];
            !cut && !self.is_heading(piece)
                && self.blocks[*block].headings == *headings
                && self.index.count(span.start..last.span.end) <= self.limits.overlap_tokens
        };
        // A closing fence would open a code block that is none.
        let opens = |&piece: &usize| !self.text[self.pieces[piece].span.clone()].starts_with("```");
        let earliest = (first + 1..end).rev().take_while(repeatable).last()?;
        (earliest..end).find(opens).map(|piece| self.pieces[piece].span.start)
    }
}

/// A chunk that starts with `block` says at least this much more in its context.
pub(super) fn context_tokens(block: &Block, contexts: &mut Contexts<'_>) -> usize {
    let (above, shown) = split_shown(block);
    contexts.of(above, shown).tokens
}

pub(super) fn finish(
    span: Range<usize>,
    tokens: usize,
    held: &[Block],
    contexts: &mut Contexts<'_>,
) -> Chunk {
    let context = held.first().map(|first| {
        let (above, shown) = split_shown(first);
        contexts.of(above, shown).text
    });
    Chunk {
        span,
        tokens,
        headings: common(held),
        context: context.unwrap_or_else(|| Arc::from("")),
        window: None,
    }
}

/// The headings above a chunk that starts with `block`, and the heading it starts with.
fn split_shown(block: &Block) -> (&[String], Option<&str>) {
    match (block.kind, block.headings.split_last()) {
        (BlockKind::Heading(_), Some((shown, above))) => (above, Some(shown)),
        _ => (&block.headings, None),
    }
}

/// The headings in force for every block.
fn common(held: &[Block]) -> Arc<[String]> {
    let Some(first) = held.first() else {
        return Arc::new([]);
    };
    let shared = held.iter().fold(first.headings.len(), |shared, block| {
        first.headings.iter().zip(block.headings.iter()).take(shared).take_while(|(a, b)| a == b).count()
    });
    if shared == first.headings.len() {
        first.headings.clone()
    } else {
        first.headings.iter().take(shared).cloned().collect()
    }
}
