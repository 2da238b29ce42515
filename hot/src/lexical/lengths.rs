//! The chunks' lengths in terms, by slot: a byte each, since a score reads one for every posting.

use std::collections::HashMap;

/// A length that the bytes do not hold.
const LONG: u8 = u8::MAX;

#[derive(Debug, Default)]
pub(super) struct Lengths {
    bytes: Vec<u8>,
    /// Those of the others.
    long: HashMap<u32, u32>,
}

impl Lengths {
    /// Lengths below this are read from the bytes alone.
    pub(super) const SHORT: u32 = LONG as u32;

    /// Slots that have one.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// 0 where there is none.
    #[inline]
    pub(super) fn of(&self, slot: u32) -> u32 {
        match self.bytes.get(slot as usize) {
            Some(&LONG) => self.long.get(&slot).copied().unwrap_or(0),
            Some(length) => u32::from(*length),
            None => 0,
        }
    }

    pub(super) fn set(&mut self, slot: u32, length: u32) {
        let at = slot as usize;
        if at >= self.bytes.len() {
            self.bytes.resize(at + 1, 0);
        }
        if self.bytes[at] == LONG {
            self.long.remove(&slot);
        }
        self.bytes[at] = u8::try_from(length).unwrap_or(LONG);
        if self.bytes[at] == LONG {
            self.long.insert(slot, length);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.long.capacity() * size_of::<(u32, u32)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_slot_has_the_length_that_was_set_last(sets in prop::collection::vec((0..40_u32, 0..600_u32), 0..200)) {
            let (mut lengths, mut right) = (Lengths::default(), HashMap::new());
            for (slot, length) in sets {
                lengths.set(slot, length);
                right.insert(slot, length);
            }
            for slot in 0..50 {
                prop_assert_eq!(lengths.of(slot), right.get(&slot).copied().unwrap_or(0));
            }
            prop_assert_eq!(lengths.len(), right.keys().max().map_or(0, |most| *most as usize + 1));
            prop_assert!(lengths.long.iter().all(|(_, length)| *length >= Lengths::SHORT));
        }
    }
}
