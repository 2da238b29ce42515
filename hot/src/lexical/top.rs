//! The best chunks of a query: MaxScore over windows of slots.
//!
//! In each window the terms that alone could lift a chunk among the best are summed up posting by posting: their chunks are the
//! candidates. The other terms are added to these, and whichever cannot get there any more is dropped on the way. What falls away
//! is certain not to be among the best.

use super::COUNT_BITS;
use super::query::{Query, gallop};
use super::window::{SLOTS, WORDS, Window};
use crate::Bitmap;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A look-up of a slot in a list takes as long as reading this many postings.
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
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    window: Window,
    /// How far each term was read, and the most that it and those after it can add.
    cursors: Vec<usize>,
    rest: Vec<f64>,
    slots: Vec<u32>,
    scores: Vec<f64>,
    best: BinaryHeap<Reverse<Scored>>,
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
        let Scratch { window, cursors, rest, best, .. } = scratch;
        cursors.clear();
        cursors.resize(self.terms.len(), 0);
        rest.clear();
        rest.resize(self.terms.len() + 1, 0.0);
        for at in (0..self.terms.len()).rev() {
            rest[at] = rest[at + 1] + self.terms[at].bound;
        }
        for (number, allowed) in allowed.words().chunks(WORDS).enumerate() {
            if allowed.iter().all(|word| *word == 0) {
                continue;
            }
            let least = least(best, k);
            let essential = rest.partition_point(|rest| *rest >= least).min(self.terms.len());
            if essential == 0 {
                return;
            }
            window.begin((number * SLOTS) as u32);
            for (term, cursor) in self.terms.iter().zip(cursors.iter_mut()).take(essential) {
                window.add(term, cursor, &self.norms);
            }
            window.allow(allowed);
            window.prune(rest[essential], least);
            let mut next = essential;
            while let Some(term) = self.terms.get(next)
                && term.postings.len() * SLOTS / chunks.len().max(1) < window.len() * LOOKUP
            {
                window.join(term, &mut cursors[next], &self.norms);
                next += 1;
                window.prune(rest[next], least);
            }
            window.drain(|slot, score| {
                let least = self::least(best, k);
                if let Some(score) = self.complete(score, slot, &mut cursors[next..], &rest[next..], least) {
                    offer(best, k, Scored { score, chunk: chunks[slot as usize], slot });
                }
            });
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

#[cfg(test)]
mod tests {
    use super::super::{Lexical, Statistics};
    use super::*;
    use proptest::prelude::*;

    const SLOTS: u32 = 7_000;
    /// A term is in one chunk of so many: nearly all, and fewer and fewer.
    const RARITY: [u64; 7] = [1, 2, 5, 30, 200, 1_000, 3_000];

    /// The same for the same numbers, and otherwise like chance.
    fn mixed(seed: u64, slot: u32, term: usize) -> u64 {
        let mut number = seed ^ u64::from(slot) << 8 ^ term as u64;
        for _ in 0..3 {
            number = (number ^ number >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        }
        number >> 20
    }

    fn base(term: usize) -> i64 {
        (term as i64 + 1) << COUNT_BITS
    }

    fn lexical(seed: u64) -> Lexical {
        let mut lexical = Lexical::default();
        for slot in 0..SLOTS {
            let has = |(term, rarity): (usize, u64)| {
                let dice = mixed(seed, slot, term);
                dice.is_multiple_of(rarity).then(|| base(term) | (1 + dice / rarity % 5) as i64)
            };
            let keys: Vec<i64> = RARITY.into_iter().enumerate().filter_map(has).collect();
            // Some longer than a byte holds.
            lexical.stage(slot, &keys, (mixed(seed, slot, 99) % 300) as i32 + 1);
        }
        let shown: Vec<u32> = (0..SLOTS).collect();
        let statistics: Statistics = lexical.weigh(&shown, &[]);
        lexical.settle(&statistics);
        lexical
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_best_are_those_of_scoring_every_chunk(
            seed: u64,
            asked in prop::collection::btree_set(0..RARITY.len(), 1..6),
            k in 1..70_usize,
            every in prop::sample::select(vec![1, 3, 40, 900]),
        ) {
            let lexical = lexical(seed);
            let query = lexical.query(asked.into_iter().map(|term| (base(term), 1.0)));
            let chunks: Vec<i64> = (0..i64::from(SLOTS)).rev().collect();
            let mut allowed = Bitmap::default();
            let slots: Vec<u32> = (0..SLOTS).step_by(every).collect();
            for slot in &slots {
                allowed.insert(*slot);
            }
            let mut scores = Vec::new();
            query.scores(&slots, &mut scores);
            let mut right: Vec<Scored> = slots.iter().zip(&scores).filter(|(_, score)| **score > 0.0)
                .map(|(slot, score)| Scored { score: *score, chunk: chunks[*slot as usize], slot: *slot }).collect();
            right.sort_unstable_by(|a, b| b.cmp(a));
            right.truncate(k);
            let mut scratch = Scratch::default();
            for _ in 0..2 {
                prop_assert_eq!(&query.top(k, &allowed, &chunks, &mut scratch), &right);
            }
        }
    }
}
