//! BM25 as PostgreSQL computes it (`migrations/V3__lexical_index.sql`): Lucene's variant, with statistics of all visible
//! chunks, exactly as many of the best as are wanted.
//!
//! A posting is a slot and, in the low six bits, the term's count in the chunk, as in the database's keys.

mod kept;
mod lengths;
mod query;
mod terms;
mod top;
mod window;

use crate::codec::{Reader, Writer};
use lengths::Lengths;
pub(crate) use query::Query;
use std::collections::HashMap;
use terms::Terms;
pub(crate) use top::Scratch;

const COUNT_BITS: u32 = 6;
const COUNT_MASK: i64 = (1 << COUNT_BITS) - 1;

/// More slots than a posting can tell apart; two hundred gigabytes of texts.
pub(crate) const MOST_SLOTS: usize = 1 << (u32::BITS - COUNT_BITS);

#[derive(Debug, Default)]
pub(crate) struct Lexical {
    terms: Terms,
    lengths: Lengths,
    /// By slot: which terms the chunk has, so that it can be taken out again.
    own: Vec<Box<[u8]>>,
    chunks: i64,
    length: i64,
}

/// What a change of what is visible does to the statistics.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    frequencies: HashMap<u32, i64>,
    chunks: i64,
    length: i64,
}

impl Lexical {
    /// Adds a chunk's postings; it counts when it is [settled](Self::settle).
    pub(crate) fn stage(&mut self, slot: u32, keys: &[i64], length: i32) {
        let at = slot as usize;
        if at >= self.own.len() {
            self.own.resize(at + 1, Box::default());
        }
        let length = u32::try_from(length).unwrap_or(0);
        self.lengths.set(slot, length);
        let mut own: Vec<u32> = keys
            .iter()
            .map(|key| {
                self.terms.insert(key & !COUNT_MASK, slot << COUNT_BITS | (key & COUNT_MASK) as u32, length)
            })
            .collect();
        own.sort_unstable();
        let mut writer = Writer::default();
        let mut last = 0;
        for term in own {
            writer.number(u64::from(term - last));
            last = term;
        }
        self.own[at] = writer.0.into();
    }

    /// Takes chunks' postings out; they count no more.
    pub(crate) fn unstage(&mut self, slots: &[u32]) {
        for slot in slots {
            let Some(own) = self.own.get_mut(*slot as usize).map(std::mem::take) else { continue };
            for term in terms_of(&own) {
                self.terms.remove(term, *slot);
            }
        }
    }

    /// What it means that some chunks are shown and others hidden.
    pub(crate) fn weigh(&self, shown: &[u32], hidden: &[u32]) -> Statistics {
        let mut change = Statistics::default();
        for (slots, times) in [(shown, 1), (hidden, -1)] {
            for slot in slots {
                let at = *slot as usize;
                let own = self.own.get(at).map_or(&[][..], |own| own);
                terms_of(own).for_each(|term| *change.frequencies.entry(term).or_default() += times);
                change.length += times * i64::from(self.lengths.of(*slot));
                change.chunks += times;
            }
        }
        change
    }

    pub(crate) fn settle(&mut self, change: &Statistics) {
        for (term, by) in &change.frequencies {
            self.terms.count(*term, *by);
        }
        self.chunks += change.chunks;
        self.length += change.length;
    }

    /// A chunk's keys, ascending, and its length.
    pub(crate) fn entry(&self, slot: u32) -> (Vec<i64>, i32) {
        let at = slot as usize;
        let own = self.own.get(at).map_or(&[][..], |own| own);
        let mut keys: Vec<i64> = terms_of(own).filter_map(|term| self.terms.key(term, slot)).collect();
        keys.sort_unstable();
        let length = self.lengths.of(slot);
        (keys, i32::try_from(length).unwrap_or(i32::MAX))
    }

    /// Visible chunks, and their length in terms.
    pub(crate) fn totals(&self) -> (i64, i64) {
        (self.chunks, self.length)
    }

    /// How rare a term is; one that no chunk has is the rarest.
    pub(crate) fn idf(&self, base: i64) -> f64 {
        let frequency = self.terms.find(base).map_or(0, |term| term.frequency);
        let frequency = f64::from(frequency);
        (1.0 + (self.chunks as f64 - frequency + 0.5) / (frequency + 0.5)).ln()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.terms.memory_bytes()
            + self.lengths.memory_bytes()
            + self.own.capacity() * size_of::<Box<[u8]>>()
            + self.own.iter().map(|own| own.len()).sum::<usize>()
    }
}

fn terms_of(own: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let mut reader = Reader(own);
    let mut last = 0;
    std::iter::from_fn(move || {
        last += reader.small::<u32>().ok()?;
        Some(last)
    })
}
