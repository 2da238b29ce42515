//! What a search should have found: every chunk compared, no index, no budget.
//!
//! On all cores, and with no more kept than the best of each leg, so that a million chunks are possible.

use super::requests::Question;
use super::synthetic::Recipe;
use mcp_rag_text::analyze::term_counts;
use mcp_rag_text::language::Language;
use std::collections::HashMap;
use std::ops::Range;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// The best chunks of each question, best first.
pub(super) struct Exact {
    pub(super) dense: Vec<Vec<usize>>,
    pub(super) lexical: Vec<Vec<usize>>,
    pub(super) hybrid: Vec<Vec<usize>>,
}

/// Which questions ask for a term, and how much it weighs in each.
type Weights = HashMap<u32, Vec<(usize, f64)>>;

/// Compares every question with each of the recipe's first `chunks`.
pub(super) fn search(
    recipe: &Recipe,
    chunks: usize,
    questions: &[&Question],
    top_k: usize,
    depth: usize,
) -> Exact {
    let counted = on_all_cores(chunks, |range| count(recipe, range));
    let mut frequency: HashMap<u32, u32> = HashMap::new();
    let mut total = 0;
    for (part, length) in counted {
        total += length;
        part.into_iter().for_each(|(term, df)| *frequency.entry(term).or_insert(0) += df);
    }
    let mean = total as f64 / chunks.max(1) as f64;
    let weights = weigh(recipe, chunks, questions, &frequency);
    let parts = on_all_cores(chunks, |range| compare(recipe, range, questions, &weights, mean, depth));
    let mut legs: Vec<Legs> = questions.iter().map(|_| Legs::new(depth)).collect();
    for part in parts {
        legs.iter_mut().zip(part).for_each(|(all, legs)| all.merge(legs));
    }
    let mut exact = Exact { dense: Vec::new(), lexical: Vec::new(), hybrid: Vec::new() };
    for legs in legs {
        let (dense, lexical) = (legs.dense.sorted(), legs.lexical.sorted());
        exact.hybrid.push(fuse(&dense, &lexical, top_k));
        let first = |leg: Vec<Scored>| leg.into_iter().take(top_k).map(|scored| scored.chunk).collect();
        exact.dense.push(first(dense));
        exact.lexical.push(first(lexical));
    }
    exact
}

/// The nearest of those chunks that `keep` lets through, best first.
pub(super) fn nearest(
    recipe: &Recipe,
    chunks: usize,
    questions: &[&Question],
    top_k: usize,
    keep: impl Fn(usize) -> bool + Sync,
) -> Vec<Vec<usize>> {
    let parts = on_all_cores(chunks, |range| {
        let mut best: Vec<Best> = questions.iter().map(|_| Best::new(top_k)).collect();
        for n in range.filter(|n| keep(*n)) {
            let chunk = recipe.chunk(n);
            for (question, best) in questions.iter().zip(&mut best) {
                let similarity = f64::from(dot(&question.embedding, &chunk.embedding));
                best.offer(Scored { chunk: n, score: similarity, similarity, bm25: 0.0 });
            }
        }
        best
    });
    let mut all: Vec<Best> = questions.iter().map(|_| Best::new(top_k)).collect();
    for part in parts {
        let pairs = all.iter_mut().zip(part);
        pairs.for_each(|(all, part)| part.kept.into_iter().for_each(|scored| all.offer(scored)));
    }
    all.into_iter().map(|best| best.sorted().into_iter().map(|scored| scored.chunk).collect()).collect()
}

fn on_all_cores<T: Send>(chunks: usize, work: impl Fn(Range<usize>) -> T + Sync) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let each = chunks.div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let work = &work;
        let parts: Vec<_> = (0..chunks)
            .step_by(each)
            .map(|first| scope.spawn(move || work(first..chunks.min(first + each))))
            .collect();
        parts.into_iter().filter_map(|part| part.join().ok()).collect()
    })
}

/// In how many chunks each term is, and the chunks' length together.
fn count(recipe: &Recipe, range: Range<usize>) -> (HashMap<u32, u32>, u64) {
    let mut frequency: HashMap<u32, u32> = HashMap::new();
    let mut total = 0_u64;
    for n in range {
        let chunk = recipe.chunk(n);
        total += u64::from(chunk.length);
        chunk.terms.into_iter().for_each(|(term, _)| *frequency.entry(term).or_insert(0) += 1);
    }
    (frequency, total)
}

fn weigh(recipe: &Recipe, chunks: usize, questions: &[&Question], frequency: &HashMap<u32, u32>) -> Weights {
    let asked: Vec<HashMap<String, u32>> = questions
        .iter()
        .map(|question| term_counts(&question.text, Language::English).terms.into_iter().collect())
        .collect();
    let mut weights = Weights::new();
    for (term, df) in frequency {
        let idf = (1.0 + (chunks as f64 - f64::from(*df) + 0.5) / (f64::from(*df) + 0.5)).ln();
        for (at, terms) in asked.iter().enumerate() {
            if let Some(count) = terms.get(recipe.term(*term)) {
                weights.entry(*term).or_default().push((at, idf * f64::from(*count)));
            }
        }
    }
    weights
}

