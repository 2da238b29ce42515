//! A query's terms with what each is worth, and the score of single chunks.

use super::lengths::Lengths;
use super::{COUNT_BITS, COUNT_MASK, Lexical};

const K1: f64 = 1.2;
const B: f64 = 0.75;
/// Sums of bounds are compared with sums of scores: neither may be wrong by its rounding.
const MARGIN: f64 = 1.0 + 1e-9;

/// A query as it is scored against one collection. Scores are always summed up in the order of the terms, so that one chunk has
/// one score however it was found.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    /// The most valuable first.
    pub(super) terms: Vec<Weighed<'a>>,
    pub(super) norms: Norms<'a>,
}

#[derive(Debug)]
pub(super) struct Weighed<'a> {
    pub(super) postings: &'a [u32],
    pub(super) idf: f64,
    /// No chunk's score of it is more.
    pub(super) bound: f64,
    base: i64,
}

/// What a chunk's length weighs against its counts.
#[derive(Debug)]
pub(super) struct Norms<'a> {
    /// Of each short length.
    usual: Vec<f64>,
    lengths: &'a Lengths,
    chunks: f64,
    length: f64,
}

impl Lexical {
    /// Of terms' bases, each with its count in the query.
    pub(crate) fn query(&self, asked: impl Iterator<Item = (i64, f32)>) -> Query<'_> {
        let norms = Norms::new(self);
        let mut terms: Vec<Weighed<'_>> = Vec::new();
        for (base, times) in asked {
            let Some(term) = self.terms.find(base).filter(|term| term.frequency > 0) else { continue };
            let idf = f64::from(times) * self.idf(base);
            let bound = idf * term.peak(|length| norms.compute(length)) * MARGIN;
            terms.push(Weighed { postings: &term.postings, idf, bound, base });
        }
        terms.sort_by(|a, b| b.bound.total_cmp(&a.bound).then(a.base.cmp(&b.base)));
        Query { terms, norms }
    }
}

impl Query<'_> {
    /// How many postings it has.
    pub(crate) fn postings(&self) -> usize {
        self.terms.iter().map(|term| term.postings.len()).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The score of each of these slots, ascending; 0 where no term matches.
    pub(crate) fn scores(&self, slots: &[u32], scores: &mut Vec<f64>) {
        scores.clear();
        scores.resize(slots.len(), 0.0);
        for term in &self.terms {
            let density = term.postings.len() as f32 / self.norms.lengths.len().max(1) as f32;
            let mut rest = term.postings;
            for (slot, score) in slots.iter().zip(scores.iter_mut()) {
                rest = &rest[seek(rest, *slot, density)..];
                if let Some(posting) = rest.first().filter(|posting| **posting >> COUNT_BITS == *slot) {
                    *score += term.score(*posting, &self.norms);
                }
            }
        }
    }
}

impl Weighed<'_> {
    #[inline]
    pub(super) fn score(&self, posting: u32, norms: &Norms<'_>) -> f64 {
        let count = f64::from(posting & COUNT_MASK as u32);
        self.idf * count / (count + norms.of(posting >> COUNT_BITS))
    }
}

impl<'a> Norms<'a> {
    fn new(lexical: &'a Lexical) -> Self {
        let (chunks, length) = (lexical.chunks as f64, lexical.length.max(1) as f64);
        let mut norms = Self { usual: Vec::new(), lengths: &lexical.lengths, chunks, length };
        norms.usual = (0..Lengths::SHORT).map(|length| norms.compute(length)).collect();
        norms
    }

    #[inline]
    fn of(&self, slot: u32) -> f64 {
        let length = self.lengths.of(slot);
        match self.usual.get(length as usize) {
            Some(norm) => *norm,
            None => self.compute(length),
        }
    }

    fn compute(&self, length: u32) -> f64 {
        K1 * (1.0 - B + B * f64::from(length) * self.chunks / self.length)
    }
}

/// How many of the first postings are before a slot, where there are about `density` of them for each slot.
fn seek(postings: &[u32], slot: u32, density: f32) -> usize {
    let Some(first) = postings.first().map(|posting| posting >> COUNT_BITS) else { return 0 };
    let ahead = slot.saturating_sub(first) as f32;
    let guess = ((ahead * density) as usize).min(postings.len() - 1);
    let (before, after) = postings.split_at(guess);
    if after[0] >> COUNT_BITS < slot {
        return guess + gallop(after, slot);
    }
    // Back from the guess, in steps that double.
    let (mut step, mut to) = (1, guess);
    while let Some(from) = to.checked_sub(step)
        && before[from] >> COUNT_BITS >= slot
    {
        (to, step) = (from, step * 2);
    }
    let from = to.saturating_sub(step);
    from + before[from..to].partition_point(|posting| posting >> COUNT_BITS < slot)
}

/// How many of the first postings are before a slot.
#[inline]
pub(super) fn gallop(postings: &[u32], slot: u32) -> usize {
    let before = |at: usize| postings.get(at).is_some_and(|posting| posting >> COUNT_BITS < slot);
    if !before(0) {
        return 0;
    }
    let mut step = 1;
    while before(step) {
        step *= 2;
    }
    let (from, to) = (step / 2, step.min(postings.len()));
    from + postings[from..to].partition_point(|posting| posting >> COUNT_BITS < slot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_slots_place_is_found_wherever_it_is_looked_for_first(
            slots in prop::collection::btree_set(0..300_u32, 0..60),
            slot in 0..320_u32,
            density in 0.0..2.0_f32,
        ) {
            let slots: BTreeSet<u32> = slots;
            let postings: Vec<u32> = slots.iter().map(|slot| slot << COUNT_BITS | 1).collect();
            let right = slots.range(..slot).count();
            prop_assert_eq!(gallop(&postings, slot), right);
            prop_assert_eq!(seek(&postings, slot, density), right);
        }
    }
}
