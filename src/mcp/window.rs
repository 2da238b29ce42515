//! The part of a document that fits: by the embedder's tokens, cut where a line or a word ends.

use crate::error::Error;
use mcp_rag_actors::embedder::Tokenizer;
use std::ops::Range;

/// A tokenizer may read a kilobyte of Base64 as one unknown word; a language model never does.
const MOST_BYTES: usize = 6;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// From this byte on.
    After(usize),
    /// With these bytes in it, and as much of what surrounds them as fits.
    Around(Range<usize>),
}

/// Bytes of `text`, at character boundaries, with at most about `max_tokens` tokens; at least one character.
pub(super) fn cut(text: &str, place: Place, max_tokens: u32, tokenizer: &Tokenizer) -> Range<usize> {
    let most = usize::try_from(max_tokens).unwrap_or(usize::MAX);
    let start = match place {
        Place::After(start) => text.floor_char_boundary(start),
        Place::Around(span) => {
            let fits = reach(text, 0, most, tokenizer);
            if fits == text.len() || span.end <= fits {
                0
            } else {
                // A quarter before what was found: what leads to it, and more of what follows.
                let before = most.saturating_mul(MOST_BYTES) / 8;
                after_line(text, text.floor_char_boundary(span.start.saturating_sub(before)), span.start)
            }
        }
    };
    start..reach(text, start, most, tokenizer)
}

/// How far `most` tokens from `start` reach.
fn reach(text: &str, start: usize, most: usize, tokenizer: &Tokenizer) -> usize {
    let limit = start.saturating_add(most.saturating_mul(MOST_BYTES)).min(text.len());
    let limit = text.floor_char_boundary(limit).max(text.ceil_char_boundary((start + 1).min(text.len())));
    let part = &text[start..limit];
    let offsets = tokenizer.offsets(part);
    let end = offsets.get(most).map_or(limit, |next| start + next.start);
    if end == text.len() {
        return end;
    }
    // Not within a word, nor within a line unless it is long.
    let part = &text[start..text.floor_char_boundary(end)];
    let half = part.len() / 2;
    let line = part.rfind('\n').filter(|at| *at >= half);
    let word = part.rfind(char::is_whitespace).filter(|at| *at >= half);
    match line.or(word) {
        Some(at) => text.ceil_char_boundary(start + at + 1),
        None => end.max(text.ceil_char_boundary(start + 1)),
    }
}

/// The beginning of the line after `from`, if there is one before `latest`.
fn after_line(text: &str, from: usize, latest: usize) -> usize {
    let latest = text.floor_char_boundary(latest.min(text.len())).max(from);
    text[from..latest].find('\n').map_or(from, |at| from + at + 1)
}

/// Where to go on, and in what: a document that has changed since is begun anew.
pub(super) fn cursor(at: usize, mark: u64) -> String {
    format!("{at}.{mark:x}")
}

pub(super) fn read_cursor(cursor: &str, text: &str) -> Result<usize, Error> {
    let parsed = cursor
        .split_once('.')
        .and_then(|(at, mark)| Some((at.parse::<usize>().ok()?, u64::from_str_radix(mark, 16).ok()?)));
    let Some((at, of)) = parsed.filter(|(at, _)| *at < text.len().max(1)) else {
        return Err(Error::invalid("cursor", "`cursor` is not one that `fetch` gave for this document"));
    };
    if of != mark(text) {
        return Err(Error::invalid("cursor", "the document has changed: fetch it again without `cursor`"));
    }
    Ok(at)
}

/// Tells versions of a text apart; no secret depends on it.
pub(super) fn mark(text: &str) -> u64 {
    // FNV-1a, a word at a time.
    text.as_bytes().chunks(8).fold(0xcbf2_9ce4_8422_2325_u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
    }) ^ text.len() as u64
}
