//! Nearest neighbours by cosine similarity.
//!
//! Vectors are kept as PostgreSQL keeps them in a `halfvec`, and similarities are computed from those, so both agree.
//! Many threads may search while one changes; a change never keeps them waiting for longer than it takes to copy a few vectors.

use crate::Bitmap;
use half::f16;
use parking_lot::RwLock;
use std::collections::BTreeMap;

/// A neighbour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    pub slot: u32,
    /// The cosine, as PostgreSQL computes it from its `halfvec`.
    pub similarity: f32,
}

/// How diligently to search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effort {
    /// So that this share of the true nearest is found, on average.
    Recall(f32),
    /// With so many candidates.
    Candidates(usize),
    /// Compare with every vector.
    Exact,
}

/// What a searching thread uses again and again.
#[derive(Debug, Default)]
pub struct Scratch {}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DenseError {
    #[error("a vector has {found} dimensions, those here have {expected}")]
    Dimensions { expected: usize, found: usize },
    #[error("a vector has a number that is not finite, or none that is not zero")]
    NoDirection,
    #[error("there is a vector in slot {0}: remove it first")]
    Occupied(u32),
}

#[derive(Debug)]
pub struct Dense {
    dimensions: usize,
    vectors: RwLock<BTreeMap<u32, Vec<f16>>>,
}

impl Dense {
    pub fn new(dimensions: usize) -> Self {
        Self { dimensions, vectors: RwLock::default() }
    }

    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub fn len(&self) -> usize {
        self.vectors.read().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, slot: u32) -> bool {
        self.vectors.read().contains_key(&slot)
    }

    pub fn insert(&self, slot: u32, vector: &[f32]) -> Result<(), DenseError> {
        self.insert_all(&[(slot, vector)], 1)
    }

    /// All of them or, where one is refused, none; with so many threads.
    pub fn insert_all(&self, vectors: &[(u32, &[f32])], _threads: usize) -> Result<(), DenseError> {
        for (slot, vector) in vectors {
            self.check(vector)?;
            if self.contains(*slot) {
                return Err(DenseError::Occupied(*slot));
            }
        }
        let halves = |vector: &[f32]| vector.iter().map(|x| f16::from_f32(*x)).collect();
        self.vectors.write().extend(vectors.iter().map(|(slot, vector)| (*slot, halves(vector))));
        Ok(())
    }

    /// True if there was one.
    pub fn remove(&self, slot: u32) -> bool {
        self.vectors.write().remove(&slot).is_some()
    }

    /// The nearest to a query, best first, as many as `k` wherever there are as many: of those `allowed`, or of all.
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        _effort: Effort,
        allowed: Option<&Bitmap>,
        _scratch: &mut Scratch,
    ) -> Result<Vec<Hit>, DenseError> {
        self.check(query)?;
        let vectors = self.vectors.read();
        let seen = vectors.iter().filter(|(slot, _)| allowed.is_none_or(|allowed| allowed.contains(**slot)));
        let mut hits: Vec<Hit> =
            seen.map(|(slot, vector)| Hit { slot: *slot, similarity: cosine(query, vector) }).collect();
        hits.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.slot.cmp(&b.slot)));
        hits.truncate(k);
        Ok(hits)
    }

    /// The similarity of each of the slots, in their order; none where there is no vector.
    pub fn exact(&self, query: &[f32], slots: &[u32]) -> Result<Vec<Option<f32>>, DenseError> {
        self.check(query)?;
        let vectors = self.vectors.read();
        Ok(slots.iter().map(|slot| vectors.get(slot).map(|vector| cosine(query, vector))).collect())
    }

    pub fn memory_bytes(&self) -> usize {
        self.len() * self.dimensions * size_of::<f16>()
    }

    fn check(&self, vector: &[f32]) -> Result<(), DenseError> {
        if vector.len() != self.dimensions {
            return Err(DenseError::Dimensions { expected: self.dimensions, found: vector.len() });
        }
        let norm: f32 = vector.iter().map(|x| x * x).sum();
        if norm.is_finite() && norm > 0.0 { Ok(()) } else { Err(DenseError::NoDirection) }
    }
}

fn cosine(query: &[f32], vector: &[f16]) -> f32 {
    let (mut dot, mut a, mut b) = (0.0, 0.0, 0.0);
    for (x, y) in query.iter().map(|x| f16::from_f32(*x).to_f32()).zip(vector.iter().map(|y| y.to_f32())) {
        dot += x * y;
        a += x * x;
        b += y * y;
    }
    dot / (a * b).sqrt()
}
