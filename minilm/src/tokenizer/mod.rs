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

/// The token ids of one text or of a pair, special tokens included and truncated to what the model reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    ids: Vec<u32>,
    /// Where the second text of a pair begins; of one text, its end.
    second: usize,
}

impl Encoding {
    /// The ids, `[CLS]` first and `[SEP]` last; in a pair there is a `[SEP]` between the texts too.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The number of ids; at least 2.
    #[expect(clippy::len_without_is_empty, reason = "it never is: there always are [CLS] and [SEP]")]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// How many ids are of the first text, which have token type 0; those of a pair's second text have 1.
    pub(crate) fn second(&self) -> usize {
        self.second
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
        self.append(&[self.0.start], text, self.0.max_tokens)
    }

    /// The first text of a pair, truncated to half of what a pair has room for.
    pub(crate) fn encode_first(&self, text: &str) -> Encoding {
        self.append(&[self.0.start], text, self.0.max_tokens.div_ceil(2))
    }

    /// The pair of `first`, from [`Tokenizer::encode_first`], and `text`, which alone is truncated.
    pub(crate) fn encode_second(&self, first: &Encoding, text: &str) -> Encoding {
        Encoding { second: first.len(), ..self.append(first.ids(), text, self.0.max_tokens) }
    }

    /// `before`, the ids of `text` and `[SEP]`: at most `limit` ids, which leaves room for `before` and `[SEP]`.
    fn append(&self, before: &[u32], text: &str, limit: usize) -> Encoding {
        let room = limit - 1;
        // A token takes three bytes or more on average; a rare denser text grows the vector once.
        let mut ids = Vec::with_capacity(limit.min(before.len() + text.len() / 3 + 3));
        ids.extend_from_slice(before);
        self.walk(text, |id, _| {
            if ids.len() >= room {
                return ControlFlow::Break(());
            }
            ids.push(id);
            ControlFlow::Continue(())
        });
        ids.push(self.0.end);
        Encoding { second: ids.len(), ids }
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
