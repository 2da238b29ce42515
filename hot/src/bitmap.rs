//! A set of slots, a bit each.

/// A set of slots. Slots are dense, so a bit for each is smaller and faster than anything clever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<u64>,
    len: usize,
}

impl Bitmap {
    /// Of the slots it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub fn contains(&self, slot: u32) -> bool {
        let (word, bit) = place(slot);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// True if it was not there.
    pub fn insert(&mut self, slot: u32) -> bool {
        let (word, bit) = place(slot);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.len += usize::from(new);
        new
    }

    /// Grows once at most.
    pub fn insert_all(&mut self, slots: &[u32]) {
        let words = slots.iter().max().map_or(0, |last| place(*last).0 + 1);
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
        for slot in slots {
            self.insert(*slot);
        }
    }

    /// True if it was there.
    pub fn remove(&mut self, slot: u32) -> bool {
        let (word, bit) = place(slot);
        let Some(word) = self.words.get_mut(word) else { return false };
        let there = *word & bit != 0;
        *word &= !bit;
        self.len -= usize::from(there);
        there
    }

    /// Keeps what is in both.
    pub fn intersect(&mut self, other: &Self) {
        self.words.truncate(other.words.len());
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
        self.count();
    }

    /// Adds what is in the other.
    pub fn unite(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
        self.count();
    }

    /// Takes out what is in the other.
    pub fn subtract(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
        self.count();
    }

    /// How many are in both.
    pub fn common(&self, other: &Self) -> usize {
        self.words.iter().zip(&other.words).map(|(a, b)| (a & b).count_ones() as usize).sum()
    }

    /// Ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(at, word)| bits(at, *word))
    }

    /// 64 slots each, the first in the lowest bit.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Of [`words`](Self::words).
    pub fn from_words(words: Vec<u64>) -> Self {
        let mut bitmap = Self { words, len: 0 };
        bitmap.count();
        bitmap
    }

    pub fn memory_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    fn count(&mut self) {
        self.len = self.words.iter().map(|word| word.count_ones() as usize).sum();
    }
}

impl FromIterator<u32> for Bitmap {
    fn from_iter<I: IntoIterator<Item = u32>>(slots: I) -> Self {
        let mut bitmap = Self::default();
        for slot in slots {
            bitmap.insert(slot);
        }
        bitmap
    }
}

fn place(slot: u32) -> (usize, u64) {
    ((slot / u64::BITS) as usize, 1 << (slot % u64::BITS))
}

/// The slots of the word at a place.
pub(crate) fn bits(at: usize, word: u64) -> impl Iterator<Item = u32> {
    Bits(word).map(move |bit| at as u32 * u64::BITS + bit)
}

/// The places of the ones of a word.
struct Bits(u64);

impl Iterator for Bits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let lowest = (self.0 != 0).then(|| self.0.trailing_zeros())?;
        self.0 &= self.0 - 1;
        Some(lowest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_the_set_that_a_tree_is(
            changes in prop::collection::vec((0_u32..300, any::<bool>()), 0..200),
            other in prop::collection::btree_set(0_u32..400, 0..100),
        ) {
            let (mut bitmap, mut tree) = (Bitmap::default(), BTreeSet::new());
            for (slot, insert) in changes {
                if insert {
                    prop_assert_eq!(bitmap.insert(slot), tree.insert(slot));
                } else {
                    prop_assert_eq!(bitmap.remove(slot), tree.remove(&slot));
                }
            }
            let others: Bitmap = other.iter().copied().collect();
            let same = |bitmap: &Bitmap, tree: &BTreeSet<u32>| {
                bitmap.len() == tree.len() && bitmap.iter().eq(tree.iter().copied())
                    && tree.iter().all(|slot| bitmap.contains(*slot))
            };
            prop_assert!(same(&bitmap, &tree));
            prop_assert_eq!(bitmap.common(&others), tree.intersection(&other).count());
            let changed = |change: fn(&mut Bitmap, &Bitmap)| { let mut copy = bitmap.clone(); change(&mut copy, &others); copy };
            prop_assert!(same(&changed(Bitmap::intersect), &tree.intersection(&other).copied().collect()));
            prop_assert!(same(&changed(Bitmap::unite), &tree.union(&other).copied().collect()));
            prop_assert!(same(&changed(Bitmap::subtract), &tree.difference(&other).copied().collect()));
            prop_assert!(same(&Bitmap::from_words(bitmap.words().to_vec()), &tree));
        }
    }
}
