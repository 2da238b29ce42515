//! What a search should have found: every chunk compared, no index, no budget.

use super::requests::Question;
use super::synthetic::Recipe;
use mcp_rag_text::analyze::term_counts;
use mcp_rag_text::language::Language;
use std::collections::HashMap;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// The best chunks of each question, best first.
pub(super) struct Exact {
    pub(super) dense: Vec<Vec<usize>>,
    pub(super) lexical: Vec<Vec<usize>>,
    pub(super) hybrid: Vec<Vec<usize>>,
}

/// Compares every question with each of the recipe's first `chunks`.
pub(super) fn search(
    recipe: &Recipe,
    chunks: usize,
    questions: &[&Question],
    top_k: usize,
    depth: usize,
) -> Exact {
    let asked: Vec<HashMap<String, u32>> = questions
        .iter()
        .map(|question| term_counts(&question.text, Language::English).terms.into_iter().collect())
        .collect();
    let mut frequency: HashMap<u32, u32> = HashMap::new();
    let mut total = 0_u64;
    for n in 0..chunks {
        let chunk = recipe.chunk(n);
        total += u64::from(chunk.length);
        for (term, _) in chunk.terms {
            *frequency.entry(term).or_insert(0) += 1;
        }
    }
    let mean = total as f64 / chunks.max(1) as f64;
    // Which questions ask for a term, and how much it weighs in each.
    let mut weights: HashMap<u32, Vec<(usize, f64)>> = HashMap::new();
    for (term, df) in &frequency {
        let idf = (1.0 + (chunks as f64 - f64::from(*df) + 0.5) / (f64::from(*df) + 0.5)).ln();
        for (at, terms) in asked.iter().enumerate() {
            if let Some(count) = terms.get(recipe.term(*term)) {
                weights.entry(*term).or_default().push((at, idf * f64::from(*count)));
            }
        }
    }
    let mut similarity = vec![Vec::with_capacity(chunks); questions.len()];
    let mut bm25 = vec![Vec::with_capacity(chunks); questions.len()];
    for n in 0..chunks {
        let chunk = recipe.chunk(n);
        for (question, scores) in questions.iter().zip(&mut similarity) {
            let dot: f32 = question.embedding.iter().zip(&chunk.embedding).map(|(a, b)| a * b).sum();
            scores.push(f64::from(dot));
        }
        let norm = K1 * (1.0 - B + B * f64::from(chunk.length) / mean);
        let mut sums = vec![0.0_f64; questions.len()];
        for (term, count) in chunk.terms {
            for (at, weight) in weights.get(&term).into_iter().flatten() {
                sums[*at] += weight * f64::from(count) / (f64::from(count) + norm);
            }
        }
        bm25.iter_mut().zip(sums).for_each(|(scores, sum)| scores.push(sum));
    }
    let mut exact = Exact { dense: Vec::new(), lexical: Vec::new(), hybrid: Vec::new() };
    for (similarity, bm25) in similarity.iter().zip(&bm25) {
        let (dense, lexical) = (best(similarity, depth), best(bm25, depth));
        exact.hybrid.push(fuse(similarity, bm25, &dense, &lexical, top_k));
        exact.dense.push(dense.into_iter().take(top_k).collect());
        exact.lexical.push(lexical.into_iter().take(top_k).collect());
    }
    exact
}

fn best(scores: &[f64], count: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..scores.len()).filter(|at| scores[*at] > 0.0).collect();
    places.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    places.truncate(count);
    places
}

/// The mean of both min-max scaled scores over both legs' candidates, as the search statement has it.
fn fuse(similarity: &[f64], bm25: &[f64], dense: &[usize], lexical: &[usize], top_k: usize) -> Vec<usize> {
    let mut union: Vec<usize> = dense.iter().chain(lexical).copied().collect();
    union.sort_unstable();
    union.dedup();
    let scaled = |scores: &[f64]| -> Vec<f64> {
        let of = union.iter().map(|at| scores[*at]);
        let (low, high) = of.clone().fold((f64::MAX, f64::MIN), |(l, h), x| (l.min(x), h.max(x)));
        of.map(|x| if high > low { (x - low) / (high - low) } else { 0.0 }).collect()
    };
    let sums: Vec<f64> = scaled(similarity).iter().zip(scaled(bm25)).map(|(a, b)| a + b).collect();
    let mut order: Vec<usize> = (0..union.len()).collect();
    order.sort_by(|a, b| sums[*b].total_cmp(&sums[*a]).then(a.cmp(b)));
    order.into_iter().take(top_k).map(|at| union[at]).collect()
}

/// The share of the right chunks that was found.
pub(super) fn recall(found: &[Vec<usize>], right: &[Vec<usize>]) -> f64 {
    let wanted: usize = right.iter().map(Vec::len).sum();
    let hits =
        found.iter().zip(right).map(|(found, right)| right.iter().filter(|n| found.contains(n)).count());
    hits.sum::<usize>() as f64 / wanted.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_good_in_both_legs_goes_before_the_best_of_either() {
        let (similarity, bm25) = ([0.9, 0.8, 0.1], [0.0, 9.0, 10.0]);
        assert_eq!(fuse(&similarity, &bm25, &[0, 1], &[2, 1], 3)[0], 1);
    }

    #[test]
    fn recall_counts_what_is_missing_whatever_the_order() {
        assert!((recall(&[vec![2, 1]], &[vec![1, 2]]) - 1.0).abs() < 1e-12);
        assert!((recall(&[vec![2, 3]], &[vec![1, 2]]) - 0.5).abs() < 1e-12);
    }
}
