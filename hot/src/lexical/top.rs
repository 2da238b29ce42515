//! The best chunks of a query: MaxScore over windows of slots.
//!
//! In each window the terms that alone could lift a chunk among the best are summed up posting by posting; the others are only
//! looked up for the chunks that can still get there. What falls away is certain not to be among the best.

use super::COUNT_BITS;
use super::query::{Query, gallop};
use crate::Bitmap;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Slots of a window: their sums stay in the processor's first cache.
const WINDOW: usize = 2048;
const WORDS: usize = WINDOW / u64::BITS as usize;
/// A look-up of a slot in a list takes as long as summing up this many postings.
const LOOKUP: usize = 16;

/// A chunk with its score. The greater is the better: at the same score, the one with the lower id.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scored {
    pub(crate) score: f64,
    pub(crate) chunk: i64,
    pub(crate) slot: u32,
}

impl Eq for Scored {}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.chunk.cmp(&self.chunk))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a searching thread uses again and again.
#[derive(Debug)]
pub(crate) struct Scratch {
    sums: Box<[f64; WINDOW]>,
    touched: [u64; WORDS],
    /// How far each term was read, and the most that it and those after it can add.
    cursors: Vec<usize>,
    rest: Vec<f64>,
    slots: Vec<u32>,
    scores: Vec<f64>,
    best: BinaryHeap<Reverse<Scored>>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            sums: Box::new([0.0; WINDOW]),
            touched: [0; WORDS],
            cursors: Vec::new(),
            rest: Vec::new(),
            slots: Vec::new(),
            scores: Vec::new(),
            best: BinaryHeap::new(),
        }
    }
}

impl Query<'_> {
    /// The best `k` of the allowed slots that have a term of the query, best first; `chunks` are the slots' ids.
    pub(crate) fn top(
        &self,
        k: usize,
        allowed: &Bitmap,
        chunks: &[i64],
        scratch: &mut Scratch,
    ) -> Vec<Scored> {
        scratch.best.clear();
        if k > 0 && !self.is_empty() {
            if allowed.len().saturating_mul(self.terms.len() * LOOKUP) < self.postings() {
                self.look_up(k, allowed, chunks, scratch);
            } else {
                self.walk(k, allowed, chunks, scratch);
            }
        }
        let mut best: Vec<Scored> = scratch.best.drain().map(|Reverse(scored)| scored).collect();
        best.sort_unstable_by(|a, b| b.cmp(a));
        best
    }

    /// Where few are allowed.
    fn look_up(&self, k: usize, allowed: &Bitmap, chunks: &[i64], scratch: &mut Scratch) {
        let Scratch { slots, scores, best, .. } = scratch;
        slots.clear();
        slots.extend(allowed.iter());
        self.scores(slots, scores);
        for (slot, score) in slots.iter().zip(scores).filter(|(_, score)| **score > 0.0) {
            offer(best, k, Scored { score: *score, chunk: chunks[*slot as usize], slot: *slot });
        }
    }

    fn walk(&self, k: usize, allowed: &Bitmap, chunks: &[i64], scratch: &mut Scratch) {
        let Scratch { sums, touched, cursors, rest, best, .. } = scratch;
        cursors.clear();
        cursors.resize(self.terms.len(), 0);
        rest.clear();
        rest.resize(self.terms.len() + 1, 0.0);
        for at in (0..self.terms.len()).rev() {
            rest[at] = rest[at + 1] + self.terms[at].bound;
        }
        for (window, allowed) in allowed.words().chunks(WORDS).enumerate() {
            if allowed.iter().all(|word| *word == 0) {
                continue;
            }
            let least = least(best, k);
            let essential = rest.partition_point(|rest| *rest >= least).min(self.terms.len());
            if essential == 0 {
                return;
            }
            let start = (window * WINDOW) as u32;
            let end = ((start as usize + WINDOW) << COUNT_BITS) as u64;
            for (term, cursor) in self.terms.iter().zip(cursors.iter_mut()).take(essential) {
                *cursor += gallop(&term.postings[*cursor..], start);
                let postings = &term.postings[*cursor..];
                let mut read = 0;
                for posting in postings.iter().take_while(|posting| u64::from(**posting) < end) {
                    let at = ((posting >> COUNT_BITS) - start) as usize % WINDOW;
                    sums[at] += term.score(*posting, &self.norms);
                    touched[at / u64::BITS as usize] |= 1 << (at % u64::BITS as usize);
                    read += 1;
                }
                *cursor += read;
            }
            for (word, at) in touched.iter_mut().zip((0_usize..).step_by(u64::BITS as usize)) {
                let allowed = allowed.get(at / u64::BITS as usize).copied().unwrap_or(0);
                let mut bits = std::mem::take(word);
                while bits != 0 {
                    let bit = bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    let score = std::mem::take(&mut sums[at + bit]);
                    let least = self::least(best, k);
                    if allowed >> bit & 1 == 0 || score + rest[essential] < least {
                        continue;
                    }
                    let slot = start + (at + bit) as u32;
                    let rest = &rest[essential..];
                    if let Some(score) = self.complete(score, slot, &mut cursors[essential..], rest, least) {
                        offer(best, k, Scored { score, chunk: chunks[slot as usize], slot });
                    }
                }
            }
        }
    }

    /// A chunk's whole score, with the last terms, whose cursors and bounds these are; none if it cannot reach the least.
    fn complete(
        &self,
        mut score: f64,
        slot: u32,
        cursors: &mut [usize],
        rest: &[f64],
        least: f64,
    ) -> Option<f64> {
        let last = &self.terms[self.terms.len() - cursors.len()..];
        for ((term, cursor), rest) in last.iter().zip(cursors).zip(rest) {
            if score + rest < least {
                return None;
            }
            *cursor += gallop(&term.postings[*cursor..], slot);
            if let Some(posting) =
                term.postings.get(*cursor).filter(|posting| **posting >> COUNT_BITS == slot)
            {
                score += term.score(*posting, &self.norms);
            }
        }
        Some(score)
    }
}

/// What a chunk's score must not be below.
fn least(best: &BinaryHeap<Reverse<Scored>>, k: usize) -> f64 {
    best.peek().filter(|_| best.len() >= k).map_or(0.0, |Reverse(scored)| scored.score)
}

fn offer(best: &mut BinaryHeap<Reverse<Scored>>, k: usize, scored: Scored) {
    if best.len() < k {
        best.push(Reverse(scored));
    } else if let Some(mut worst) = best.peek_mut()
        && scored > worst.0
    {
        *worst = Reverse(scored);
    }
}

const _: () = assert!(WINDOW.is_multiple_of(u64::BITS as usize));
