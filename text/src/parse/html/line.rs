//! One line of text, as a browser would show it.

/// A line of text in which runs of white space are one space, as a browser shows them.
#[derive(Default)]
pub(super) struct Line {
    pub(super) text: String,
}

impl Line {
    pub(super) fn words(&mut self, text: &str) {
        if text.starts_with(|c: char| c.is_whitespace()) {
            self.space();
        }
        let mut words = text.split_whitespace().peekable();
        let any = words.peek().is_some();
        while let Some(word) = words.next() {
            self.text.push_str(word);
            if words.peek().is_some() {
                self.text.push(' ');
            }
        }
        if any && text.ends_with(|c: char| c.is_whitespace()) {
            self.space();
        }
    }

    pub(super) fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with([' ', '\n']) {
            self.text.push(' ');
        }
    }

    pub(super) fn end(&mut self) {
        self.text.truncate(self.text.trim_end_matches(' ').len());
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    pub(super) fn code(&mut self, code: &str) {
        if !code.is_empty() {
            self.text.push('`');
            self.text.push_str(code);
            self.text.push('`');
        }
    }
}
