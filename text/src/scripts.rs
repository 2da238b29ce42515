//! Scripts written without spaces between words: which characters they are, and where a cut leaves a word whole.

use unicode_normalization::char::is_combining_mark;

/// Scripts without spaces between words, and Hangul, whose particles are glued to its words.
pub(crate) fn is_unspaced(c: char) -> bool {
    is_ideograph(c)
        || is_hangul(c)
        || is_southeast_asian(c)
        || matches!(c, '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | '\u{30FC}'..='\u{30FE}' | '\u{31F0}'..='\u{31FF}')
}

/// Chinese characters, each a word or a part of one.
pub(crate) fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3005}'..='\u{3007}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{323AF}')
}

pub(crate) fn is_hangul(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11FF}' | '\u{3130}'..='\u{318F}' | '\u{AC00}'..='\u{D7AF}')
}

/// Thai, Lao, Burmese, Khmer: no space between words, and in Thai and Lao no full stop between sentences.
fn is_southeast_asian(c: char) -> bool {
    is_thai_or_lao(c) || matches!(c, '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}')
}

pub(crate) fn is_thai_or_lao(c: char) -> bool {
    matches!(c, '\u{0E01}'..='\u{0EFF}')
}

/// Whether two neighbours belong to one word as far as their scripts tell: a cut between them would break it.
pub(crate) fn join(before: char, after: char) -> bool {
    let word = |c: char| c.is_alphanumeric() || is_combining_mark(c);
    if !word(before) || !word(after) {
        return false;
    }
    if is_combining_mark(after) {
        return true; // a mark belongs to what it stands on
    }
    if is_southeast_asian(after) && is_southeast_asian(before) {
        // A vowel written before its consonant, or after it, is one syllable with it.
        return matches!(before, '\u{0E40}'..='\u{0E44}' | '\u{0EC0}'..='\u{0EC4}')
            || matches!(after, '\u{0E30}'..='\u{0E3A}' | '\u{0E45}'..='\u{0E4E}' | '\u{0EB0}'..='\u{0EBD}' | '\u{0EC6}'..='\u{0ECD}')
            || matches!(before, '\u{1039}' | '\u{17D2}');
    }
    // Hangul words have spaces between them; katakana words are whole runs.
    if is_hangul(before) && is_hangul(after) || is_katakana(before) && is_katakana(after) {
        return true;
    }
    !(is_unspaced(before) || is_unspaced(after))
}

fn is_katakana(c: char) -> bool {
    matches!(c, '\u{30A1}'..='\u{30FA}' | '\u{30FC}'..='\u{30FE}' | '\u{31F0}'..='\u{31FF}')
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn a_cut_leaves_syllables_marks_and_foreign_words_whole() {
        for (before, after, one_word) in [
            ('密', '码', false),
            ('の', '変', false),
            ('パ', 'ス', true),
            ('ー', 'タ', true),
            ('변', '호', true),
            ('ก', '\u{0E32}', true),
            ('เ', 'ม', true),
            ('น', 'ก', false),
            ('e', '\u{301}', true),
            ('a', 'b', true),
            ('a', '字', false),
            ('a', ' ', false),
        ] {
            assert_eq!(join(before, after), one_word, "{before}{after}");
        }
    }
}
