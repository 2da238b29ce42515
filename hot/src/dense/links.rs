//! Who is whose neighbour.
//!
//! Links are atomic numbers: a search reads them while they change, and what it sees of a row that is being written is a
//! mixture of two rows, every link of which was right at some time.

use super::pages::Rows;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// The most links of a vector: three cache lines.
pub(super) const LINKS: usize = 48;

#[derive(Debug)]
pub(super) struct Links {
    pub(super) rows: Rows<AtomicU32>,
}

impl Links {
    pub(super) fn new() -> Self {
        Self { rows: Rows::new(LINKS) }
    }

    pub(super) fn reserve(&mut self, rows: usize) -> io::Result<()> {
        self.rows.reserve(rows)
    }

    #[inline(always)]
    pub(super) fn row(&self, slot: u32) -> &[AtomicU32] {
        self.rows.row(slot)
    }

    /// Where the links of a slot lead.
    #[inline(always)]
    pub(super) fn of(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        // One more than the slot is kept: a row of zeros has no links.
        self.row(slot).iter().map_while(|link| link.load(Ordering::Relaxed).checked_sub(1))
    }

    pub(super) fn set(&self, slot: u32, links: &[u32]) {
        let padded = links.iter().map(|link| link + 1).chain(std::iter::repeat(0));
        self.row(slot).iter().zip(padded).for_each(|(link, value)| link.store(value, Ordering::Relaxed));
    }
}
