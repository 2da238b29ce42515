//! Terms and where they occur.

use super::{COUNT_BITS, COUNT_MASK};
use hashbrown::HashTable;

#[derive(Debug, Default)]
pub(super) struct Terms {
    /// By base, which the terms hold.
    by_base: HashTable<u32>,
    terms: Vec<Term>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
pub(super) struct Term {
    /// Of its keys: what they have beside the count.
    pub(super) base: i64,
    /// Visible chunks that have it.
    pub(super) frequency: u32,
    /// No chunk that has it this many times is shorter: once, twice, three times, more often.
    pub(super) shortest: [u16; 4],
    /// No chunk has it more often.
    pub(super) most: u8,
    /// Ascending: each a slot and a count.
    pub(super) postings: Vec<u32>,
}

impl Terms {
    /// Those that [`all`](Self::all) gave.
    pub(super) fn of(terms: Vec<Term>) -> Self {
        let mut of = Self { terms, ..Self::default() };
        for (at, term) in (0..).zip(&of.terms) {
            if term.postings.is_empty() {
                of.free.push(at);
            } else {
                of.by_base.insert_unique(hash(term.base), at, |at| hash(of.terms[*at as usize].base));
            }
        }
        of
    }

    /// By number; those without postings are none.
    pub(super) fn all(&self) -> &[Term] {
        &self.terms
    }

    pub(super) fn find(&self, base: i64) -> Option<&Term> {
        let terms = &self.terms;
        let at = self.by_base.find(hash(base), |at| terms[*at as usize].base == base)?;
        terms.get(*at as usize)
    }

    /// Adds a posting to the term of this base; returns the term.
    pub(super) fn insert(&mut self, base: i64, posting: u32, length: u32) -> u32 {
        let terms = &mut self.terms;
        let found = self.by_base.find(hash(base), |at| terms[*at as usize].base == base).copied();
        let at = found.unwrap_or_else(|| {
            let at = self.free.pop().unwrap_or_else(|| {
                terms.push(Term::default());
                u32::try_from(terms.len() - 1).unwrap_or(u32::MAX)
            });
            terms[at as usize] = Term { base, shortest: [u16::MAX; 4], ..Term::default() };
            self.by_base.insert_unique(hash(base), at, |at| hash(terms[*at as usize].base));
            at
        });
        self.terms[at as usize].insert(posting, length);
        at
    }

    /// Takes a slot's posting out; a term without any is forgotten.
    pub(super) fn remove(&mut self, at: u32, slot: u32) {
        let Some(term) = self.terms.get_mut(at as usize) else { return };
        let place = term.place(slot);
        if term.postings.get(place).is_some_and(|posting| posting >> COUNT_BITS == slot) {
            term.postings.remove(place);
        }
        if term.postings.is_empty() {
            let base = std::mem::take(term).base;
            if let Ok(entry) = self.by_base.find_entry(hash(base), |other| *other == at) {
                entry.remove();
            }
            self.free.push(at);
        }
    }

    /// The key of a term in a chunk.
    pub(super) fn key(&self, at: u32, slot: u32) -> Option<i64> {
        let term = self.terms.get(at as usize)?;
        let posting =
            term.postings.get(term.place(slot)).filter(|posting| **posting >> COUNT_BITS == slot)?;
        Some(term.base | i64::from(*posting) & COUNT_MASK)
    }

    pub(super) fn count(&mut self, at: u32, by: i64) {
        if let Some(term) = self.terms.get_mut(at as usize) {
            term.frequency = u32::try_from(i64::from(term.frequency) + by).unwrap_or(0);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.by_base.allocation_size()
            + self.terms.capacity() * size_of::<Term>()
            + self.terms.iter().map(|term| term.postings.capacity() * size_of::<u32>()).sum::<usize>()
    }
}

impl Term {
    fn insert(&mut self, posting: u32, length: u32) {
        let count = posting & COUNT_MASK as u32;
        let class = &mut self.shortest[(count.clamp(1, 4) - 1) as usize];
        *class = u16::try_from(length).unwrap_or(u16::MAX).min(u16::MAX - 1).min(*class);
        self.most = self.most.max(count as u8);
        if self.postings.len() == self.postings.capacity() {
            // Most of the memory is here: a list has an eighth to spare, not as much again.
            self.postings.reserve_exact(self.postings.len() / 8 + 1);
        }
        if self.postings.last().is_none_or(|last| *last < posting) {
            self.postings.push(posting);
        } else {
            let at = self.postings.partition_point(|other| *other < posting);
            self.postings.insert(at, posting);
        }
    }

    /// Where a slot's posting is, or would be.
    fn place(&self, slot: u32) -> usize {
        self.postings.partition_point(|posting| posting >> COUNT_BITS < slot)
    }

    /// The most that `count / (count + norm(length))` is of any of its chunks.
    pub(super) fn peak(&self, norm: impl Fn(u32) -> f64) -> f64 {
        let counts = [1, 2, 3, self.most.max(4)];
        let of_class = counts.into_iter().zip(self.shortest).filter(|(_, shortest)| *shortest < u16::MAX);
        let values = of_class.map(|(count, shortest)| {
            let count = f64::from(count);
            count / (count + norm(shortest.into()))
        });
        values.fold(0.0, f64::max)
    }
}

/// A base is a hash already; only its low bits are always zero.
fn hash(base: i64) -> u64 {
    (base as u64).rotate_right(COUNT_BITS)
}
