//! One order out of several queries' results.
//!
//! Each query's scores are scaled to 0…1 among its own results (hybrid scores are already) and averaged over the
//! queries by their weights; a result that a query did not find counts 0 there. It is the rule by which hybrid
//! search fuses its two legs, for the same reason (docs/adr/0004-hybrid-fusion.md).

use mcp_rag_actors::store::{ChunkId, Hit, Mode};
use std::collections::HashMap;

/// The results of one query, best first, and what it counts for.
pub(super) struct List {
    pub(super) hits: Vec<Hit>,
    pub(super) weight: f32,
}

pub(super) fn fuse(lists: Vec<List>, mode: Mode) -> Vec<Hit> {
    let total: f32 = lists.iter().map(|list| list.weight).sum();
    let mut sums: HashMap<ChunkId, f32> = HashMap::new();
    let mut hits: Vec<Hit> = Vec::new();
    for List { hits: found, weight } in lists {
        let scale = scale(&found, mode);
        for hit in found {
            let share = scale(hit.score) * weight / total;
            match sums.get_mut(&hit.chunk) {
                Some(sum) => {
                    *sum += share;
                    // The legs' scores shown are those of the query that it answers best.
                    if let Some(known) = hits.iter_mut().find(|known| known.chunk == hit.chunk) {
                        known.dense = best(known.dense, hit.dense);
                        known.lexical = best(known.lexical, hit.lexical);
                    }
                }
                None => {
                    sums.insert(hit.chunk, share);
                    hits.push(hit);
                }
            }
        }
    }
    for hit in &mut hits {
        hit.score = sums.get(&hit.chunk).copied().unwrap_or_default();
    }
    sort(&mut hits);
    hits
}

/// Best first; equal scores in the order of their ids, so that pages fit together.
pub(super) fn sort(hits: &mut [Hit]) {
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.chunk.cmp(&b.chunk)));
}

fn best(a: Option<f32>, b: Option<f32>) -> Option<f32> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}

fn scale(hits: &[Hit], mode: Mode) -> impl Fn(f32) -> f32 + use<> {
    let least = hits.iter().map(|hit| hit.score).fold(f32::INFINITY, f32::min);
    let most = hits.iter().map(|hit| hit.score).fold(f32::NEG_INFINITY, f32::max);
    move |score| match mode {
        Mode::Hybrid => score,
        Mode::Dense | Mode::Lexical if most > least => (score - least) / (most - least),
        Mode::Dense | Mode::Lexical => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::hit;
    use super::*;

    fn list(scores: &[(i64, f32)], weight: f32) -> List {
        List { hits: scores.iter().map(|(id, score)| hit(*id, *score)).collect(), weight }
    }

    fn order(hits: &[Hit]) -> Vec<i64> {
        hits.iter().map(|hit| hit.chunk.0).collect()
    }

    #[test]
    fn what_several_queries_find_comes_before_what_one_finds() {
        let lists =
            vec![list(&[(1, 0.9), (2, 0.8), (9, 0.1)], 1.0), list(&[(3, 7.0), (2, 6.0), (8, 1.0)], 1.0)];
        let fused = fuse(lists, Mode::Dense);
        assert_eq!(order(&fused), [2, 1, 3, 8, 9]);
        assert!((fused[0].score - (0.875 + 5.0 / 6.0) / 2.0).abs() < 1e-5, "{}", fused[0].score);
    }

    #[test]
    fn a_lighter_query_moves_less() {
        let lists = || (list(&[(1, 1.0), (2, 0.0)], 1.0), list(&[(2, 1.0), (1, 0.0)], 0.5));
        let (first, second) = lists();
        assert_eq!(order(&fuse(vec![first, second], Mode::Hybrid)), [1, 2]);
        let (first, second) = lists();
        assert_eq!(order(&fuse(vec![second, first], Mode::Hybrid)), [1, 2], "in whichever order they are");
    }

    #[test]
    fn one_list_keeps_its_order_and_nothing_comes_of_none() {
        assert_eq!(order(&fuse(vec![list(&[(4, 3.0), (2, 2.0), (3, 1.0)], 1.0)], Mode::Lexical)), [4, 2, 3]);
        assert!(fuse(vec![list(&[], 1.0), list(&[], 1.0)], Mode::Hybrid).is_empty());
    }
}
