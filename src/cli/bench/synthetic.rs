//! Any number of chunks that look like real ones: sentences of a real text recombined, with embeddings
//! between those of real sentences. Chunk `n` is the same whenever it is asked for, so nothing is kept.

use super::dice::Dice;
use mcp_rag_text::analyze::term_counts;
use mcp_rag_text::language::Language;
use std::collections::HashMap;

/// Chunks of one document.
pub(super) const PER_DOCUMENT: usize = 20;
/// Changed whenever the same seed would make other chunks.
pub(super) const RECIPE: u32 = 4;
const SHORTEST: usize = 120;
const LONGEST: usize = 200;
/// How far a chunk lies from the mixture of its sentences, against unit length. Little: noise in every
/// direction is what real embeddings do not have, and makes any index miss more than it would.
const NOISE: f32 = 0.05;

/// A sentence as the lexical index sees it.
#[derive(Debug)]
struct Analysed {
    words: usize,
    terms: Vec<(u32, u32)>,
    length: u32,
}

#[derive(Debug)]
pub(super) struct Recipe {
    sentences: Vec<String>,
    analysed: Vec<Analysed>,
    vocabulary: Vec<String>,
    /// Of the first sentences, as many as there are.
    embeddings: Vec<Vec<f32>>,
}

pub(super) struct SyntheticChunk {
    /// Sentences by their place in the recipe.
    pub(super) sentences: Vec<usize>,
    /// Distinct terms by their place in the vocabulary, with their counts.
    pub(super) terms: Vec<(u32, u32)>,
    pub(super) length: u32,
    pub(super) embedding: Vec<f32>,
}

impl Recipe {
    /// `embeddings` are those of the first of the `sentences`.
    pub(super) fn new(sentences: Vec<String>, embeddings: Vec<Vec<f32>>) -> Self {
        let mut places: HashMap<String, u32> = HashMap::new();
        let mut vocabulary = Vec::new();
        let mut analysed = Vec::with_capacity(sentences.len());
        for sentence in &sentences {
            let counts = term_counts(sentence, Language::English);
            let mut terms = Vec::with_capacity(counts.terms.len());
            for (term, count) in counts.terms {
                let next = u32::try_from(vocabulary.len()).unwrap_or(u32::MAX);
                let place = *places.entry(term.clone()).or_insert_with(|| {
                    vocabulary.push(term);
                    next
                });
                terms.push((place, count));
            }
            analysed.push(Analysed { words: sentence.split(' ').count(), terms, length: counts.length });
        }
        Self { sentences, analysed, vocabulary, embeddings }
    }

    pub(super) fn chunk(&self, n: usize) -> SyntheticChunk {
        let mut dice = Dice::new(n as u64 + 1);
        let known = self.embeddings.len();
        let [first, second, third] = [(); 3].map(|()| dice.below(known));
        let share = 0.5 + dice.unit() / 2.0;
        let wanted = SHORTEST + dice.below(LONGEST - SHORTEST);
        let mut sentences = vec![first, second, third];
        let mut words: usize = sentences.iter().map(|at| self.analysed[*at].words).sum();
        while words < wanted {
            let next = dice.below(self.sentences.len());
            words += self.analysed[next].words;
            sentences.push(next);
        }
        let mut counts: HashMap<u32, u32> = HashMap::new();
        for (term, count) in sentences.iter().flat_map(|at| &self.analysed[*at].terms) {
            *counts.entry(*term).or_insert(0) += count;
        }
        let mut terms: Vec<(u32, u32)> = counts.into_iter().collect();
        terms.sort_unstable();
        let length = sentences.iter().map(|at| self.analysed[*at].length).sum();
        let mut mixed = vec![0.0; self.embeddings[first].len()];
        for (at, weight) in [(first, share), (second, (1.0 - share) * 0.7), (third, (1.0 - share) * 0.3)] {
            mixed.iter_mut().zip(&self.embeddings[at]).for_each(|(sum, x)| *sum += x * weight);
        }
        SyntheticChunk { sentences, terms, length, embedding: near(&mixed, NOISE, &mut dice) }
    }

    pub(super) fn text(&self, chunk: &SyntheticChunk) -> String {
        chunk.sentences.iter().map(|at| self.sentences[*at].as_str()).collect::<Vec<_>>().join(" ")
    }

    pub(super) fn term(&self, place: u32) -> &str {
        &self.vocabulary[place as usize]
    }
}

/// A unit vector in the neighbourhood of another.
pub(super) fn near(vector: &[f32], noise: f32, dice: &mut Dice) -> Vec<f32> {
    let scale = noise / (vector.len() as f32).sqrt();
    let mut moved: Vec<f32> = vector.iter().map(|x| x + dice.normal() * scale).collect();
    let norm = moved.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    moved.iter_mut().for_each(|x| *x /= norm);
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        let sentences =
            (0..50).map(|n| format!("sentence {n} tells of foxes and of hens number{n}")).collect();
        let embeddings =
            (0..10).map(|n| (0..8).map(|at| if at == n % 8 { 1.0 } else { 0.1 }).collect()).collect();
        Recipe::new(sentences, embeddings)
    }

    #[test]
    fn a_chunk_is_the_same_every_time_and_unlike_its_neighbour() {
        let recipe = recipe();
        let (once, again, next) = (recipe.chunk(7), recipe.chunk(7), recipe.chunk(8));
        assert_eq!(recipe.text(&once), recipe.text(&again));
        assert_eq!(once.embedding, again.embedding);
        assert_ne!(recipe.text(&once), recipe.text(&next));
    }

    #[test]
    fn a_chunk_has_the_words_the_terms_and_the_unit_length_of_a_real_one() {
        let recipe = recipe();
        let chunk = recipe.chunk(3);
        let text = recipe.text(&chunk);
        assert!((SHORTEST..LONGEST + 160).contains(&text.split(' ').count()));
        let counted = term_counts(&text, Language::English);
        assert_eq!(chunk.length, counted.length);
        assert_eq!(chunk.terms.len(), counted.terms.len());
        for (place, count) in &chunk.terms {
            assert!(counted.terms.contains(&(recipe.term(*place).to_owned(), *count)));
        }
        let norm: f32 = chunk.embedding.iter().map(|x| x * x).sum();
        assert!((norm - 1.0).abs() < 1e-5);
    }
}