fn compare(
    recipe: &Recipe,
    range: Range<usize>,
    questions: &[&Question],
    weights: &Weights,
    mean: f64,
    depth: usize,
) -> Vec<Legs> {
    let mut legs: Vec<Legs> = questions.iter().map(|_| Legs::new(depth)).collect();
    let mut bm25 = vec![0.0_f64; questions.len()];
    for n in range {
        let chunk = recipe.chunk(n);
        let norm = K1 * (1.0 - B + B * f64::from(chunk.length) / mean);
        bm25.fill(0.0);
        for (term, count) in chunk.terms {
            for (at, weight) in weights.get(&term).into_iter().flatten() {
                bm25[*at] += weight * f64::from(count) / (f64::from(count) + norm);
            }
        }
        for ((question, legs), bm25) in questions.iter().zip(&mut legs).zip(&bm25) {
            let similarity = f64::from(dot(&question.embedding, &chunk.embedding));
            legs.dense.offer(Scored { chunk: n, score: similarity, similarity, bm25: *bm25 });
            legs.lexical.offer(Scored { chunk: n, score: *bm25, similarity, bm25: *bm25 });
        }
    }
    legs
}

/// With several sums at a time, which the compiler turns into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    for (a, b) in a.chunks_exact(16).zip(b.chunks_exact(16)) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    let tail = a.chunks_exact(16).remainder().iter().zip(b.chunks_exact(16).remainder());
    sums.iter().sum::<f32>() + tail.map(|(a, b)| a * b).sum::<f32>()
}

/// A candidate of a leg with its scores in both.
#[derive(Debug, Clone, Copy)]
struct Scored {
    chunk: usize,
    score: f64,
    similarity: f64,
    bm25: f64,
}

/// The best of those offered.
struct Best {
    depth: usize,
    least: f64,
    kept: Vec<Scored>,
}

impl Best {
    fn new(depth: usize) -> Self {
        Self { depth, least: 0.0, kept: Vec::with_capacity(depth * 2) }
    }

    /// One that scores nothing is none.
    fn offer(&mut self, scored: Scored) {
        if scored.score <= 0.0 || scored.score < self.least {
            return;
        }
        self.kept.push(scored);
        if self.kept.len() >= self.depth * 2 {
            self.prune();
        }
    }

    fn prune(&mut self) {
        self.kept.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.chunk.cmp(&b.chunk)));
        self.kept.truncate(self.depth);
        if self.kept.len() == self.depth {
            self.least = self.kept.last().map_or(0.0, |last| last.score);
        }
    }

    fn sorted(mut self) -> Vec<Scored> {
        self.prune();
        self.kept
    }
}

struct Legs {
    dense: Best,
    lexical: Best,
}

impl Legs {
    fn new(depth: usize) -> Self {
        Self { dense: Best::new(depth), lexical: Best::new(depth) }
    }

    fn merge(&mut self, other: Self) {
        other.dense.kept.into_iter().for_each(|scored| self.dense.offer(scored));
        other.lexical.kept.into_iter().for_each(|scored| self.lexical.offer(scored));
    }
}

/// The mean of both min-max scaled scores over both legs' candidates, as the search statement has it.
fn fuse(dense: &[Scored], lexical: &[Scored], top_k: usize) -> Vec<usize> {
    let mut union: Vec<Scored> = dense.iter().chain(lexical).copied().collect();
    union.sort_by_key(|scored| scored.chunk);
    union.dedup_by_key(|scored| scored.chunk);
    let scaled = |of: fn(&Scored) -> f64| -> Vec<f64> {
        let (low, high) = union.iter().map(of).fold((f64::MAX, f64::MIN), |(l, h), x| (l.min(x), h.max(x)));
        union.iter().map(of).map(|x| if high > low { (x - low) / (high - low) } else { 0.0 }).collect()
    };
    let (by_meaning, by_words) = (scaled(|scored| scored.similarity), scaled(|scored| scored.bm25));
    let sums: Vec<f64> = by_meaning.iter().zip(by_words).map(|(a, b)| a + b).collect();
    let mut order: Vec<usize> = (0..union.len()).collect();
    order.sort_by(|a, b| sums[*b].total_cmp(&sums[*a]).then(a.cmp(b)));
    order.into_iter().take(top_k).map(|at| union[at].chunk).collect()
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
        let scored = |chunk, score, similarity, bm25| Scored { chunk, score, similarity, bm25 };
        let dense = [scored(0, 0.9, 0.9, 0.0), scored(1, 0.8, 0.8, 9.0)];
        let lexical = [scored(2, 10.0, 0.1, 10.0), scored(1, 9.0, 0.8, 9.0)];
        assert_eq!(fuse(&dense, &lexical, 3)[0], 1);
    }

    #[test]
    fn the_best_are_kept_however_many_are_offered() {
        let mut best = Best::new(3);
        for n in 0..1000_usize {
            let score = ((n * 7919) % 1000) as f64;
            best.offer(Scored { chunk: n, score, similarity: 0.0, bm25: 0.0 });
        }
        let scores: Vec<f64> = best.sorted().iter().map(|scored| scored.score).collect();
        assert_eq!(scores, [999.0, 998.0, 997.0]);
    }

    #[test]
    fn recall_counts_what_is_missing_whatever_the_order() {
        assert!((recall(&[vec![2, 1]], &[vec![1, 2]]) - 1.0).abs() < 1e-12);
        assert!((recall(&[vec![2, 3]], &[vec![1, 2]]) - 0.5).abs() < 1e-12);
    }
}
