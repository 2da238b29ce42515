//! What a thread that searches or links uses again and again.

use super::quantise::Quantised;
use std::collections::BinaryHeap;

/// How a search found its candidates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Plan {
    /// Along the links of the graph.
    #[default]
    Walk,
    /// By the codes of all that are allowed.
    Scan,
    /// All that are allowed are candidates.
    Exact,
}

/// Reusable memory of searches: one for each thread.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) plan: Plan,
    pub(super) visited: Visited,
    pub(super) pool: Pool,
    pub(super) frontier: BinaryHeap<Entry>,
    pub(super) fresh: Vec<u32>,
    pub(super) scores: Vec<i32>,
    pub(super) turned: Vec<f32>,
    pub(super) query: Quantised,
    pub(super) rounded: Vec<f32>,
}

impl Scratch {
    /// Of the last search.
    pub fn plan(&self) -> Plan {
        self.plan
    }
}

/// The slots a walk has seen. Forgetting takes as long as seeing did.
#[derive(Debug, Default)]
pub(super) struct Visited {
    words: Vec<u64>,
    touched: Vec<u32>,
}

impl Visited {
    /// None seen, of so many.
    pub(super) fn begin(&mut self, slots: usize) {
        for word in self.touched.drain(..) {
            self.words[word as usize] = 0;
        }
        let words = slots.div_ceil(64);
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
    }

    /// True the first time.
    #[inline(always)]
    pub(super) fn insert(&mut self, slot: u32) -> bool {
        let (at, bit) = (slot / 64, 1_u64 << (slot % 64));
        let word = &mut self.words[at as usize];
        if *word & bit != 0 {
            return false;
        }
        if *word == 0 {
            self.touched.push(at);
        }
        *word |= bit;
        true
    }
}

/// A candidate: its score above, then its slot, then a mark once its links were followed. The larger the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry(u64);

impl Entry {
    pub(super) fn new(score: i32, slot: u32) -> Self {
        Self(u64::from((score ^ i32::MIN) as u32) << 32 | u64::from(slot) << 1)
    }

    pub(super) fn score(self) -> i32 {
        (self.0 >> 32) as u32 as i32 ^ i32::MIN
    }

    pub(super) fn slot(self) -> u32 {
        self.0 as u32 >> 1
    }
}

/// The best candidates of a walk, best first.
#[derive(Debug, Default)]
pub(super) struct Pool {
    entries: Vec<Entry>,
    capacity: usize,
    /// None before lacks its mark.
    next: usize,
}

impl Pool {
    pub(super) fn begin(&mut self, capacity: usize) {
        self.entries.clear();
        self.capacity = capacity.max(1);
        self.next = 0;
    }

    /// All of these, in no order.
    pub(super) fn hold(&mut self, slots: impl Iterator<Item = u32>) {
        self.begin(usize::MAX);
        self.entries.extend(slots.map(|slot| Entry::new(0, slot)));
    }

    /// Makes room for more.
    pub(super) fn widen(&mut self, capacity: usize) {
        self.capacity = capacity.max(self.capacity);
    }

    /// Leaves the best `k`, and those with so few points less than the last of them.
    pub(super) fn keep_near(&mut self, k: usize, points: i32) {
        if let Some(last) = k.checked_sub(1).and_then(|last| self.entries.get(last)) {
            let least = last.score().saturating_sub(points);
            let near = self.entries.partition_point(|entry| entry.score() >= least);
            self.entries.truncate(near);
        }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Puts one in if it is among the best.
    #[inline(always)]
    pub(super) fn offer(&mut self, score: i32, slot: u32) {
        let entry = Entry::new(score, slot);
        if self.entries.len() == self.capacity {
            if self.entries.last().is_some_and(|last| entry.0 <= last.0) {
                return;
            }
            self.entries.pop();
        }
        let at = self.entries.partition_point(|other| other.0 > entry.0);
        self.entries.insert(at, entry);
        self.next = self.next.min(at);
    }

    #[inline(always)]
    pub(super) fn offer_all(&mut self, slots: &[u32], scores: &[i32]) {
        slots.iter().zip(scores).for_each(|(slot, score)| self.offer(*score, *slot));
    }

    /// The score that it takes more than to come in.
    pub(super) fn least(&self) -> i32 {
        let full = self.entries.len() == self.capacity;
        self.entries.last().filter(|_| full).map_or(i32::MIN, |last| last.score())
    }

    /// The best that has no mark, which it then gets.
    #[inline(always)]
    pub(super) fn follow(&mut self) -> Option<u32> {
        while let Some(entry) = self.entries.get_mut(self.next) {
            self.next += 1;
            if entry.0 & 1 == 0 {
                entry.0 |= 1;
                return Some(entry.slot());
            }
        }
        None
    }

    /// The one that comes next as things are.
    pub(super) fn upcoming(&self) -> Option<u32> {
        self.entries[self.next..].iter().find(|entry| entry.0 & 1 == 0).map(|entry| entry.slot())
    }
}
