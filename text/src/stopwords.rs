//! Stop words: function words that say nothing about what a text is about.

use std::collections::HashSet;
use std::sync::OnceLock;

use super::fold::without_accents;
use super::language::Language;

/// The stop words of one language. Empty for languages without a list.
#[derive(Clone, Copy)]
pub(super) struct StopWords(Option<&'static HashSet<String>>);

impl StopWords {
    /// `word` is lowercase and without apostrophes.
    pub(super) fn contains(self, word: &str) -> bool {
        self.0.is_some_and(|words| words.contains(word))
    }
}

/// Snowball's English list (the one PostgreSQL ships) with its contractions as one word. Question words belong to
/// it: passages rarely contain "what" or "how", so their high inverse document frequency would reward the wrong
/// passages. Left out on purpose are the letters other lists add for the ends of contractions (`d`, `t`, `s`):
/// "vitamin D" and "T cell" need theirs.
const ENGLISH: &str = "i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers \
herself it its itself they them their theirs themselves what which who whom whose this that these those am is are was were be \
been being have has had having do does did doing a an the and but if or because as until while of at by for with about \
against between into through during before after above below to from up down in out on off over under again further then once \
here there when where why how all any both each few more most other some such no nor not only own same so than too very can \
will just should now could would may might must shall also \
dont doesnt didnt isnt arent wasnt werent hasnt havent hadnt wont wouldnt cant cannot couldnt shouldnt mustnt shant neednt \
im ive youre youve youll youd hes shes theyre theyve theyll theyd weve thats whats whos wheres heres theres lets ie eg etc";

/// The stop words of `language`.
pub(super) fn of(language: Language) -> StopWords {
    static LISTS: OnceLock<Vec<Option<HashSet<String>>>> = OnceLock::new();
    let lists = LISTS.get_or_init(|| Language::ALL.iter().map(|&language| load(language)).collect());
    let position = Language::ALL.iter().position(|&known| known == language);
    StopWords(position.and_then(|index| lists.get(index)).and_then(Option::as_ref))
}

fn load(language: Language) -> Option<HashSet<String>> {
    if language == Language::English {
        return Some(ENGLISH.split_ascii_whitespace().map(str::to_owned).collect());
    }
    let listed = stop_words::lookup(language.code())?;
    // With and without accents, because people type both.
    let forms = listed.iter().flat_map(|word| {
        let joined = word.to_lowercase().replace(['\'', '’'], "");
        [without_accents(&joined).into_owned(), joined]
    });
    Some(forms.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_languages_have_a_list_and_simple_has_none() {
        for (code, word) in [
            ("en", "the"),
            ("de", "der"),
            ("fr", "les"),
            ("es", "el"),
            ("it", "il"),
            ("pt", "os"),
            ("ru", "и"),
            ("nl", "het"),
        ] {
            assert!(of(Language::from_setting(code)).contains(word), "{code}");
        }
        assert!(!of(Language::Simple).contains("the"));
    }

    #[test]
    fn letters_that_name_things_are_not_stop_words() {
        for word in ["d", "t", "c", "k", "b"] {
            assert!(!of(Language::English).contains(word));
        }
    }
}
