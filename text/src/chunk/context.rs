//! The context of a chunk: its document's title and the headings above it.

use std::sync::Arc;

use super::TokenSpans;

/// Title and headings, one a line, within `max_tokens`. What does not fit is left out from the outermost heading
/// on, because inner headings say more about the chunk; a single line too long is cut after a word.
///
/// A heading that repeats the title is not said twice.
pub fn context_prefix(
    title: Option<&str>,
    headings: &[String],
    max_tokens: usize,
    tokens: &dyn TokenSpans,
) -> String {
    let title = title.map(str::trim).filter(|title| !title.is_empty());
    let repeats = |heading: &str| title.is_some_and(|title| title.eq_ignore_ascii_case(heading.trim()));
    let mut left = max_tokens;
    // With headings to show, the title may take half.
    let inner: Vec<&str> = headings.iter().map(String::as_str).filter(|heading| !repeats(heading)).collect();
    let share = if inner.is_empty() { left } else { left.div_ceil(2) };
    let title = title.map(|title| first_words(title, share, tokens)).unwrap_or_default();
    left = left.saturating_sub(tokens.spans(title).len());
    let mut kept = Vec::new();
    for heading in inner.iter().rev() {
        let line = first_words(heading, left, tokens);
        if line.is_empty() || (line.len() < heading.len() && !kept.is_empty()) {
            break;
        }
        left = left.saturating_sub(tokens.spans(line).len());
        kept.push(line);
    }
    if !title.is_empty() {
        kept.push(title);
    }
    kept.reverse();
    kept.join("\n")
}

/// The longest start of `line` that ends with a word and has at most `max_tokens`.
pub fn first_words<'a>(line: &'a str, max_tokens: usize, tokens: &dyn TokenSpans) -> &'a str {
    let spans = tokens.spans(line);
    let Some(over) = spans.get(max_tokens) else {
        return line.trim();
    };
    let fits = line.get(..over.start).unwrap_or_default();
    if fits.ends_with(char::is_whitespace) {
        return fits.trim();
    }
    fits.rfind(char::is_whitespace).map_or("", |end| fits[..end].trim())
}

/// Contexts of consecutive chunks, which mostly share one.
pub(super) struct Contexts<'a> {
    title: Option<&'a str>,
    max_tokens: usize,
    tokens: &'a dyn TokenSpans,
    last: Option<Context>,
}

#[derive(Clone)]
pub(super) struct Context {
    pub text: Arc<str>,
    pub tokens: usize,
    headings: Vec<String>,
    titled: bool,
}

impl<'a> Contexts<'a> {
    pub(super) fn new(title: Option<&'a str>, max_tokens: usize, tokens: &'a dyn TokenSpans) -> Self {
        Self { title, max_tokens, tokens, last: None }
    }

    /// The context of a chunk with these headings above it. `shown` is the heading its own text starts with.
    pub(super) fn of(&mut self, headings: &[String], shown: Option<&str>) -> Context {
        let titled = shown.is_none_or(|shown| {
            self.title.is_none_or(|title| !title.trim().eq_ignore_ascii_case(shown.trim()))
        });
        if let Some(last) = &self.last
            && last.titled == titled
            && last.headings == headings
        {
            return last.clone();
        }
        let text = context_prefix(self.title.filter(|_| titled), headings, self.max_tokens, self.tokens);
        let context = Context {
            tokens: self.tokens.spans(&text).len(),
            text: text.into(),
            headings: headings.to_vec(),
            titled,
        };
        self.last = Some(context.clone());
        context
    }
}
