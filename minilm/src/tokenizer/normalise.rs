//! Text to words: cleaning, accents, lower case, and splitting at white space, punctuation and ideographs.
//!
//! The reference normalises the whole text in four passes, then splits it twice. Here each character goes through all of
//! it at once. Only canonical reordering looks beyond one character, and only at combining marks that are kept.

use std::ops::{ControlFlow, Range};

use unicode_categories::UnicodeCategories;
use unicode_normalization_alignments::char::{canonical_combining_class, decompose_canonical};

/// What the normaliser of `tokenizer.json` does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) clean: bool,
    pub(super) split_ideographs: bool,
    pub(super) strip_accents: bool,
    pub(super) lowercase: bool,
    /// Characters beyond which a word is unknown as a whole.
    pub(super) longest_word: usize,
}

/// A normalised word. Its characters are remembered only up to one more than the longest word that can be known.
pub(super) struct Word {
    pub(super) text: String,
    /// For each character: its first byte in `text`, and the bytes of the original text it came from.
    pub(super) characters: Vec<(usize, Range<usize>)>,
    /// The bytes of the original text the whole word came from.
    pub(super) span: Range<usize>,
    pub(super) too_long: bool,
}

/// Splits text into words, reusing the memory of one.
pub(super) struct Words {
    rules: Rules,
    word: Word,
    /// Combining marks waiting to be ordered.
    marks: Vec<(u8, char, Range<usize>)>,
}

impl Words {
    pub(super) fn new(rules: Rules) -> Self {
        let word = Word { text: String::new(), characters: Vec::new(), span: 0..0, too_long: false };
        Self { rules, word, marks: Vec::new() }
    }

    /// Hands each word of `text` to `found`; `offset` is added to all spans.
    pub(super) fn split(
        &mut self,
        text: &str,
        offset: usize,
        mut found: impl FnMut(&Word) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.clear();
        for (at, character) in text.char_indices() {
            let span = offset + at..offset + at + character.len_utf8();
            if character.is_ascii() {
                self.order_marks(&mut found)?;
                self.ascii(character, span, &mut found)?;
            } else {
                self.unicode(character, span, &mut found)?;
            }
        }
        self.order_marks(&mut found)?;
        self.finish(&mut found)
    }

    fn ascii(
        &mut self,
        character: char,
        span: Range<usize>,
        found: &mut impl FnMut(&Word) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if character.is_ascii_control() && self.rules.clean && !matches!(character, '\t' | '\n' | '\r') {
            return ControlFlow::Continue(());
        }
        let character = if self.rules.lowercase { character.to_ascii_lowercase() } else { character };
        self.place(character, span, found)
    }

    fn unicode(
        &mut self,
        character: char,
        span: Range<usize>,
        found: &mut impl FnMut(&Word) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if self.rules.clean && (character == '\u{fffd}' || character.is_other()) {
            return ControlFlow::Continue(());
        }
        let alone = self.rules.split_ideographs && is_ideograph(character);
        if alone {
            self.order_marks(found)?;
            self.finish(found)?;
        }
        if self.rules.strip_accents {
            let (mut parts, mut count) = (['\0'; 8], 0);
            decompose_canonical(character, |part| {
                parts[count.min(7)] = part;
                count += 1;
            });
            for &part in &parts[..count.min(8)] {
                if part.is_mark_nonspacing() {
                    continue;
                }
                match canonical_combining_class(part) {
                    0 => {
                        self.order_marks(found)?;
                        self.lower(part, span.clone(), found)?;
                    }
                    // Beyond this many the word is too long to be known, whatever their order.
                    class if self.marks.len() <= self.rules.longest_word => {
                        self.marks.push((class, part, span.clone()));
                    }
                    _ => {}
                }
            }
        } else {
            self.lower(character, span, found)?;
        }
        if alone {
            self.order_marks(found)?;
            self.finish(found)?;
        }
        ControlFlow::Continue(())
    }

    /// Lets waiting marks through in canonical order.
    fn order_marks(&mut self, found: &mut impl FnMut(&Word) -> ControlFlow<()>) -> ControlFlow<()> {
        if self.marks.is_empty() {
            return ControlFlow::Continue(());
        }
        let mut marks = std::mem::take(&mut self.marks);
        marks.sort_by_key(|(class, ..)| *class);
        for (_, mark, span) in marks.drain(..) {
            self.lower(mark, span, found)?;
        }
        self.marks = marks;
        ControlFlow::Continue(())
    }

    fn lower(
        &mut self,
        character: char,
        span: Range<usize>,
        found: &mut impl FnMut(&Word) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if !self.rules.lowercase {
            return self.place(character, span, found);
        }
        for lower in character.to_lowercase() {
            self.place(lower, span.clone(), found)?;
        }
        ControlFlow::Continue(())
    }

    fn place(
        &mut self,
        character: char,
        span: Range<usize>,
        found: &mut impl FnMut(&Word) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if character.is_whitespace() {
            return self.finish(found);
        }
        if character.is_ascii_punctuation() || (!character.is_ascii() && character.is_punctuation()) {
            self.finish(found)?;
            self.push(character, span);
            return self.finish(found);
        }
        self.push(character, span);
        ControlFlow::Continue(())
    }

    fn push(&mut self, character: char, span: Range<usize>) {
        let word = &mut self.word;
        if word.characters.is_empty() {
            word.span = span.clone();
        }
        word.span.end = word.span.end.max(span.end);
        if word.characters.len() < self.rules.longest_word {
            word.characters.push((word.text.len(), span));
            word.text.push(character);
        } else {
            word.too_long = true;
        }
    }

    fn finish(&mut self, found: &mut impl FnMut(&Word) -> ControlFlow<()>) -> ControlFlow<()> {
        if self.word.characters.is_empty() {
            return ControlFlow::Continue(());
        }
        let flow = found(&self.word);
        self.clear();
        flow
    }

    fn clear(&mut self) {
        self.word.text.clear();
        self.word.characters.clear();
        self.word.too_long = false;
    }
}

/// The blocks BERT sets apart: Chinese ideographs, but neither kana nor hangul.
fn is_ideograph(character: char) -> bool {
    matches!(
        character,
        '\u{4e00}'..='\u{9fff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{20000}'..='\u{2a6df}'
            | '\u{2a700}'..='\u{2b73f}'
            | '\u{2b740}'..='\u{2b81f}'
            | '\u{2b920}'..='\u{2ceaf}'
            | '\u{f900}'..='\u{faff}'
            | '\u{2f800}'..='\u{2fa1f}'
    )
}
