//! Nearest neighbours by cosine similarity.
//!
//! Vectors are kept as PostgreSQL keeps them in a `halfvec`, and similarities are computed from those, so both agree.
//! Candidates are found by four bits per dimension: along the links of a graph, or by comparing with all that a filter
//! lets through, whichever costs less.
//!
//! Any number of threads search while one changes. A search holds the lock for reading throughout. What a change has to
//! compute, it computes beside them; it holds the lock for writing while it copies a few vectors.

mod change;
mod effort;
mod kernel;
mod links;
mod pages;
mod quantise;
mod scratch;
mod search;
mod snapshot;
mod vectors;
mod weave;

use crate::Bitmap;
use effort::Calibration;
pub use effort::Effort;
use kernel::Isa;
use parking_lot::{Mutex, RwLock};
pub use scratch::{Plan, Scratch};
pub use snapshot::SnapshotError;
use std::cmp::Ordering;
use vectors::Vectors;
use weave::Stripes;

/// A neighbour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    pub slot: u32,
    /// The cosine, as PostgreSQL computes it from its `halfvec`.
    pub similarity: f32,
}

impl Hit {
    fn better_first(&self, other: &Self) -> Ordering {
        other.similarity.total_cmp(&self.similarity).then(self.slot.cmp(&other.slot))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum DenseError {
    #[error("a vector has {found} dimensions, those here have {expected}")]
    Dimensions { expected: usize, found: usize },
    #[error("a vector has a number that is not finite, or none but zeros")]
    NoDirection,
    #[error("slot {0} has a vector: remove it first")]
    Occupied(u32),
    #[error("slot {0} is beyond the last possible one")]
    Beyond(u32),
    #[error("no memory for more vectors")]
    Memory(#[from] std::io::Error),
}

/// The vectors of a collection in one embedding space.
#[derive(Debug)]
pub struct Dense {
    dimensions: usize,
    vectors: RwLock<Vectors>,
    calibration: Calibration,
    /// Of whoever changes anything.
    writer: Mutex<Stripes>,
}

impl Dense {
    pub fn new(dimensions: usize) -> Self {
        Self::holding(Vectors::new(Isa::detect(), dimensions), Calibration::default())
    }

    fn holding(vectors: Vectors, calibration: Calibration) -> Self {
        Self {
            dimensions: vectors.dimensions,
            vectors: RwLock::new(vectors),
            calibration,
            writer: Mutex::default(),
        }
    }

    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub fn len(&self) -> usize {
        self.vectors.read().alive.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, slot: u32) -> bool {
        self.vectors.read().alive.contains(slot)
    }

    /// What is taken by the vectors and what is kept to find them.
    pub fn memory_bytes(&self) -> usize {
        self.vectors.read().memory_bytes()
    }

    /// What a vector of so many dimensions takes, to be known before it is there.
    pub fn bytes_per_vector(dimensions: usize) -> usize {
        Vectors::bytes_per_row(dimensions)
    }

    /// The nearest to a query, best first, as many as `k` wherever there are as many: of those `allowed`, or of all.
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        effort: Effort,
        allowed: Option<&Bitmap>,
        scratch: &mut Scratch,
    ) -> Result<Vec<Hit>, DenseError> {
        let here = self.vectors.read();
        let norm = here.round(query, &mut scratch.rounded)?;
        here.find(query, k, effort, self.calibration.factor(), allowed, scratch);
        let slots: Vec<u32> = scratch.pool.entries().iter().map(|entry| entry.slot()).collect();
        let cosines = here.cosines(&scratch.rounded, norm, &slots);
        let mut hits: Vec<Hit> =
            slots.iter().zip(cosines).map(|(slot, similarity)| Hit { slot: *slot, similarity }).collect();
        if k < hits.len() {
            hits.select_nth_unstable_by(k, Hit::better_first);
            hits.truncate(k);
        }
        hits.sort_unstable_by(Hit::better_first);
        Ok(hits)
    }

    /// The similarity of each of the slots, in their order; none where there is no vector.
    pub fn exact(&self, query: &[f32], slots: &[u32]) -> Result<Vec<Option<f32>>, DenseError> {
        let here = self.vectors.read();
        let mut rounded = Vec::new();
        let norm = here.round(query, &mut rounded)?;
        let alive: Vec<u32> = slots.iter().copied().filter(|slot| here.alive.contains(*slot)).collect();
        let mut cosines = here.cosines(&rounded, norm, &alive);
        Ok(slots.iter().map(|slot| here.alive.contains(*slot).then(|| cosines.next()).flatten()).collect())
    }
}
