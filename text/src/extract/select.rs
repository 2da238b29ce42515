//! From supported sentences to the few that make the answer, or none.

use std::ops::Range;

use super::{Candidate, Passage};

/// When to answer and with how much.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// A sentence below this does not answer; where none reaches it there is no answer. What is held against it is
    /// the support, or where the meaning was compared mostly the cosine: see [`Candidate::judged`]. Higher leaves more
    /// questions unanswered, those with an answer too: the trade-off is in docs/BENCHMARKS.md.
    /// Cosines of other models spread differently; without a threshold of their own, pass none.
    pub min_support: f32,
    /// Sentences of one answer.
    pub max_sentences: usize,
    /// Bytes of one answer. A longer sentence is not quoted.
    pub max_bytes: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self { min_support: 0.48, max_sentences: 3, max_bytes: 2_000 }
    }
}

/// A sentence of the answer, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// Index into the passages.
    pub passage: usize,
    /// Bytes of the passage's text.
    pub span: Range<usize>,
    /// What the choice rests on; higher is better.
    pub score: f32,
}

/// The cosine's share of what decides whether a sentence answers. On SQuAD 2 it tells questions with an answer from
/// those on the same subject without one better than the words do, and the two together better than either.
const MEANING: f32 = 0.65;
/// What a sentence that denies nothing loses for a question that denies something.
const CONTRARY: f32 = 0.25;

impl Candidate {
    /// What decides whether it answers; not how well it does beside others, which is its score.
    fn judged(&self, cosine: Option<f32>) -> f32 {
        let alike = cosine.map_or(self.support, |cosine| (1.0 - MEANING) * self.support + MEANING * cosine);
        if self.contrary { alike - CONTRARY } else { alike }
    }
}

/// How much less a sentence may score than the best and still join the answer.
const JOINS: f32 = 0.6;

/// The sentences that answer, or `None` to abstain. `cosines`, when the embedder was there, are those of the
/// candidates with the question, in their order.
pub fn choose(
    candidates: &[Candidate],
    passages: &[Passage<'_>],
    cosines: Option<&[f32]>,
    policy: &Policy,
) -> Option<Vec<Selected>> {
    let cosine = |index: usize| {
        cosines.and_then(|cosines| cosines.get(index)).copied().filter(|cosine| cosine.is_finite())
    };
    let mut ranked: Vec<(f32, &Candidate)> = candidates
        .iter()
        .enumerate()
        .filter(|(_, candidate)| candidate.span.len() <= policy.max_bytes)
        .filter(|(index, candidate)| candidate.judged(cosine(*index)) >= policy.min_support)
        .filter_map(|(index, candidate)| {
            Some((score(candidate, passages.get(candidate.passage)?, cosine(index)), candidate))
        })
        .collect();
    ranked.sort_by(|(a, first), (b, second)| {
        b.total_cmp(a).then((first.passage, first.span.start).cmp(&(second.passage, second.span.start)))
    });
    let (best, _) = *ranked.first()?;
    let mut bytes = 0;
    let mut selected: Vec<Selected> = Vec::new();
    for (score, candidate) in ranked {
        if selected.len() >= policy.max_sentences || score < best * JOINS {
            break;
        }
        let quote = quote(candidate, passages);
        let repeated = selected.iter().any(|other| {
            passages.get(other.passage).and_then(|passage| passage.text.get(other.span.clone())) == quote
        });
        if repeated || bytes + candidate.span.len() > policy.max_bytes {
            continue;
        }
        bytes += candidate.span.len();
        selected.push(Selected { passage: candidate.passage, span: candidate.span.clone(), score });
    }
    Some(selected)
}

fn quote<'a>(candidate: &Candidate, passages: &[Passage<'a>]) -> Option<&'a str> {
    passages.get(candidate.passage)?.text.get(candidate.span.clone())
}

/// Support, half of it the sentence's own, with what retrieval and meaning say. On SQuAD 2 the best sentence holds
/// the answer for 72 % of the questions without cosines and for 76 % with them at this weight; less and more were worse.
fn score(candidate: &Candidate, passage: &Passage<'_>, cosine: Option<f32>) -> f32 {
    let lexical = 0.5 * candidate.own + 0.5 * candidate.support;
    let contrary = if candidate.contrary { CONTRARY } else { 0.0 };
    lexical + 0.5 * passage.score + cosine.unwrap_or(0.0) - contrary
}
