//! The lexical analyzer: text to the terms BM25 counts.
//!
//! Documents and queries pass through the same function, so a term matches exactly when both sides reduce to it. Only
//! single characters of Chinese, Japanese and Korean differ: documents hold them besides their bigrams, as
//! [`term_counts`] says, and a query asks for one when it is one.
//! Changing anything here changes the terms of stored chunks: collections must be ingested again.

use std::collections::HashMap;

use snowball_stemmers_rs::Stemmer;

use super::fold::{compatible, without_accents};
use super::language::Language;
use super::stopwords::StopWords;
use super::words::{self, Form};

/// Longer terms (encoded blobs, mostly) are cut to this many characters, on both sides.
pub const MAX_TERM_CHARS: usize = 64;

/// The terms of one text with their counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TermCounts {
    /// Distinct terms in order of first appearance.
    pub terms: Vec<(String, u32)>,
    /// The text's length for BM25: its words without stop words, variants of identifiers not counted.
    pub length: u32,
}

/// The terms of a query, or of a text that is compared with one, in order, repeats included.
pub fn analyze(text: &str, language: Language) -> Vec<String> {
    let mut terms = Vec::new();
    for_each_term(text, language, |term, form| {
        if form != Form::Single {
            terms.push(term);
        }
    });
    terms
}

/// Counts the terms of a text to be indexed.
pub fn term_counts(text: &str, language: Language) -> TermCounts {
    let mut positions: HashMap<String, usize> = HashMap::new();
    let mut counts = TermCounts::default();
    for_each_term(text, language, |term, form| {
        if form == Form::Word {
            counts.length = counts.length.saturating_add(1);
        }
        if let Some((_, count)) = positions.get(&term).and_then(|&position| counts.terms.get_mut(position)) {
            *count = count.saturating_add(1);
            return;
        }
        positions.insert(term.clone(), counts.terms.len());
        counts.terms.push((term, 1));
    });
    counts
}

fn for_each_term(text: &str, language: Language, mut sink: impl FnMut(String, Form)) {
    let reducer = Reducer { language, stemmer: language.stemmer(), stop_words: language.stop_words() };
    let text = compatible(text);
    words::for_each(&text, language.elides(), &mut |word, form| {
        if let Some(term) = reducer.term(word) {
            sink(term, form);
        }
    });
}

/// Reduces one word to its term.
struct Reducer {
    language: Language,
    stemmer: Option<Stemmer>,
    stop_words: StopWords,
}

impl Reducer {
    fn term(&self, word: &str) -> Option<String> {
        let mut lowered = self.lowercase(word);
        lowered.retain(|c| c != '\'');
        if lowered.is_empty() {
            return None;
        }
        if let Some((cut, _)) = lowered.char_indices().nth(MAX_TERM_CHARS) {
            lowered.truncate(cut);
        }
        if self.language.folds_before_stemming() {
            lowered = folded(lowered);
        }
        if self.stop_words.contains(&lowered) {
            return None;
        }
        let stemmed = match &self.stemmer {
            Some(stemmer) if lowered.chars().all(char::is_alphabetic) || !lowered.is_ascii() => {
                stemmer.stem(&lowered).into_owned()
            }
            _ => lowered,
        };
        let term = if self.language.folds_before_stemming() { stemmed } else { folded(stemmed) };
        (!term.is_empty()).then_some(term)
    }

    fn lowercase(&self, word: &str) -> String {
        if word.is_ascii() {
            return word.to_ascii_lowercase();
        }
        if self.language == Language::Turkish {
            return word.replace('I', "ı").replace('İ', "i").to_lowercase();
        }
        word.to_lowercase()
    }
}

fn folded(word: String) -> String {
    if word.is_ascii() { word } else { without_accents(&word).into_owned() }
}

#[cfg(test)]
mod tests;
