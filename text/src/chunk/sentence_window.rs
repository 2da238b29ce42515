//! Sentences, each embedded and searched by itself and returned with those around it.
//!
//! A unit is a sentence, or a few where they are tiny; a heading goes with what it heads. Its window grows by whole
//! units within its section, after it and before it in turn, and holds at most `max_tokens`. Linear: a window looks
//! at `2 * sentences` units.

use std::ops::Range;

use super::context::Contexts;
use super::pack::{context_tokens, finish};
use super::pieces::{Piece, pieces};
use super::token_index::TokenIndex;
use super::{Chunk, ChunkLimits, Window, sections};
use crate::parse::{Block, BlockKind, Parsed};

/// A unit below this many tokens takes the next sentence in: `Yes.` by itself says nothing.
const TINY: usize = 5;

pub(super) fn chunk(
    parsed: &Parsed,
    sentences: usize,
    index: &TokenIndex<'_>,
    limits: ChunkLimits,
    mut contexts: Contexts<'_>,
) -> Vec<Chunk> {
    let blocks = sections::tile(parsed);
    let pieces = pieces(&parsed.text, &blocks, index, limits);
    let units = units(&parsed.text, &blocks, &pieces, index, limits, &mut contexts);
    let windows =
        units.iter().enumerate().map(|(at, _)| window(&units, at, sentences, &blocks, index, limits));
    let windows: Vec<Window> = windows.collect();
    let finished = units.into_iter().zip(windows).map(|(unit, window)| {
        let tokens = index.count_alone(parsed.text.get(unit.span.clone()).unwrap_or_default());
        let held = blocks.get(unit.blocks).unwrap_or_default();
        Chunk { window: Some(window), ..finish(unit.span, tokens, held, &mut contexts) }
    });
    finished.collect()
}

struct Unit {
    span: Range<usize>,
    blocks: Range<usize>,
}

impl Unit {
    fn of(piece: &Piece) -> Self {
        Self { span: piece.span.clone(), blocks: piece.block..piece.block + 1 }
    }
}

fn units(
    text: &str,
    blocks: &[Block],
    pieces: &[Piece],
    index: &TokenIndex<'_>,
    limits: ChunkLimits,
    contexts: &mut Contexts<'_>,
) -> Vec<Unit> {
    let heading = |block: usize| matches!(blocks[block].kind, BlockKind::Heading(_));
    let mut units = Vec::new();
    let mut at = 0;
    while let Some(first) = pieces.get(at) {
        let budget = limits.max_tokens.saturating_sub(context_tokens(&blocks[first.block], contexts));
        let mut end = at + 1;
        while let Some(next) = pieces.get(end)
            && !first.cut
            && !next.cut
        {
            let open = first.span.start..pieces[end - 1].span.end;
            let heads = heading(pieces[end - 1].block);
            let tiny = index.count(open.clone()) < TINY
                && !heading(next.block)
                && blocks[next.block].headings == blocks[pieces[end - 1].block].headings;
            let joined = first.span.start..next.span.end;
            let fits = joined.len() <= limits.bytes() && index.count(joined) <= limits.piece().min(budget);
            if !(heads || tiny) || !fits {
                break;
            }
            end += 1;
        }
        let joined = first.span.start..pieces[end - 1].span.end;
        // Read by itself it may hold more tokens than in the whole text: then the sentences stay apart.
        if end > at + 1 && index.count_alone(text.get(joined.clone()).unwrap_or_default()) > budget {
            units.extend(pieces[at..end].iter().map(Unit::of));
        } else {
            units.push(Unit { span: joined, blocks: first.block..pieces[end - 1].block + 1 });
        }
        at = end;
    }
    units
}

fn window(
    units: &[Unit],
    at: usize,
    sentences: usize,
    blocks: &[Block],
    index: &TokenIndex<'_>,
    limits: ChunkLimits,
) -> Window {
    let section = |unit: &Unit| blocks.get(unit.blocks.end - 1).map(|block| &block.headings);
    let home = section(&units[at]);
    let (mut first, mut last) = (at, at);
    let fits = |first: usize, last: usize| {
        let span = units[first].span.start..units[last].span.end;
        span.len() <= limits.bytes() && index.count(span) <= limits.max_tokens
    };
    let (mut before, mut after) = (sentences, sentences);
    while before + after > 0 {
        if after > 0 {
            after -= 1;
            match units.get(last + 1) {
                Some(next) if section(next) == home && fits(first, last + 1) => last += 1,
                _ => after = 0,
            }
        }
        if before > 0 {
            before -= 1;
            match first.checked_sub(1) {
                Some(previous) if section(&units[previous]) == home && fits(previous, last) => {
                    first = previous;
                }
                _ => before = 0,
            }
        }
    }
    let span = units[first].span.start..units[last].span.end;
    Window { tokens: index.count(span.clone()), span }
}
