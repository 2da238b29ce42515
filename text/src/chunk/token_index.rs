//! Token counts of any span of one text, from a single tokenisation.

use std::ops::Range;

use super::TokenSpans;

pub(super) struct TokenIndex<'a> {
    spans: Vec<Range<usize>>,
    tokenizer: &'a dyn TokenSpans,
}

impl<'a> TokenIndex<'a> {
    pub(super) fn new(text: &str, tokenizer: &'a dyn TokenSpans) -> Self {
        let mut spans = tokenizer.spans(text);
        spans.retain(|span| span.start < span.end && text.get(span.clone()).is_some());
        // Counting searches by both ends, so both must be in order. Several tokens may share a character's bytes.
        let (mut start, mut end) = (0, 0);
        for span in &mut spans {
            start = span.start.max(start);
            end = span.end.max(end);
            *span = start..end;
        }
        Self { spans, tokenizer }
    }

    /// Tokens that lie in `span`, wholly or in part.
    pub(super) fn count(&self, span: Range<usize>) -> usize {
        self.range(span).len()
    }

    /// The tokens that lie in `span`.
    pub(super) fn tokens(&self, span: Range<usize>) -> &[Range<usize>] {
        self.spans.get(self.range(span)).unwrap_or_default()
    }

    /// Tokens of a text read by itself; a cut inside a word changes them.
    pub(super) fn count_alone(&self, text: &str) -> usize {
        self.tokenizer.spans(text).len()
    }

    fn range(&self, span: Range<usize>) -> Range<usize> {
        let first = self.spans.partition_point(|token| token.end <= span.start);
        let last = self.spans.partition_point(|token| token.start < span.end);
        first..last.max(first)
    }
}
