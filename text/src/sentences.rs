//! Sentence boundaries: Unicode's rules, corrected for abbreviations, initials and lines that are not sentences, and
//! for Thai and Lao, which end a sentence with a space.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::scripts::is_thai_or_lao;

/// The sentences of `text`: in order, without surrounding white space, holding every visible character.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut open: Option<Range<usize>> = None;
    for (start, piece) in text.split_sentence_bound_indices() {
        let visible = trimmed(piece, start);
        if visible.is_empty() {
            continue;
        }
        open = Some(match open {
            Some(sentence)
                if continues(
                    &text[sentence.clone()],
                    &text[sentence.end..visible.start],
                    &text[visible.clone()],
                ) =>
            {
                sentence.start..visible.end
            }
            finished => {
                found.extend(finished.into_iter().flat_map(|sentence| at_spaces(text, sentence)));
                visible
            }
        });
    }
    found.extend(open.into_iter().flat_map(|sentence| at_spaces(text, sentence)));
    found
}

/// Thai and Lao write a space where a sentence ends, and within one around numbers and lists: a part of at least so
/// many bytes (about twenty syllables) is long enough to be one.
const SPACED_SENTENCE: usize = 180;

/// A Thai or Lao sentence cut at the spaces that may end one; any other as it is.
fn at_spaces(text: &str, sentence: Range<usize>) -> Vec<Range<usize>> {
    let body = &text[sentence.clone()];
    if body.len() < SPACED_SENTENCE || !body.contains(is_thai_or_lao) {
        return vec![sentence];
    }
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, space) in body.char_indices().filter(|(_, c)| c.is_whitespace()) {
        let letters = |c: Option<char>| c.is_some_and(is_thai_or_lao);
        let before = body[..at].chars().next_back();
        let after = body[at + space.len_utf8()..].chars().next();
        if at >= start + SPACED_SENTENCE && letters(before) && letters(after) {
            parts.push(trimmed(&body[start..at], sentence.start + start));
            start = at + space.len_utf8();
        }
    }
    parts.push(trimmed(&body[start..], sentence.start + start));
    parts
}

fn trimmed(piece: &str, at: usize) -> Range<usize> {
    let start = at + (piece.len() - piece.trim_start().len());
    start..start.max(at + piece.trim_end().len())
}

/// Whether the boundary Unicode sees between `body` and `next`, with `gap` between them, is none.
fn continues(body: &str, gap: &str, next: &str) -> bool {
    let lines = gap.chars().filter(|c| matches!(c, '\n' | '\u{2029}')).count();
    if lines > 1 || (lines == 1 && (stands_alone(last_line(body)) || starts_line(next))) {
        return false;
    }
    if !body.ends_with(is_terminal) && !body.trim_end_matches(is_closing).ends_with(is_terminal) {
        // A wrapped line.
        return lines == 1;
    }
    is_abbreviated(body, next)
}

fn is_terminal(c: char) -> bool {
    matches!(
        c,
        '.' | '!'
            | '?'
            | '…'
            | ':'
            | '。'
            | '！'
            | '？'
            | '．'
            | '｡'
            | '।'
            | '॥'
            | '؟'
            | '۔'
            | '።'
            | '։'
            | '။'
            | '។'
    )
}

fn is_closing(c: char) -> bool {
    matches!(c, '"' | '\'' | ')' | ']' | '}' | '”' | '’' | '»' | '*' | '_' | '`' | '」' | '』' | '）')
}

/// How far back a line or a word is looked for, so that boundaries cost constant time.
const LOOK_BACK: usize = 200;

fn last_line(body: &str) -> &str {
    let tail = tail(body);
    tail.rsplit('\n').next().unwrap_or(tail).trim_start()
}

fn tail(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(LOOK_BACK))..]
}

/// Lines complete in themselves: headings, table rows, fences.
fn stands_alone(line: &str) -> bool {
    line.starts_with(['#', '|']) || line.starts_with("```") || line.starts_with("~~~")
}

/// Lines that start something: list items, and lines complete in themselves.
fn starts_line(line: &str) -> bool {
    let bulleted = ["- ", "* ", "+ ", "• ", "> "].iter().any(|mark| line.starts_with(mark));
    let digits = line.bytes().take(4).take_while(u8::is_ascii_digit).count();
    let numbered =
        digits > 0 && line[digits..].starts_with([')', '.']) && line[digits + 1..].starts_with(' ');
    bulleted || numbered || stands_alone(line)
}

/// Abbreviations that a name, a number or a list follows; the next word's capital says nothing.
const ABBREVIATIONS: &[&str] = &[
    "adm", "al", "approx", "art", "bros", "ca", "capt", "cf", "chap", "ch", "col", "cmdr", "dept", "dr",
    "ed", "eds", "e.g", "eg", "eq", "eqs", "esp", "est", "fig", "figs", "fr", "gen", "gov", "hon", "i.e",
    "ie", "jr", "lt", "maj", "mr", "mrs", "ms", "mt", "nr", "pp", "prof", "ref", "refs", "rep", "resp",
    "rev", "sec", "sen", "sgt", "sr", "st", "tab", "viz", "vol", "vs", "bzw", "z.b", "d.h", "u.a", "mme",
    "mlle", "sra",
];

/// Abbreviations only before a number: `No. 5`, `p. 7`, `Jan. 3`.
const BEFORE_NUMBERS: &[&str] = &[
    "no", "nos", "p", "n", "v", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov",
    "dec", "c",
];

