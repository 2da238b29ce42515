//! `tokenizer.json`, checked to be a tokenizer this crate implements.

use std::{collections::HashMap, fs, path::Path};

use serde::Deserialize;

use super::{normalise::Rules, vocabulary::Vocabulary};
use crate::LoadError;

pub(super) struct Definition {
    pub(super) vocabulary: Vocabulary,
    pub(super) rules: Rules,
    pub(super) special: Vec<(String, u32)>,
    pub(super) start: u32,
    pub(super) end: u32,
}

#[derive(Deserialize)]
struct File {
    added_tokens: Vec<AddedToken>,
    normalizer: Normalizer,
    pre_tokenizer: PreTokenizer,
    model: WordPiece,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
    #[serde(flatten)]
    options: AddedTokenOptions,
}

#[derive(Deserialize, PartialEq, Eq, Default)]
#[serde(default)]
struct AddedTokenOptions {
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
}

#[derive(Deserialize)]
struct Normalizer {
    r#type: String,
    clean_text: bool,
    handle_chinese_chars: bool,
    strip_accents: Option<bool>,
    lowercase: bool,
}

#[derive(Deserialize)]
struct PreTokenizer {
    r#type: String,
}

#[derive(Deserialize)]
struct WordPiece {
    #[serde(default)]
    r#type: Option<String>,
    unk_token: String,
    continuing_subword_prefix: String,
    max_input_chars_per_word: usize,
    vocab: HashMap<String, u32>,
}

impl Definition {
    pub(super) fn load(path: &Path, vocab_size: usize) -> Result<Self, LoadError> {
        let bytes = fs::read(path).map_err(LoadError::unreadable(path))?;
        let file: File =
            serde_json::from_slice(&bytes).map_err(|error| LoadError::invalid(path, error.to_string()))?;
        let File { added_tokens, normalizer, pre_tokenizer, model } = file;

        let kinds = (normalizer.r#type.as_str(), pre_tokenizer.r#type.as_str(), model.r#type.as_deref());
        if !matches!(kinds, ("BertNormalizer", "BertPreTokenizer", None | Some("WordPiece"))) {
            return Err(LoadError::unsupported(
                path,
                format!("its tokenizer is {kinds:?}, not BERT's WordPiece"),
            ));
        }
        if added_tokens
            .iter()
            .any(|token| token.options != AddedTokenOptions::default() || token.content.is_empty())
        {
            return Err(LoadError::unsupported(
                path,
                "an added token is matched by other rules than literally",
            ));
        }
        if !(1..=10_000).contains(&model.max_input_chars_per_word) {
            return Err(LoadError::unsupported(path, "max_input_chars_per_word is out of range"));
        }
        let ids = model.vocab.values().chain(added_tokens.iter().map(|token| &token.id));
        if let Some(id) = ids.copied().find(|id| *id as usize >= vocab_size) {
            return Err(LoadError::invalid(
                path,
                format!("token id {id} has no embedding: vocab_size is {vocab_size}"),
            ));
        }

        let special: Vec<_> = added_tokens.into_iter().map(|token| (token.content, token.id)).collect();
        let id_of = |token: &str| {
            let added = special.iter().find(|(content, _)| content == token).map(|(_, id)| *id);
            let id = added.or_else(|| model.vocab.get(token).copied());
            id.ok_or_else(|| LoadError::invalid(path, format!("it has no token {token}")))
        };
        Ok(Self {
            vocabulary: Vocabulary::new(
                &model.vocab,
                &model.continuing_subword_prefix,
                id_of(&model.unk_token)?,
            ),
            rules: Rules {
                clean: normalizer.clean_text,
                split_ideographs: normalizer.handle_chinese_chars,
                strip_accents: normalizer.strip_accents.unwrap_or(normalizer.lowercase),
                lowercase: normalizer.lowercase,
                longest_word: model.max_input_chars_per_word,
            },
            start: id_of("[CLS]")?,
            end: id_of("[SEP]")?,
            special,
        })
    }
}
