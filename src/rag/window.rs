//! Sentences that are found and windows that are returned: of several sentences in one window the best stands for
//! them all.

use mcp_rag_actors::store::{ChunkStrategy, Collection, Hit};
use std::collections::HashMap;

/// A window of so many sentences is not worth fetching whole: its neighbours seldom all match.
const MOST_REACH: u32 = 6;

/// How many hits to fetch so that as many windows as wanted are left of them.
pub(super) fn reach(wanted: u16, collections: &[Collection]) -> u16 {
    let windowed = collections.iter().map(|collection| collection.chunking);
    let windowed = windowed.filter(|chunking| chunking.strategy == ChunkStrategy::SentenceWindow);
    let widest = windowed.map(|chunking| chunking.window_sentences * 2 + 1).max().unwrap_or(1);
    let reach = u32::from(wanted) * widest.min(MOST_REACH);
    u16::try_from(reach).unwrap_or(u16::MAX)
}

/// Leaves out what a better hit's window holds already; best first, at most so many.
pub(super) fn collapse(hits: Vec<Hit>, most: usize) -> Vec<Hit> {
    let mut shown: HashMap<i64, Vec<(i32, i32)>> = HashMap::new();
    let mut kept = Vec::with_capacity(hits.len().min(most));
    for hit in hits {
        if kept.len() == most {
            break;
        }
        if let Some((start, end)) = hit.matched {
            let windows = shown.entry(hit.document.0).or_default();
            if windows.iter().any(|window| window.0 <= start && end <= window.1) {
                continue;
            }
            windows.push(hit.span);
        }
        kept.push(hit);
    }
    kept
}
