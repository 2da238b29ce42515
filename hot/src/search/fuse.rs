//! The fusion of both legs: the mean of their scores, each scaled by its minimum and maximum over all candidates
//! (docs/adr/0004-hybrid-fusion.md).

use super::Ranked;

/// Scores candidates that have both legs' true scores, and keeps the best.
pub(super) fn fuse(candidates: &mut Vec<Ranked>, limit: usize) {
    let dense = Scale::of(candidates.iter().map(|one| one.dense));
    let lexical = Scale::of(candidates.iter().map(|one| one.lexical));
    for one in candidates.iter_mut() {
        one.score = (lexical.scaled(one.lexical) + dense.scaled(one.dense)) / 2.0;
    }
    candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.place.chunk.cmp(&b.place.chunk)));
    candidates.truncate(limit);
}

struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn of(scores: impl Iterator<Item = Option<f64>>) -> Self {
        scores.flatten().fold(Self { least: f64::INFINITY, most: f64::NEG_INFINITY }, |scale, score| Self {
            least: scale.least.min(score),
            most: scale.most.max(score),
        })
    }

    /// Where a leg scores all candidates alike (one candidate, above all) there is nothing to scale: a match counts in
    /// full.
    fn scaled(&self, score: Option<f64>) -> f64 {
        let Some(score) = score else { return 0.0 };
        if self.most > self.least {
            (score - self.least) / (self.most - self.least)
        } else {
            f64::from(u8::from(score > 0.0))
        }
    }
}
