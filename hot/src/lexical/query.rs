//! A query's terms with what each is worth, and the score of single chunks.

use super::{COUNT_BITS, COUNT_MASK, Lexical};

const K1: f64 = 1.2;
const B: f64 = 0.75;
/// Lengths whose norm is computed once for each query.
const USUAL: u32 = 512;
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
    usual: Vec<f64>,
    lengths: &'a [u32],
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
            let mut rest = term.postings;
            for (slot, score) in slots.iter().zip(scores.iter_mut()) {
                rest = &rest[gallop(rest, *slot)..];
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
        norms.usual = (0..USUAL).map(|length| norms.compute(length)).collect();
        norms
    }

    #[inline]
    fn of(&self, slot: u32) -> f64 {
        let length = self.lengths[slot as usize];
        match self.usual.get(length as usize) {
            Some(norm) => *norm,
            None => self.compute(length),
        }
    }

    fn compute(&self, length: u32) -> f64 {
        K1 * (1.0 - B + B * f64::from(length) * self.chunks / self.length)
    }
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
