//! Maximal marginal relevance: each next result is the best mix of a high score and of being unlike those before.

/// The order in which `scores` are taken: `1 - diversity` of a score, scaled to 0…1 among them, less `diversity`
/// of the cosine with the nearest vector taken before. `vectors` have length one; an empty one is like no other.
///
/// Quadratic in the number of candidates, which are a few hundred at most.
pub(super) fn order(scores: &[f32], vectors: &[&[f32]], diversity: f32) -> Vec<usize> {
    let least = scores.iter().copied().fold(f32::INFINITY, f32::min);
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let scaled = |score: f32| if most > least { (score - least) / (most - least) } else { 1.0 };
    let mut left: Vec<usize> = (0..scores.len()).collect();
    // For each candidate the cosine with what was taken and is nearest to it.
    let mut nearest = vec![0.0_f32; scores.len()];
    let mut taken = Vec::with_capacity(scores.len());
    while !left.is_empty() {
        let value = |at: usize| (1.0 - diversity) * scaled(scores[at]) - diversity * nearest[at];
        let mut best = 0;
        for place in 1..left.len() {
            // The first of equals: they come in the order of their scores.
            if value(left[place]) > value(left[best]) {
                best = place;
            }
        }
        let next = left.remove(best);
        taken.push(next);
        for at in &left {
            nearest[*at] = nearest[*at].max(cosine(vectors[*at], vectors[next]));
        }
    }
    taken
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot: f32 = a.iter().zip(b).map(|(x, y)| x * y).sum();
    if dot.is_finite() { dot } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EAST: &[f32] = &[1.0, 0.0];
    const NORTH: &[f32] = &[0.0, 1.0];

    #[test]
    fn a_second_of_a_kind_gives_way_to_something_else() {
        let scores = [0.9, 0.88, 0.5, 0.1];
        let vectors = [EAST, EAST, NORTH, NORTH];
        assert_eq!(order(&scores, &vectors, 0.0), [0, 1, 2, 3]);
        assert_eq!(order(&scores, &vectors, 0.5), [0, 2, 1, 3]);
    }

    #[test]
    fn a_result_without_a_vector_is_like_no_other() {
        assert_eq!(order(&[0.9, 0.8, 0.7], &[EAST, EAST, &[]], 0.9), [0, 2, 1]);
        assert!(order(&[], &[], 0.5).is_empty());
    }

    proptest! {
        #[test]
        fn every_candidate_is_taken_once_and_the_best_first(
            raw in prop::collection::vec((0.0_f32..1.0, -1.0_f32..1.0), 1..40), diversity in 0.0_f32..=1.0,
        ) {
            let mut scores: Vec<f32> = raw.iter().map(|(score, _)| *score).collect();
            scores.sort_by(|a, b| b.total_cmp(a));
            let vectors: Vec<[f32; 2]> = raw.iter().map(|(_, x)| [*x, (1.0 - x * x).max(0.0).sqrt()]).collect();
            let vectors: Vec<&[f32]> = vectors.iter().map(<[f32; 2]>::as_slice).collect();
            let order = order(&scores, &vectors, diversity);
            prop_assert_eq!(order[0], 0);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..scores.len()).collect::<Vec<_>>());
        }
    }
}
