//! Words to pieces: the longest known piece first.

use std::{
    collections::HashMap,
    ops::{ControlFlow, Range},
};

use super::normalise::Word;

/// The pieces the model knows.
pub(super) struct Vocabulary {
    /// Pieces that start a word.
    first: HashMap<Box<str>, u32>,
    /// Pieces inside a word, without their prefix.
    inner: HashMap<Box<str>, u32>,
    unknown: u32,
    longest_piece: usize,
}

impl Vocabulary {
    pub(super) fn new(pieces: &HashMap<String, u32>, prefix: &str, unknown: u32) -> Self {
        let (mut first, mut inner) = (HashMap::new(), HashMap::new());
        let mut longest_piece = 1;
        for (piece, id) in pieces {
            longest_piece = longest_piece.max(piece.len());
            match piece.strip_prefix(prefix).filter(|rest| !rest.is_empty()) {
                Some(rest) => inner.insert(rest.into(), *id),
                None => first.insert(piece.as_str().into(), *id),
            };
        }
        Self { first, inner, unknown, longest_piece }
    }

    /// Hands the pieces of `word` to `token`, or the unknown token if any part of it is not known.
    pub(super) fn split(
        &self,
        word: &Word,
        token: &mut impl FnMut(u32, Range<usize>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        // Most words are one piece.
        if !word.too_long
            && let Some(&id) = self.first.get(word.text.as_str())
        {
            return token(id, word.span.clone());
        }
        let Some(pieces) = self.pieces(word) else {
            return token(self.unknown, word.span.clone());
        };
        let mut characters = word.characters.iter().peekable();
        for (id, end) in pieces {
            let Some((_, span)) = characters.next() else { break };
            let mut span = span.clone();
            while let Some((_, last)) = characters.next_if(|(at, _)| *at < end) {
                span.end = span.end.max(last.end);
            }
            token(id, span)?;
        }
        ControlFlow::Continue(())
    }

    /// The ids of the pieces and where each ends.
    fn pieces(&self, word: &Word) -> Option<Vec<(u32, usize)>> {
        if word.too_long {
            return None;
        }
        let (text, mut start, mut pieces) = (word.text.as_str(), 0, Vec::new());
        while start < text.len() {
            let known = if start == 0 { &self.first } else { &self.inner };
            let longest = text.len().min(start + self.longest_piece);
            let (id, end) = (start + 1..=longest)
                .rev()
                .filter(|end| text.is_char_boundary(*end))
                .find_map(|end| known.get(&text[start..end]).map(|id| (*id, end)))?;
            pieces.push((id, end));
            start = end;
        }
        Some(pieces)
    }
}
