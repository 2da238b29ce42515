//! Word segmentation for lexical analysis: Unicode words, their parts where they are compounds or identifiers,
//! and character bigrams for scripts written without spaces.

use unicode_segmentation::UnicodeSegmentation;

use crate::scripts::{is_hangul, is_ideograph, is_unspaced};

/// What a sink receives for one stretch of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A word of the text. Words make up the text's length.
    Word,
    /// Another way to write words already reported (`serverport` for `server_port`): it can be found, but does
    /// not make the text longer, so that identifiers do not distort BM25's length normalisation.
    Variant,
    /// One character of a run that is reported as bigrams: a document is found by it (`猫`, `물`), and no query of
    /// more characters asks for it, so that bigrams stay as sharp as they are.
    Single,
}

/// Hyphenated chains up to this many words are also reported joined.
const JOINED_WORDS: usize = 3;

/// A word of more parts than this is no name but a digest or an encoded blob, and is reported whole.
const MOST_PARTS: usize = 12;

/// Reports every word of `text`, in order. `text` is compatibility-normalised and of any case.
pub(super) fn for_each(text: &str, elides: bool, sink: &mut impl FnMut(&str, Form)) {
    let mut chain = Chain::default();
    let mut run = Run::default();
    for segment in text.split_word_bounds() {
        let Some(first) = segment.chars().find(|c| c.is_alphanumeric()) else {
            run.flush(sink);
            if segment == "-" {
                chain.hyphen();
            } else {
                chain.flush(sink);
            }
            continue;
        };
        if is_unspaced(first) || segment.chars().any(is_unspaced) {
            chain.flush(sink);
            run.extend(segment, sink);
            continue;
        }
        run.flush(sink);
        if elides && segment.contains('\'') {
            segment.split('\'').for_each(|part| word(part, sink));
            chain.flush(sink);
            continue;
        }
        word(segment, sink);
        chain.word(segment, sink);
    }
    run.flush(sink);
    chain.flush(sink);
}

/// One Unicode word: a plain word, a number, or an identifier with parts.
fn word(word: &str, sink: &mut impl FnMut(&str, Form)) {
    if word.is_empty() {
        return;
    }
    if word.bytes().all(|b| b.is_ascii_lowercase()) {
        return sink(word, Form::Word);
    }
    let word = unpossessed(word);
    if is_numeric(word) {
        return number(word, sink);
    }
    if (Parts { rest: word }).nth(MOST_PARTS).is_some() {
        return sink(word, Form::Word);
    }
    let (mut parts, mut named) = (0usize, 0usize);
    let mut whole = String::new();
    for part in (Parts { rest: word }) {
        let part = singular(part);
        parts += 1;
        whole.push_str(part);
        if names_something(part, word) {
            named += 1;
            sink(part, Form::Word);
        }
    }
    if named == 0 {
        sink(&whole, Form::Word);
    } else if parts > 1 {
        sink(&whole, Form::Variant);
    }
}

/// A single letter of a compound (`m` of `mRNA`, `U` of `U.S.`) names nothing by itself; a digit does.
fn names_something(part: &str, word: &str) -> bool {
    part.len() == word.len() || part.chars().nth(1).is_some() || part.bytes().all(|b| b.is_ascii_digit())
}

fn unpossessed(word: &str) -> &str {
    word.strip_suffix("'s").or_else(|| word.strip_suffix("'S")).unwrap_or(word)
}

/// `DNAs`, `PCRs`: stemmers take the `s` of such short words for a part of the name.
fn singular(part: &str) -> &str {
    match part.strip_suffix('s') {
        Some(acronym) if acronym.len() > 1 && acronym.chars().all(char::is_uppercase) => acronym,
        _ => part,
    }
}

fn is_numeric(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b',')
}

/// `1,234` is 1234 and `3,14` is 3.14; a version such as `0.8.4` is also found as `0.8`.
fn number(word: &str, sink: &mut impl FnMut(&str, Form)) {
    let grouped = word.contains(',')
        && word.split('.').next().unwrap_or_default().split(',').skip(1).all(|group| group.len() == 3);
    let plain = if grouped { word.replace(',', "") } else { word.replace(',', ".") };
    sink(&plain, Form::Word);
    if plain.bytes().filter(|&b| b == b'.').count() >= 2
        && let Some((release, _)) = plain.rsplit_once('.')
    {
        sink(release, Form::Variant);
    }
}

