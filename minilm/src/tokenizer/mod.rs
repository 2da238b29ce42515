//! BERT's WordPiece tokenizer, as `tokenizer.json` describes it.
//!
//! Results are identical to the reference implementation (the Unicode tables are the same crates). Unlike it, the text
//! is walked once without being copied: memory is bounded by one word, time is linear, and [`Tokenizer::encode`] stops
//! as soon as the truncated encoding is full.

mod definition;
mod normalise;
mod vocabulary;

use std::{
    ops::{ControlFlow, Range},
    path::Path,
    sync::Arc,
};

use aho_corasick::AhoCorasick;

use crate::{LoadError, config::Config};
use definition::Definition;
use normalise::{Rules, Words};
use vocabulary::Vocabulary;

/// Turns text into token ids. Cheap to clone.
#[derive(Clone)]
pub struct Tokenizer(Arc<Inner>);

struct Inner {
    vocabulary: Vocabulary,
    rules: Rules,
    /// Special tokens such as `[SEP]` that are recognised in the text itself.
    special: AhoCorasick,
    special_ids: Vec<u32>,
    start: u32,
    end: u32,
    max_tokens: usize,
}

/// The token ids of one text, special tokens included and truncated to what the model reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding(Vec<u32>);

impl Encoding {
    /// The ids, `[CLS]` first and `[SEP]` last.
    pub fn ids(&self) -> &[u32] {
        &self.0
    }

    /// The number of ids; at least 2.
    #[expect(clippy::len_without_is_empty, reason = "it never is: there always are [CLS] and [SEP]")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Tokenizer {
    /// Loads the tokenizer alone from a model's directory; its `model.safetensors` is not needed.
    ///
    /// # Errors
    /// If a file is missing or damaged.
    pub fn from_directory(directory: &Path) -> Result<Self, LoadError> {
        let config = Config::load(directory)?;
        Self::load(&directory.join("tokenizer.json"), config.max_tokens, config.vocab_size)
    }

    pub(crate) fn load(path: &Path, max_tokens: usize, vocab_size: usize) -> Result<Self, LoadError> {
        let Definition { vocabulary, rules, special, start, end } = Definition::load(path, vocab_size)?;
        let (patterns, special_ids): (Vec<_>, Vec<_>) = special.into_iter().unzip();
        let special = AhoCorasick::builder()
            .match_kind(aho_corasick::MatchKind::LeftmostLongest)
            .build(patterns)
            .map_err(|error| LoadError::invalid(path, error.to_string()))?;
        Ok(Self(Arc::new(Inner { vocabulary, rules, special, special_ids, start, end, max_tokens })))
    }

    /// The most tokens an [`Encoding`] holds, `[CLS]` and `[SEP]` included.
    pub fn max_tokens(&self) -> usize {
        self.0.max_tokens
    }

    /// The ids of `text`, truncated to [`Tokenizer::max_tokens`]. Text beyond the truncation is not even looked at.
    pub fn encode(&self, text: &str) -> Encoding {
        let room = self.0.max_tokens - 1;
        // A token takes three bytes or more on average; a rare denser text grows the vector once.
        let mut ids = Vec::with_capacity(self.0.max_tokens.min(text.len() / 3 + 4));
        ids.push(self.0.start);
        self.walk(text, |id, _| {
            if ids.len() == room {
                return ControlFlow::Break(());
            }
            ids.push(id);
            ControlFlow::Continue(())
        });
        ids.push(self.0.end);
        Encoding(ids)
    }

    /// The bytes of `text` each of its tokens covers, ordered by their starts; no special tokens are added and nothing
    /// is truncated. Spans overlap where one character makes several tokens, as a Hangul syllable can.
    pub fn offsets(&self, text: &str) -> Vec<Range<usize>> {
        let mut offsets = Vec::with_capacity(text.len() / 4);
        let mut earliest = 0;
        self.walk(text, |_, span| {
            // Only the canonical reordering of combining marks could lead backwards.
            earliest = span.start.max(earliest);
            offsets.push(earliest..span.end.max(earliest));
            ControlFlow::Continue(())
        });
        offsets
    }

    /// The number of tokens of `text`; no special tokens are added and nothing is truncated.
    pub fn count(&self, text: &str) -> usize {
        let mut count = 0;
        self.walk(text, |_, _| {
            count += 1;
            ControlFlow::Continue(())
        });
        count
    }

    fn walk(&self, text: &str, mut token: impl FnMut(u32, Range<usize>) -> ControlFlow<()>) {
        let inner = &*self.0;
        let mut words = Words::new(inner.rules);
        let mut walk = || -> ControlFlow<()> {
            let mut from = 0;
            for found in inner.special.find_iter(text) {
                words.split(&text[from..found.start()], from, |word| {
                    inner.vocabulary.split(word, &mut token)
                })?;
                token(inner.special_ids[found.pattern().as_usize()], found.range())?;
                from = found.end();
            }
            words.split(&text[from..], from, |word| inner.vocabulary.split(word, &mut token))
        };
        // Broken off or finished: the caller's closure has what it wanted.
        let (ControlFlow::Break(()) | ControlFlow::Continue(())) = walk();
    }
}
