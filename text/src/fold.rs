//! Character folding for lexical terms: what makes `Café`, `CAFE` and `cafe` one term.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// Compatibility-normalises a whole text before segmentation, so that full-width letters, ligatures and
/// typographic apostrophes segment as their plain forms. ASCII text is borrowed.
pub(super) fn compatible(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter_map(plain_character).nfkc().filter(|&c| !is_silent(c)).collect())
}

fn plain_character(c: char) -> Option<char> {
    match c {
        c if is_silent(c) => None,
        '\u{2018}' | '\u{2019}' | '\u{201B}' | '\u{02BC}' | '\u{FF07}' | '\u{0060}' | '\u{00B4}' => {
            Some('\'')
        }
        '\u{2010}' | '\u{2011}' => Some('-'),
        // NFKC would glue these to the word before them: `Name™` is not `NameTM`.
        '™' | '℠' | '®' | '©' => Some(' '),
        _ => Some(c),
    }
}

/// Soft hyphens, zero-width characters, tatweel and Arabic vowel signs carry no lexical meaning.
fn is_silent(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{0640}' | '\u{064B}'..='\u{0652}')
}

/// Removes accents from Latin and Greek letters and unifies their variants. Marks of other scripts are left
/// alone: in Devanagari they are vowels.
pub(super) fn without_accents(word: &str) -> Cow<'_, str> {
    if word.is_ascii() {
        return Cow::Borrowed(word);
    }
    let mut folded = String::with_capacity(word.len());
    let mut base_is_foldable = false;
    for c in word.chars() {
        decompose_canonical(c, |part| {
            if is_combining_mark(part) && ('\u{0300}'..='\u{036F}').contains(&part) {
                if !base_is_foldable {
                    folded.push(part);
                }
                return;
            }
            base_is_foldable = is_latin_or_greek(part);
            match part {
                'ß' | 'ẞ' => folded.push_str("ss"),
                'æ' => folded.push_str("ae"),
                'œ' => folded.push_str("oe"),
                'þ' => folded.push_str("th"),
                'ø' => folded.push('o'),
                'đ' | 'ð' => folded.push('d'),
                'ł' => folded.push('l'),
                'ı' => folded.push('i'),
                'ς' => folded.push('σ'),
                other => folded.push(other),
            }
        });
    }
    // Marks that were kept belong back on their letters (`й`, `が`).
    Cow::Owned(folded.nfc().map(|c| if c == 'ё' { 'е' } else { c }).collect())
}

fn is_latin_or_greek(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '\u{00C0}'..='\u{024F}' | '\u{0370}'..='\u{03FF}' | '\u{1E00}'..='\u{1FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_fold_in_latin_and_greek_and_stay_elsewhere() {
        assert_eq!(without_accents("café"), "cafe");
        assert_eq!(without_accents("straße"), "strasse");
        assert_eq!(without_accents("ελλάς"), "ελλασ");
        assert_eq!(without_accents("йод"), "йод");
        assert_eq!(without_accents("ёлка"), "елка");
        assert_eq!(without_accents("हिन्दी"), "हिन्दी");
        assert_eq!(without_accents("が"), "が");
    }

    #[test]
    fn compatibility_forms_become_plain_before_segmentation() {
        assert_eq!(compatible("ｆｕｌｌ　ｗｉｄｔｈ"), "full width");
        assert_eq!(compatible("o\u{2019}clock"), "o'clock");
        assert_eq!(compatible("co\u{AD}operate"), "cooperate");
    }
}
