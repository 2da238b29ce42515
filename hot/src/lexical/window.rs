//! The chunks of a few neighbouring slots, while their scores are summed up term by term.

use super::COUNT_BITS;
use super::query::{Norms, Weighed, gallop};

/// Slots of a window: their sums stay in the processor's first cache.
pub(super) const SLOTS: usize = 2048;
pub(super) const WORDS: usize = SLOTS / BITS;
const BITS: usize = u64::BITS as usize;

#[derive(Debug)]
pub(super) struct Window {
    start: u32,
    sums: Box<[f64; SLOTS]>,
    /// Which of the sums are of candidates; all others are zero.
    candidates: [u64; WORDS],
}

impl Default for Window {
    fn default() -> Self {
        Self { start: 0, sums: Box::new([0.0; SLOTS]), candidates: [0; WORDS] }
    }
}

impl Window {
    /// Without candidates, from this slot on, which is a multiple of [`SLOTS`].
    pub(super) fn begin(&mut self, start: u32) {
        self.start = start;
    }

    /// How many candidates there are.
    pub(super) fn len(&self) -> usize {
        self.candidates.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Adds a term's score to each chunk that has it: all of them are candidates.
    pub(super) fn add(&mut self, term: &Weighed<'_>, cursor: &mut usize, norms: &Norms<'_>) {
        for posting in read(term.postings, cursor, self.start) {
            let (word, bit) = place(posting);
            self.sums[word * BITS + bit] += term.score(posting, norms);
            self.candidates[word] |= 1 << bit;
        }
    }

    /// Adds a term's score to the candidates that have it.
    pub(super) fn join(&mut self, term: &Weighed<'_>, cursor: &mut usize, norms: &Norms<'_>) {
        for posting in read(term.postings, cursor, self.start) {
            let (word, bit) = place(posting);
            if self.candidates[word] >> bit & 1 == 1 {
                self.sums[word * BITS + bit] += term.score(posting, norms);
            }
        }
    }

    /// Forgets candidates that are not allowed; by words, as [`crate::Bitmap`] has them.
    pub(super) fn allow(&mut self, allowed: &[u64]) {
        for (at, word) in self.candidates.iter_mut().enumerate() {
            let mut bits = *word & !allowed.get(at).copied().unwrap_or(0);
            *word &= !bits;
            while bits != 0 {
                self.sums[at * BITS + bits.trailing_zeros() as usize] = 0.0;
                bits &= bits - 1;
            }
        }
    }

    /// Forgets candidates that do not reach the least score with what can still be added.
    pub(super) fn prune(&mut self, rest: f64, least: f64) {
        for (at, word) in self.candidates.iter_mut().enumerate() {
            let mut bits = *word;
            while bits != 0 {
                let bit = bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let sum = &mut self.sums[at * BITS + bit];
                if *sum + rest < least {
                    *sum = 0.0;
                    *word &= !(1 << bit);
                }
            }
        }
    }

    /// Gives the candidates with their sums, ascending by slot, and forgets them.
    pub(super) fn drain(&mut self, mut each: impl FnMut(u32, f64)) {
        for (at, word) in self.candidates.iter_mut().enumerate() {
            let mut bits = std::mem::take(word);
            while bits != 0 {
                let at = at * BITS + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                each(self.start + at as u32, std::mem::take(&mut self.sums[at]));
            }
        }
    }
}

/// The postings of the window that starts here; the cursor goes along from before them to behind them.
fn read<'a>(postings: &'a [u32], cursor: &'a mut usize, start: u32) -> impl Iterator<Item = u32> + 'a {
    *cursor += gallop(&postings[*cursor..], start);
    let end = start + SLOTS as u32;
    std::iter::from_fn(move || {
        let posting = postings.get(*cursor).copied().filter(|posting| posting >> COUNT_BITS < end)?;
        *cursor += 1;
        Some(posting)
    })
}

/// Where in its window a posting is: the word, and the bit.
#[inline]
fn place(posting: u32) -> (usize, usize) {
    let at = (posting >> COUNT_BITS) as usize % SLOTS;
    (at / BITS, at % BITS)
}

const _: () = assert!(SLOTS.is_multiple_of(BITS));
