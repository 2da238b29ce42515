//! Blocks to groups of sections that are chunked together.

use std::ops::Range;
use std::sync::Arc;

use super::ChunkLimits;
use super::token_index::TokenIndex;
use crate::parse::{Block, BlockKind, Parsed};

/// The document's blocks with the visible text between them (link definitions, rules) as paragraphs, so that
/// nothing is lost whatever a parser left out.
pub(super) fn tile(parsed: &Parsed) -> Vec<Block> {
    let mut tiled = Vec::with_capacity(parsed.blocks.len());
    let mut at = 0;
    let mut headings: Arc<[String]> = Arc::new([]);
    for block in &parsed.blocks {
        fill(&parsed.text, at..block.span.start, &headings, &mut tiled);
        at = block.span.end;
        headings = block.headings.clone();
        tiled.push(block.clone());
    }
    fill(&parsed.text, at..parsed.text.len(), &headings, &mut tiled);
    tiled
}

fn fill(text: &str, gap: Range<usize>, headings: &Arc<[String]>, tiled: &mut Vec<Block>) {
    let Some(between) = text.get(gap.clone()) else {
        return;
    };
    let start = gap.start + (between.len() - between.trim_start().len());
    let end = gap.start + between.trim_end().len();
    if start < end {
        tiled.push(Block { span: start..end, kind: BlockKind::Paragraph, headings: headings.clone() });
    }
}

/// Consecutive sections, as a range of blocks.
struct Group {
    blocks: Range<usize>,
    tokens: usize,
    /// The level of its first heading; 0 before any heading.
    level: u8,
    /// Headings only.
    bare: bool,
}

/// A section below this share of a chunk is tiny: it is put together with its neighbours.
const TINY_SHARE: usize = 4;

/// Splits the blocks at headings and joins tiny sections. A group crosses a heading of its own or a higher level
/// only when a part of it is tiny and the whole fits one chunk.
pub(super) fn groups(blocks: &[Block], index: &TokenIndex<'_>, limits: ChunkLimits) -> Vec<Range<usize>> {
    let tiny = limits.max_tokens / TINY_SHARE;
    let fits = |a: &Group, b: &Group| {
        a.tokens + b.tokens <= limits.piece() && bytes(blocks, a) + bytes(blocks, b) <= limits.bytes()
    };
    let mut groups: Vec<Group> = Vec::new();
    for section in sections(blocks, index) {
        let Some(last) = groups.last() else {
            groups.push(section);
            continue;
        };
        let descends = section.level > last.level;
        let joins = last.bare && descends
            || last.tokens < tiny && section.level >= last.level && fits(last, &section);
        if joins {
            join(&mut groups, &section);
            continue;
        }
        // The section leaves the last group's parent: what is tiny goes with what came before it.
        join_back(&mut groups, tiny, &fits);
        match groups.last() {
            Some(last) if last.tokens < tiny && fits(last, &section) => join(&mut groups, &section),
            _ => groups.push(section),
        }
    }
    join_back(&mut groups, tiny, &fits);
    groups.into_iter().map(|group| group.blocks).collect()
}

fn join(groups: &mut [Group], section: &Group) {
    if let Some(last) = groups.last_mut() {
        last.blocks.end = section.blocks.end;
        last.tokens += section.tokens;
        last.bare &= section.bare;
        last.level = last.level.min(section.level);
    }
}

fn join_back(groups: &mut Vec<Group>, tiny: usize, fits: &impl Fn(&Group, &Group) -> bool) {
    if let [.., before, last] = groups.as_slice()
        && last.tokens < tiny
        && fits(before, last)
        && let Some(last) = groups.pop()
    {
        join(groups, &last);
    }
}

fn bytes(blocks: &[Block], group: &Group) -> usize {
    match blocks.get(group.blocks.clone()) {
        Some([first, .., last]) => last.span.end - first.span.start,
        Some([only]) => only.span.len(),
        _ => 0,
    }
}

/// A heading with what is under it, up to the next heading.
fn sections(blocks: &[Block], index: &TokenIndex<'_>) -> Vec<Group> {
    let mut sections: Vec<Group> = Vec::new();
    for (position, block) in blocks.iter().enumerate() {
        let tokens = index.count(block.span.clone());
        match (block.kind, sections.last_mut()) {
            (BlockKind::Heading(level), _) => {
                sections.push(Group { blocks: position..position + 1, tokens, level, bare: true });
            }
            (_, Some(open)) => {
                open.blocks.end = position + 1;
                open.tokens += tokens;
                open.bare = false;
            }
            (_, None) => {
                sections.push(Group { blocks: position..position + 1, tokens, level: 0, bare: false });
            }
        }
    }
    sections
}
