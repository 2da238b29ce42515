//! A set of slots that takes little memory whether it holds one of them or most.

use crate::Bitmap;

/// From here on a set may be worth a bit for each slot.
const LEAST_DENSE: usize = 64;

#[derive(Debug, Default)]
pub(super) enum Set {
    #[default]
    Empty,
    /// As of a value that no other document has.
    One(u32),
    Many(Box<Many>),
}

#[derive(Debug)]
pub(super) enum Many {
    /// Ascending.
    Sparse(Vec<u32>),
    /// Where a bit for each slot up to the last takes less.
    Dense(Bitmap),
}

impl Set {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::One(_) | Self::Many(_) => false,
        }
    }

    /// Adds ascending slots, some of which may be there.
    pub(super) fn insert(&mut self, slots: &[u32]) {
        match (&mut *self, slots) {
            (_, []) => {}
            (Self::Empty, [slot]) => *self = Self::One(*slot),
            (Self::Empty, slots) => *self = Many::of(slots.to_vec()),
            (Self::One(there), slots) => *self = Many::of(merged(vec![*there], slots)),
            (Self::Many(many), slots) => many.insert(slots),
        }
    }

    /// Takes out ascending slots, some of which may not be there.
    pub(super) fn remove(&mut self, slots: &[u32]) {
        match self {
            Self::Empty => {}
            Self::One(slot) => {
                if slots.binary_search(slot).is_ok() {
                    *self = Self::Empty;
                }
            }
            Self::Many(many) => {
                if many.remove(slots) {
                    *self = Self::Empty;
                }
            }
        }
    }

    pub(super) fn add_to(&self, bitmap: &mut Bitmap) {
        match self {
            Self::Empty => {}
            Self::One(slot) => {
                bitmap.insert(*slot);
            }
            Self::Many(many) => match many.as_ref() {
                Many::Sparse(slots) => bitmap.insert_all(slots),
                Many::Dense(slots) => bitmap.unite(slots),
            },
        }
    }

    pub(super) fn take_from(&self, bitmap: &mut Bitmap) {
        match self {
            Self::Empty => {}
            Self::One(slot) => {
                bitmap.remove(*slot);
            }
            Self::Many(many) => match many.as_ref() {
                Many::Sparse(slots) => {
                    for slot in slots {
                        bitmap.remove(*slot);
                    }
                }
                Many::Dense(slots) => bitmap.subtract(slots),
            },
        }
    }

    /// Beside itself.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Empty | Self::One(_) => 0,
            Self::Many(many) => {
                size_of::<Many>()
                    + match many.as_ref() {
                        Many::Sparse(slots) => slots.capacity() * size_of::<u32>(),
                        Many::Dense(slots) => slots.memory_bytes(),
                    }
            }
        }
    }
}

impl Many {
    fn of(slots: Vec<u32>) -> Set {
        let mut many = Self::Sparse(slots);
        many.settle();
        Set::Many(Box::new(many))
    }

    fn insert(&mut self, slots: &[u32]) {
        match self {
            Self::Sparse(there) => *there = merged(std::mem::take(there), slots),
            Self::Dense(there) => {
                for slot in slots {
                    there.insert(*slot);
                }
            }
        }
        self.settle();
    }

    /// Whether nothing is left.
    fn remove(&mut self, slots: &[u32]) -> bool {
        let left = match self {
            Self::Sparse(there) => {
                match slots {
                    [slot] => {
                        if let Ok(at) = there.binary_search(slot) {
                            there.remove(at);
                        }
                    }
                    slots => there.retain(|slot| slots.binary_search(slot).is_err()),
                }
                there.len()
            }
            Self::Dense(there) => {
                for slot in slots {
                    there.remove(*slot);
                }
                there.len()
            }
        };
        self.settle();
        left == 0
    }

    /// Takes the form that is smaller; between the two is room, so that it does not change with each slot.
    fn settle(&mut self) {
        match self {
            Self::Sparse(slots) => {
                let universe = slots.last().map_or(0, |last| *last as usize + 1);
                if slots.len() >= LEAST_DENSE && slots.len() * u32::BITS as usize > universe {
                    *self = Self::Dense(slots.iter().copied().collect());
                }
            }
            Self::Dense(slots) => {
                if slots.len() < slots.words().len() || slots.len() < LEAST_DENSE / 2 {
                    *self = Self::Sparse(slots.iter().collect());
                }
            }
        }
    }
}

fn merged(mut there: Vec<u32>, slots: &[u32]) -> Vec<u32> {
    let ascending = there.last() < slots.first();
    match (ascending, slots) {
        (true, slots) => there.extend_from_slice(slots),
        (false, [slot]) => {
            if let Err(at) = there.binary_search(slot) {
                there.insert(at, *slot);
            }
        }
        (false, slots) => {
            there.extend_from_slice(slots);
            // Two runs: merged in one pass.
            there.sort();
            there.dedup();
        }
    }
    there
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_the_set_that_a_tree_is_in_whichever_form(
            changes in prop::collection::vec((any::<bool>(), prop::collection::btree_set(0_u32..4000, 0..300)), 0..20),
        ) {
            let (mut set, mut tree) = (Set::default(), BTreeSet::new());
            for (insert, slots) in changes {
                let list: Vec<u32> = slots.iter().copied().collect();
                if insert {
                    set.insert(&list);
                    tree.extend(slots);
                } else {
                    set.remove(&list);
                    tree.retain(|slot| !slots.contains(slot));
                }
                let mut bitmap = Bitmap::default();
                set.add_to(&mut bitmap);
                prop_assert!(bitmap.iter().eq(tree.iter().copied()));
                prop_assert_eq!(set.is_empty(), tree.is_empty());
                let mut all: Bitmap = (0..4000).collect();
                set.take_from(&mut all);
                prop_assert_eq!(all.len(), 4000 - tree.len());
            }
        }
    }
}
