//! Lines of standard input, each bounded.

use std::io::{self, BufRead};

#[derive(Debug)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// It was read to its end and forgotten.
    TooLong,
}

pub(super) struct Lines<R> {
    input: R,
    most: usize,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R, most: usize) -> Self {
        Self { input, most }
    }

    /// The next line without its end, nothing at the end of input.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        let (mut line, mut too_long, mut begun) = (Vec::new(), false, false);
        loop {
            let piece = self.input.fill_buf()?;
            if piece.is_empty() {
                let line = if too_long { Line::TooLong } else { Line::Whole(line) };
                return Ok(begun.then_some(line));
            }
            begun = true;
            let end = piece.iter().position(|byte| *byte == b'\n');
            let text = &piece[..end.unwrap_or(piece.len())];
            too_long |= line.len() + text.len() > self.most;
            if too_long {
                line = Vec::new();
            } else {
                line.extend_from_slice(text);
            }
            let used = end.map_or(piece.len(), |end| end + 1);
            self.input.consume(used);
            if end.is_some() {
                return Ok(Some(if too_long { Line::TooLong } else { Line::Whole(line) }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_costs_no_other() {
        let text = format!("one\n{}\ntwo\r\n\nlast", "x".repeat(100_000));
        let mut lines = Lines::new(text.as_bytes(), 10);
        let mut seen = Vec::new();
        while let Some(line) = lines.next().expect("memory") {
            seen.push(match line {
                Line::Whole(line) => String::from_utf8(line).expect("text"),
                Line::TooLong => "…".to_owned(),
            });
        }
        assert_eq!(seen, ["one", "…", "two\r", "", "last"]);
    }
}
