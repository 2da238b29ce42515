//! The vectors themselves, in both forms, and the graph over them.

use super::DenseError;
use super::kernel::{Isa, Line, PER_LINE, prefetch};
use super::links::{LINKS, Links};
use super::pages::Rows;
use super::quantise::{Quantiser, length};
use crate::Bitmap;
use half::f16;
use std::io;

/// Vectors that are on their way from memory while one is compared.
const AHEAD: usize = 4;

#[derive(Debug)]
pub(super) struct Vectors {
    pub(super) isa: Isa,
    pub(super) dimensions: usize,
    pub(super) quantiser: Quantiser,
    pub(super) codes: Rows<Line>,
    pub(super) halves: Rows<u16>,
    pub(super) links: Links,
    pub(super) alive: Bitmap,
    /// Removed, but still ways to others.
    pub(super) dead: Bitmap,
    /// Slots a walk may set out from: a sample as large as the root of the whole.
    pub(super) pivots: Vec<u32>,
    /// Their codes in one piece.
    pub(super) pivot_codes: Vec<Line>,
    /// One more than the last slot in use.
    pub(super) rows: usize,
}

impl Vectors {
    pub(super) fn new(isa: Isa, dimensions: usize) -> Self {
        let quantiser = Quantiser::new(isa, dimensions);
        Self {
            isa,
            dimensions,
            codes: Rows::new(quantiser.lines()),
            quantiser,
            halves: Rows::new(dimensions),
            links: Links::new(),
            alive: Bitmap::default(),
            dead: Bitmap::default(),
            pivots: Vec::new(),
            pivot_codes: Vec::new(),
            rows: 0,
        }
    }

    pub(super) fn reserve(&mut self, rows: usize) -> io::Result<()> {
        self.codes.reserve(rows)?;
        self.halves.reserve(rows)?;
        self.links.reserve(rows)?;
        self.rows = self.rows.max(rows);
        Ok(())
    }

    pub(super) fn put(&mut self, slot: u32, halves: &[f16], code: &[Line]) {
        self.codes.row_mut(slot).copy_from_slice(code);
        self.halves.row_mut(slot).iter_mut().zip(halves).for_each(|(to, half)| *to = half.to_bits());
        self.alive.insert(slot);
    }

    pub(super) fn bytes_per_row(dimensions: usize) -> usize {
        let code = dimensions.div_ceil(PER_LINE) * size_of::<Line>();
        code + dimensions * size_of::<f16>() + LINKS * size_of::<u32>()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.rows * Self::bytes_per_row(self.dimensions)
            + self.alive.memory_bytes()
            + self.dead.memory_bytes()
            + self.pivots.capacity() * size_of::<u32>()
            + self.pivot_codes.capacity() * size_of::<Line>()
    }

    pub(super) fn add_pivot(&mut self, slot: u32) {
        self.pivots.push(slot);
        self.pivot_codes.extend_from_slice(self.codes.row(slot));
    }

    /// A vector as PostgreSQL sees it, and its norm.
    pub(super) fn round(&self, vector: &[f32], rounded: &mut Vec<f32>) -> Result<f32, DenseError> {
        if vector.len() != self.dimensions {
            return Err(DenseError::Dimensions { expected: self.dimensions, found: vector.len() });
        }
        rounded.clear();
        rounded.extend_from_slice(vector);
        self.isa.round(rounded);
        let norm = length(rounded);
        if norm.is_finite() && norm > 0.0 { Ok(norm) } else { Err(DenseError::NoDirection) }
    }

    /// The cosine of a query, rounded to halves and with its norm, and each of these vectors.
    pub(super) fn cosines<'a>(
        &'a self,
        query: &'a [f32],
        norm: f32,
        slots: &'a [u32],
    ) -> impl Iterator<Item = f32> + 'a {
        slots.iter().take(AHEAD).for_each(|slot| prefetch(self.halves.row(*slot)));
        slots.iter().enumerate().map(move |(at, slot)| {
            if let Some(next) = slots.get(at + AHEAD) {
                prefetch(self.halves.row(*next));
            }
            let (across, own) = self.isa.products(query, self.halves.row(*slot));
            across / (norm * own.sqrt())
        })
    }
}
