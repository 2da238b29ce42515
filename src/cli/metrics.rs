//! Retrieval metrics as trec_eval and BEIR define them.

use std::collections::HashMap;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Metrics {
    pub(super) ndcg_10: f64,
    pub(super) recall_10: f64,
    pub(super) recall_100: f64,
    pub(super) mrr_10: f64,
}

impl Metrics {
    pub(super) const NAMES: [&'static str; 4] = ["ndcg@10", "recall@10", "recall@100", "mrr@10"];

    pub(super) fn named(self) -> [(&'static str, f64); 4] {
        let [ndcg, recall_10, recall_100, mrr] = Self::NAMES;
        [(ndcg, self.ndcg_10), (recall_10, self.recall_10), (recall_100, self.recall_100), (mrr, self.mrr_10)]
    }

    /// Of one ranking of documents, best first, each at most once.
    pub(super) fn of(ranking: &[String], relevant: &HashMap<String, f64>) -> Self {
        let gain = |document: &String| relevant.get(document).copied().unwrap_or(0.0);
        let discounted = |gains: &mut dyn Iterator<Item = f64>| -> f64 {
            gains.take(10).enumerate().map(|(place, gain)| gain / (place as f64 + 2.0).log2()).sum()
        };
        let mut ideal: Vec<f64> = relevant.values().copied().collect();
        ideal.sort_by(|a, b| b.total_cmp(a));
        let best = discounted(&mut ideal.into_iter());
        let recall = |depth: usize| {
            let found = ranking.iter().take(depth).filter(|document| gain(document) > 0.0).count();
            found as f64 / relevant.len().max(1) as f64
        };
        let first = ranking.iter().take(10).position(|document| gain(document) > 0.0);
        Self {
            ndcg_10: if best > 0.0 { discounted(&mut ranking.iter().map(gain)) / best } else { 0.0 },
            recall_10: recall(10),
            recall_100: recall(100),
            mrr_10: first.map_or(0.0, |place| 1.0 / (place as f64 + 1.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        text.chars().map(String::from).collect()
    }

    #[test]
    fn a_perfect_ranking_scores_one_and_an_empty_one_zero() {
        let relevant = HashMap::from([("a".to_owned(), 1.0), ("b".to_owned(), 2.0)]);
        let perfect = Metrics::of(&ids("ba"), &relevant);
        assert!((perfect.ndcg_10 - 1.0).abs() < 1e-12 && (perfect.recall_10 - 1.0).abs() < 1e-12);
        let empty = Metrics::of(&[], &relevant);
        assert!(empty.ndcg_10.abs() + empty.recall_100.abs() + empty.mrr_10.abs() < 1e-12);
    }

    #[test]
    fn the_figures_match_a_hand_computed_example() {
        let relevant = HashMap::from([("a".to_owned(), 1.0), ("b".to_owned(), 1.0)]);
        let metrics = Metrics::of(&ids("xaxb"), &relevant);
        let dcg = 1.0 / 3_f64.log2() + 1.0 / 5_f64.log2();
        let ideal = 1.0 + 1.0 / 3_f64.log2();
        assert!((metrics.ndcg_10 - dcg / ideal).abs() < 1e-12);
        assert!((metrics.mrr_10 - 0.5).abs() < 1e-12);
    }
}
