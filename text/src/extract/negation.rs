//! Whether a text denies something.
//!
//! Terms and cosines see no difference between "may" and "may not". A question that denies is not answered by a
//! sentence that affirms, however alike they are.

use crate::language::Language;

const ENGLISH: [&str; 18] = [
    "not", "no", "never", "none", "nobody", "nothing", "neither", "nor", "without", "cannot", "unlike",
    "except", "unable", "fail", "fails", "failed", "lack", "lacks",
];

/// Known for English alone; elsewhere nothing is taken for a denial.
pub(super) fn denies(text: &str, language: Language) -> bool {
    if language != Language::English {
        return false;
    }
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '’'))).any(|word| {
        let word = word.to_lowercase();
        ENGLISH.contains(&word.as_str()) || word.ends_with("n't") || word.ends_with("n’t")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_are_whole_words_and_contractions() {
        for text in ["Which may not enter?", "It doesn't rain", "It DIDN’T.", "Nobody came", "no-one"] {
            assert!(denies(text, Language::English), "{text}");
        }
        for text in ["A notable knot", "The Norman north", "Answer now", "", "nota bene"] {
            assert!(!denies(text, Language::English), "{text}");
        }
        assert!(!denies("no", Language::German));
    }
}