fn is_abbreviated(body: &str, next: &str) -> bool {
    let Some(stem) = body.strip_suffix('.') else {
        return false;
    };
    let word = tail(stem).rsplit(|c: char| !(c.is_alphanumeric() || c == '.')).next().unwrap_or_default();
    let mut letters = word.chars();
    let initial = matches!((letters.next(), letters.next()), (Some(c), None) if c.is_uppercase());
    // `J. Smith`, but not `vitamin C. It` nor `Plan B. Then`: an initial follows a name, a start or another initial.
    if initial {
        let before = stem[..stem.len() - word.len()].trim_end();
        return before.is_empty() || before.ends_with(['.', ',', '(', '&']) || initials_follow(before);
    }
    let lowered = word.to_lowercase();
    let number = next.starts_with(|c: char| c.is_ascii_digit());
    ABBREVIATIONS.contains(&lowered.as_str()) || (number && BEFORE_NUMBERS.contains(&lowered.as_str()))
}

/// A capitalised word before an initial makes it part of a name (`George W. Bush`), unless that word names a kind.
fn initials_follow(before: &str) -> bool {
    let word = tail(before).rsplit(char::is_whitespace).next().unwrap_or_default();
    let kind = matches!(
        word.to_lowercase().as_str(),
        "plan"
            | "vitamin"
            | "type"
            | "group"
            | "class"
            | "part"
            | "section"
            | "appendix"
            | "option"
            | "hepatitis"
    );
    word.starts_with(char::is_uppercase) && !kind
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn sentences_end_at_their_full_stops() {
        assert_eq!(split("One. Two! Three? Four"), ["One.", "Two!", "Three?", "Four"]);
        assert_eq!(split("He said \"No.\" Then left."), ["He said \"No.\"", "Then left."]);
    }

    #[test]
    fn abbreviations_initials_and_decimals_do_not_end_them() {
        for whole in [
            "Dr. Smith met Mr. Jones.",
            "As shown by Li et al. The".trim_end_matches(" The"),
            "See Fig. 3 and Eq. 4.",
            "George W. Bush won.",
            "J. R. R. Tolkien wrote it.",
            "It costs 3.5 dollars in v0.8.4 today.",
            "Some fruit, e.g. Apples, is red.",
            "On Jan. 5 it was No. 7.",
        ] {
            assert_eq!(split(whole), [whole]);
        }
        assert_eq!(split("Take vitamin C. It helps."), ["Take vitamin C.", "It helps."]);
    }

    #[test]
    fn wrapped_lines_join_and_list_items_do_not() {
        assert_eq!(split("A long\nline wraps. Next"), ["A long\nline wraps.", "Next"]);
        assert_eq!(
            split("# Head\nText\n- one\n- two\n1. three\n\nEnd"),
            ["# Head", "Text", "- one", "- two", "1. three", "End"]
        );
        assert_eq!(split("no stop\n\nnew paragraph"), ["no stop", "new paragraph"]);
    }

    #[test]
    fn chinese_and_japanese_stops_need_no_space() {
        assert_eq!(split("今天下雨。明天晴！好吗？"), ["今天下雨。", "明天晴！", "好吗？"]);
        assert_eq!(
            split("「はい。」彼は言った。それだけだ｡次"),
            ["「はい。」", "彼は言った。", "それだけだ｡", "次"]
        );
        assert_eq!(split("오늘 비가 온다. 내일은 맑다."), ["오늘 비가 온다.", "내일은 맑다."]);
        assert_eq!(split("यह एक है। यह दो है।"), ["यह एक है।", "यह दो है।"]);
        assert_eq!(split("ខ្ញុំទៅ។ អ្នកមក។"), ["ខ្ញុំទៅ។", "អ្នកមក។"]);
    }

    #[test]
    fn thai_sentences_end_at_spaces_once_they_are_long_enough_to_be_sentences() {
        let one = "ฐานข้อมูลของเราเก็บข้อมูลที่สำคัญที่สุดของบริษัทและลูกค้าทุกคนไว้อย่างปลอดภัย";
        assert!(one.len() > SPACED_SENTENCE);
        assert_eq!(split(&format!("{one} {one} {one}")), [one, one, one]);
        assert_eq!(split("ราคา 5 บาท และ 10 บาท"), ["ราคา 5 บาท และ 10 บาท"]);
    }

    #[test]
    fn hostile_text_is_split_in_linear_time() {
        for piece in [
            ".",
            "a.",
            ". ",
            "a. )",
            "\n",
            "\na",
            "A. ",
            "1.",
            "?\"",
            "e.g. ",
            "a.\u{300}",
            ". \t",
            "a.\"\"\"\"",
            "a. 1",
            "ก ",
            "ก",
        ] {
            let started = std::time::Instant::now();
            let text = format!("a.{}", piece.repeat(300_000 / piece.len()));
            let _ = sentences(&text);
            assert!(started.elapsed().as_secs() < 5, "{piece:?} took {:?}", started.elapsed());
        }
    }

    proptest! {
        #[test]
        fn every_visible_character_is_in_one_sentence(text in "(\\PC|\n|[.?! ก]){0,300}") {
            let mut at = 0;
            for span in sentences(&text) {
                prop_assert!(span.start >= at && span.start < span.end);
                prop_assert!(text[at..span.start].trim().is_empty());
                at = span.end;
            }
            prop_assert!(text[at..].trim().is_empty());
        }
    }
}
