//! Verifies, while an answer is being written, that each `[n]` in it is true.
//!
//! A mark survives only when passage `n` exists and holds a sentence that supports the words before
//! the mark; the quote is cut out of the passage's own bytes. Every other mark is removed and
//! counted. What is sent never has to be taken back: text from an open bracket on is held until it
//! is known whether it is a mark. The result does not depend on how the text was cut into deltas.

use mcp_rag_actors::generator::Passage;
use mcp_rag_text::analyze::analyze;
use mcp_rag_text::language::Language;
use mcp_rag_text::sentences::sentences;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// Share of a claim's terms that the quoted sentence must hold.
const SUPPORT: f32 = 0.5;
/// `[123]`: a longer bracket is no mark.
const MAX_MARK: usize = 5;

/// A verified citation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verified {
    /// Index into the passages.
    pub(super) passage: usize,
    /// Bytes of the passage's text.
    pub(super) quote: Range<usize>,
    /// Bytes of the answer: the claim that is cited.
    pub(super) claim: Range<usize>,
}

pub(super) struct Verifier {
    passages: Arc<[Passage]>,
    languages: Vec<Language>,
    /// What has been sent.
    pub(super) answer: String,
    held: String,
    claim_start: usize,
    pub(super) citations: Vec<Verified>,
    pub(super) invented: usize,
}

impl Verifier {
    /// `languages` are those of the passages, in order.
    pub(super) fn new(passages: Arc<[Passage]>, languages: Vec<Language>) -> Self {
        Self {
            passages,
            languages,
            answer: String::new(),
            held: String::new(),
            claim_start: 0,
            citations: Vec::new(),
            invented: 0,
        }
    }

    /// Takes a delta and returns what may be sent now.
    pub(super) fn push(&mut self, delta: &str) -> String {
        let from = self.answer.len();
        for character in delta.chars() {
            self.step(character);
        }
        self.answer[from..].to_owned()
    }

    /// The end of the answer: whatever is held is text.
    pub(super) fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        self.answer.push_str(&held);
        held
    }

    fn step(&mut self, character: char) {
        if self.held.is_empty() {
            match character {
                '[' => self.held.push('['),
                _ => self.text(character),
            }
            return;
        }
        match character {
            ']' if self.held.len() > 1 => {
                let number = self.held[1..].parse().unwrap_or(0);
                self.held.clear();
                self.mark(number);
            }
            '0'..='9' if self.held.len() < MAX_MARK => self.held.push(character),
            _ => {
                let held = std::mem::take(&mut self.held);
                for before in held.chars() {
                    self.text(before);
                }
                self.step(character);
            }
        }
    }

    fn text(&mut self, character: char) {
        // A claim reaches back to the mark or the line before it.
        if character == '\n' {
            self.answer.push(character);
            self.claim_start = self.answer.len();
        } else {
            self.answer.push(character);
        }
    }

    fn mark(&mut self, number: usize) {
        let claim = self.claim();
        let quote = number.checked_sub(1).and_then(|passage| Some((passage, self.support(passage, &claim)?)));
        let Some((passage, quote)) = quote else {
            self.invented += 1;
            return;
        };
        self.citations.push(Verified { passage, quote, claim: claim.clone() });
        self.answer.push_str(&format!("[{number}]"));
    }

    /// What the mark stands for: the text since the line's start or the last sentence's end.
    fn claim(&self) -> Range<usize> {
        let text = &self.answer[self.claim_start..];
        let last = sentences(text).pop().unwrap_or(0..text.len());
        let claim = without_marks_behind(&text[last.clone()]);
        let start = self.claim_start + last.start;
        if claim.is_empty() { start..self.claim_start + last.end } else { start..start + claim.len() }
    }

    /// The sentence of the passage that supports the claim best, if any does.
    fn support(&self, passage: usize, claim: &Range<usize>) -> Option<Range<usize>> {
        let text = &self.passages.get(passage)?.text;
        let claimed = without_marks(&self.answer[claim.clone()]);
        // A verbatim quote needs no further proof, and most extractive answers are just that.
        let verbatim = claimed.trim();
        if let Some(start) = (!verbatim.is_empty()).then(|| text.find(verbatim)).flatten() {
            return Some(start..start + verbatim.len());
        }
        let language = *self.languages.get(passage)?;
        let terms: HashSet<String> = analyze(&claimed, language).into_iter().collect();
        if terms.is_empty() {
            return None;
        }
        let share = |span: &Range<usize>| {
            let held: HashSet<String> = analyze(&text[span.clone()], language).into_iter().collect();
            terms.intersection(&held).count() as f32 / terms.len() as f32
        };
        let spans = sentences(text);
        let best = spans.into_iter().map(|span| (share(&span), span)).max_by(|a, b| a.0.total_cmp(&b.0))?;
        (best.0 >= SUPPORT).then_some(best.1)
    }
}

