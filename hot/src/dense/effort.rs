//! How diligently to search for a wanted recall.

use super::{Dense, DenseError, Scratch};
use crate::Bitmap;
use std::sync::atomic::{AtomicU32, Ordering};

/// How diligently to search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effort {
    /// So that on average this share of the true nearest is found.
    Recall(f32),
    /// With so many candidates.
    Candidates(usize),
    /// Compare with every vector.
    Exact,
}

const MOST: f32 = 2000.0;

/// Candidates of a walk that finds the wanted share of the `k` nearest among so many vectors: fitted to measurements of
/// questions (docs/adr/0035-hot-index.md), which lie outside of what they ask for.
pub(super) fn candidates(recall: f32, k: usize, vectors: usize, factor: f32) -> usize {
    let decades = (vectors.max(1) as f32 / 1e5).log10();
    let growth = if decades < 0.0 { 0.4 } else { 0.15 };
    let ten = 80.0 * (0.03 / (1.0 - recall.clamp(0.0, 0.999))).powf(0.62) * 10_f32.powf(growth * decades);
    let more = (k as f32 / 10.0).max(1.0).powf(0.75);
    ((ten * more * factor).clamp(16.0, MOST) as usize).max(k)
}

/// What this collection takes more than the rule says, or less.
#[derive(Debug)]
pub(super) struct Calibration(AtomicU32);

impl Default for Calibration {
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl Calibration {
    pub(super) fn new(factor: f32) -> Self {
        Self(AtomicU32::new(factor.to_bits()))
    }

    pub(super) fn factor(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, factor: f32) {
        self.0.store(factor.to_bits(), Ordering::Relaxed);
    }
}

/// What calibrating found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibrated {
    /// Candidates of a search for ten from now on.
    pub candidates: usize,
    /// The recall they give for the sample.
    pub recall: f32,
}

/// By so much more at a time, at most this often.
const STEP: f32 = 1.2;
const STEPS: i32 = 16;

impl Dense {
    /// For a search that fetches more than `k` and must find the wanted share of the `k` nearest alone.
    pub fn effort_for(&self, k: usize, effort: Effort) -> Effort {
        let Effort::Recall(recall) = effort else { return effort };
        Effort::Candidates(candidates(recall, k, self.len(), self.calibration.factor()))
    }

    /// Searches for a sample of queries, exactly and not, and from now on keeps as many candidates as they took for the
    /// wanted recall at `k`. Real queries are the sample to use. Takes the time of an exact search for each.
    pub fn calibrate<Q: AsRef<[f32]>>(
        &self,
        queries: &[Q],
        k: usize,
        recall: f32,
    ) -> Result<Calibrated, DenseError> {
        let mut scratch = Scratch::default();
        let mut right = Vec::with_capacity(queries.len());
        for query in queries {
            let hits = self.search(query.as_ref(), k, Effort::Exact, None, &mut scratch)?;
            right.push(hits.iter().map(|hit| hit.slot).collect::<Bitmap>());
        }
        let (vectors, wanted) = (self.len(), right.iter().map(Bitmap::len).sum::<usize>().max(1));
        let mut last = Calibrated { candidates: 0, recall: 0.0 };
        // From a quarter of the rule's.
        for step in -7..STEPS - 7 {
            let factor = STEP.powi(step);
            let kept = candidates(recall, k, vectors, factor);
            if kept == last.candidates {
                continue;
            }
            let mut found = 0;
            for (query, right) in queries.iter().zip(&right) {
                let hits = self.search(query.as_ref(), k, Effort::Candidates(kept), None, &mut scratch)?;
                found += hits.iter().filter(|hit| right.contains(hit.slot)).count();
            }
            last = Calibrated { candidates: kept, recall: found as f32 / wanted as f32 };
            self.calibration.set(factor);
            if last.recall >= recall {
                break;
            }
        }
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn more_recall_more_results_and_more_vectors_never_take_fewer_candidates(
            recall in 0.5_f32..0.99, more in 0.0_f32..0.005, k in 1_usize..100, vectors in 0_usize..10_000_000,
            further in 0_usize..10_000_000,
        ) {
            let least = candidates(recall, k, vectors, 1.0);
            prop_assert!(least >= k && least <= MOST as usize);
            prop_assert!(candidates(recall + more, k, vectors, 1.0) >= least);
            prop_assert!(candidates(recall, k + 1, vectors, 1.0) >= least);
            prop_assert!(candidates(recall, k, vectors + further, 1.0) >= least);
        }
    }
}
