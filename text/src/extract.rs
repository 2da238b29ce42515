//! Extractive answers, the pure part: which sentences of the retrieved passages answer a question, if any.
//!
//! A sentence is supported by the question's terms it contains, each weighed by its inverse document frequency;
//! terms that only its neighbours, its title or its headings contain count for less. Abstaining is part of the
//! contract: a question whose weighty terms the passages do not have is not answered.
//!
//! Overload: passages and sentences beyond the limits below are not looked at; they come last in rank.

mod negation;
mod select;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

pub use select::{Policy, Selected, choose};

use super::analyze::analyze;
use super::language::Language;
use super::sentences::sentences;
use negation::denies;

/// Passages looked at.
pub const MAX_PASSAGES: usize = 20;
/// Sentences looked at in one passage.
pub const MAX_SENTENCES: usize = 100;

/// What a term counts for when only a neighbouring sentence has it.
const NEIGHBOUR: f32 = 0.6;
/// What a term counts for when only the title or a heading has it.
const CONTEXT: f32 = 0.7;

/// A retrieved chunk, best first.
#[derive(Debug, Clone, Copy)]
pub struct Passage<'a> {
    pub text: &'a str,
    /// Title and headings, as in [`super::chunk::Chunk::context`].
    pub context: &'a str,
    /// The retrieval score, between 0 and 1 over the passages of one search.
    pub score: f32,
}

/// The terms of a question with their weights, which sum to 1.
#[derive(Debug, Clone)]
pub struct Question {
    weights: HashMap<String, f32>,
    language: Language,
    denies: bool,
}

impl Question {
    /// `idf` is the inverse document frequency of a term in the searched collections, highest for a term that no
    /// document has.
    pub fn new(text: &str, language: Language, idf: impl Fn(&str) -> f32) -> Self {
        let terms: HashSet<String> = analyze(text, language).into_iter().collect();
        let mut weights: HashMap<String, f32> = terms
            .into_iter()
            .map(|term| (idf(&term).max(0.0), term))
            .map(|(idf, term)| (term, idf))
            .collect();
        let sum: f32 = weights.values().sum();
        if sum > 0.0 && sum.is_finite() {
            weights.values_mut().for_each(|weight| *weight /= sum);
        } else {
            weights.clear();
        }
        Self { weights, language, denies: denies(text, language) }
    }

    /// A question of stop words only has nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    fn found(&self, text: &str) -> HashSet<&str> {
        analyze(text, self.language)
            .iter()
            .filter_map(|term| self.weights.get_key_value(term))
            .map(|(term, _)| term.as_str())
            .collect()
    }
}

/// A sentence that may answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Index into the passages.
    pub passage: usize,
    /// Bytes of the passage's text.
    pub span: Range<usize>,
    /// The share of the question's weight that the sentence itself has.
    pub own: f32,
    /// The same with what its neighbours, title and headings add. Between `own` and 1.
    pub support: f32,
    /// The question denies something and the sentence denies nothing.
    pub contrary: bool,
}

/// Every sentence of the passages with its support, in the order of the passages and of their text. Sentences
/// that have nothing of the question are left in: their meaning may still be near.
pub fn candidates(question: &Question, passages: &[Passage<'_>]) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (position, passage) in passages.iter().take(MAX_PASSAGES).enumerate() {
        let mut context = question.found(passage.context);
        let mut spans = sentences(passage.text);
        spans.truncate(MAX_SENTENCES);
        let found: Vec<HashSet<&str>> =
            spans.iter().map(|span| question.found(&passage.text[span.clone()])).collect();
        for (index, span) in spans.iter().enumerate() {
            let sentence = &passage.text[span.clone()];
            if is_heading(sentence) {
                // Not an answer, but context of what follows it.
                context.extend(&found[index]);
                continue;
            }
            if !sentence.contains(char::is_alphanumeric) {
                continue;
            }
            let before = index.checked_sub(1).and_then(|index| found.get(index));
            let after = found.get(index + 1);
            let near = |term: &str| [before, after].into_iter().flatten().any(|found| found.contains(term));
            let (mut own, mut support) = (0.0, 0.0);
            for (term, weight) in &question.weights {
                if found[index].contains(term.as_str()) {
                    own += weight;
                    support += weight;
                } else if context.contains(term.as_str()) {
                    support += weight * CONTEXT;
                } else if near(term) {
                    support += weight * NEIGHBOUR;
                }
            }
            let contrary = question.denies && !denies(sentence, question.language);
            candidates.push(Candidate { passage: position, span: span.clone(), own, support, contrary });
        }
    }
    candidates
}

fn is_heading(sentence: &str) -> bool {
    sentence.starts_with('#') && sentence.trim_start_matches('#').starts_with(' ')
}

#[cfg(test)]
mod tests;