/// `Fact.[1][2]` → `Fact.`
fn without_marks_behind(text: &str) -> &str {
    let mut text = text.trim_end();
    while let Some(open) = text.rfind('[') {
        let mark = &text[open..];
        if !mark.ends_with(']') || !mark[1..mark.len() - 1].bytes().all(|byte| byte.is_ascii_digit()) {
            break;
        }
        text = text[..open].trim_end();
    }
    text
}

fn without_marks(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, from) = rest.split_at(open);
        clean.push_str(before);
        let digits = from[1..].bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && from[1 + digits..].starts_with(']') {
            rest = &from[digits + 2..];
        } else {
            clean.push('[');
            rest = &from[1..];
        }
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verifier() -> Verifier {
        let passage = |text: &str| Passage {
            title: String::new(),
            context: String::new(),
            text: text.to_owned(),
            score: 1.0,
        };
        let passages: Arc<[Passage]> = Arc::new([
            passage("Cats sleep. The quick brown fox jumps over the lazy dog every morning."),
            passage("Rust has no garbage collector."),
        ]);
        Verifier::new(passages, vec![Language::from_setting("en"); 2])
    }

    fn verify(deltas: &[&str]) -> Verifier {
        let mut verifier = verifier();
        let mut sent = String::new();
        for delta in deltas {
            sent.push_str(&verifier.push(delta));
        }
        sent.push_str(&verifier.finish());
        assert_eq!(sent, verifier.answer);
        verifier
    }

    #[test]
    fn a_supported_mark_stays_and_quotes_the_passage_itself() {
        let verified =
            verify(&["The brown fox jumps over a dog [", "1]. Rust has no garbage collector. [2]"]);
        assert_eq!(verified.answer, "The brown fox jumps over a dog [1]. Rust has no garbage collector. [2]");
        let quotes: Vec<&str> = verified
            .citations
            .iter()
            .map(|cited| &verified.passages[cited.passage].text[cited.quote.clone()])
            .collect();
        assert_eq!(
            quotes,
            ["The quick brown fox jumps over the lazy dog every morning.", "Rust has no garbage collector."]
        );
        assert_eq!(verified.invented, 0);
    }

    #[test]
    fn an_invented_passage_and_an_unsupported_claim_lose_their_marks() {
        let verified = verify(&["Foxes jump.[7] Penguins fly to the moon.[1]"]);
        assert_eq!(verified.answer, "Foxes jump. Penguins fly to the moon.");
        assert_eq!((verified.citations.len(), verified.invented), (0, 2));
    }

    #[test]
    fn brackets_that_are_no_marks_are_text() {
        let text = "see [the fox], a[12, x[] and [123456] [";
        assert_eq!(verify(&[text]).answer, text);
    }

    proptest! {
        #[test]
        fn the_result_does_not_depend_on_how_the_answer_is_cut(
            pieces in proptest::collection::vec("(The fox jumps over the dog|\\[1\\]|\\[2\\]|\\[9\\]|\\[|\\]|1|é|\\.| |\n){0,4}", 0..8)
        ) {
            let whole = pieces.concat();
            let characters: Vec<String> = whole.chars().map(String::from).collect();
            let single: Vec<&str> = characters.iter().map(String::as_str).collect();
            let (a, b) = (verify(&[&whole]), verify(&single));
            prop_assert_eq!(&a.answer, &b.answer);
            prop_assert_eq!(&a.citations, &b.citations);
            for cited in &a.citations {
                prop_assert!(a.passages[cited.passage].text.get(cited.quote.clone()).is_some());
                prop_assert!(a.answer.get(cited.claim.clone()).is_some());
            }
        }
    }
}