/// The parts of an identifier: cut at `_`, `.` and `:`, where lower case turns into upper, and between letters
/// and digits.
struct Parts<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start_matches(|c: char| !c.is_alphanumeric() && !is_mark(c));
        if self.rest.is_empty() {
            return None;
        }
        let mut end = self.rest.len();
        let mut previous: Option<char> = None;
        let mut chars = self.rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c == '\'' {
                // `don't`, `O'Brien`: one word.
                previous = Some(c);
                continue;
            }
            if !c.is_alphanumeric() && !is_mark(c) {
                end = at;
                break;
            }
            let next = chars.peek().map(|&(_, next)| next);
            if previous.is_some_and(|previous| starts_part(previous, c, next, &self.rest[at..])) {
                end = at;
                break;
            }
            previous = Some(c);
        }
        let (part, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(part)
    }
}

/// `serverPort` cuts before `P`; `HTTPServer` before `S`; `IL6` before `6`; `DNAs` not at all.
fn starts_part(previous: char, c: char, next: Option<char>, rest: &str) -> bool {
    if c.is_numeric() != previous.is_numeric() {
        return previous.is_alphanumeric();
    }
    if !c.is_uppercase() {
        return false;
    }
    previous.is_lowercase()
        || (previous.is_uppercase()
            && next.is_some_and(char::is_lowercase)
            && rest.chars().nth(2).is_some_and(char::is_lowercase))
}

fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// Words joined by hyphens, reported joined as well: `TNF-alpha` is found by `TNFalpha`, `max-tokens` by `maxTokens`.
#[derive(Default)]
struct Chain {
    joined: String,
    words: usize,
    open: bool,
}

impl Chain {
    fn word(&mut self, word: &str, sink: &mut impl FnMut(&str, Form)) {
        if !self.open {
            self.flush(sink);
        }
        self.open = false;
        self.words += 1;
        if self.words <= JOINED_WORDS {
            self.joined.push_str(word);
        }
    }

    fn hyphen(&mut self) {
        self.open = self.words > 0 && !self.open;
        if !self.open {
            self.words = JOINED_WORDS + 1;
        }
    }

    fn flush(&mut self, sink: &mut impl FnMut(&str, Form)) {
        if (2..=JOINED_WORDS).contains(&self.words) && self.joined.chars().all(char::is_alphanumeric) {
            sink(&self.joined, Form::Variant);
        }
        self.joined.clear();
        self.words = 0;
        self.open = false;
    }
}

/// A run of a script written without spaces, reported as overlapping pairs of characters: the usual choice
/// where no dictionary is at hand. A lone character is reported as it is.
#[derive(Default)]
struct Run {
    previous: String,
    pairs: usize,
}

impl Run {
    fn extend(&mut self, segment: &str, sink: &mut impl FnMut(&str, Form)) {
        for cluster in segment.graphemes(true) {
            let unspaced = cluster.chars().next().is_some_and(is_unspaced);
            if !unspaced {
                self.flush(sink);
                if cluster.chars().any(char::is_alphanumeric) {
                    sink(cluster, Form::Word);
                }
                continue;
            }
            if !self.previous.is_empty() {
                if self.pairs == 0 {
                    single(&self.previous, sink);
                }
                single(cluster, sink);
                self.previous.push_str(cluster);
                sink(&self.previous, Form::Word);
                self.pairs += 1;
            }
            self.previous.clear();
            self.previous.push_str(cluster);
        }
    }

    fn flush(&mut self, sink: &mut impl FnMut(&str, Form)) {
        if !self.previous.is_empty() && self.pairs == 0 {
            sink(&self.previous, Form::Word);
        }
        self.previous.clear();
        self.pairs = 0;
    }
}

/// Only characters that are words by themselves: a letter of Thai or kana says nothing.
fn single(cluster: &str, sink: &mut impl FnMut(&str, Form)) {
    if cluster.chars().all(|c| is_ideograph(c) || is_hangul(c)) {
        sink(cluster, Form::Single);
    }
}
