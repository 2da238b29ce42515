//! The model's own description of itself: `config.json`, and of a sentence encoder `sentence_bert_config.json` and
//! `1_Pooling/config.json`.

use std::{collections::HashMap, fs, io, path::Path};

use serde::{Deserialize, de::DeserializeOwned};

use crate::LoadError;

/// sentence-transformers' limit for this model where `sentence_bert_config.json` is missing.
const DEFAULT_MAX_TOKENS: usize = 256;

/// What a cross-encoder reads of a pair at most, as its training did.
const MAX_PAIR_TOKENS: usize = 512;

/// Fewer positions leave no room for two texts.
const MIN_PAIR_TOKENS: usize = 8;

/// The shape of the network.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Config {
    model_type: String,
    hidden_act: String,
    #[serde(default = "absolute")]
    position_embedding_type: String,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) max_position_embeddings: usize,
    pub(crate) vocab_size: usize,
    pub(crate) layer_norm_eps: f32,
    /// Of a classifier; BERT's own default is two.
    id2label: Option<HashMap<String, String>>,
    /// Tokens the encoder looks at, `[CLS]` and `[SEP]` included.
    #[serde(skip)]
    pub(crate) max_tokens: usize,
}

fn absolute() -> String {
    "absolute".to_owned()
}

#[derive(Deserialize)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

#[derive(Deserialize)]
struct PoolingConfig {
    pooling_mode_mean_tokens: bool,
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_max_tokens: bool,
}

impl Config {
    /// Of a sentence encoder.
    pub(crate) fn load(directory: &Path) -> Result<Self, LoadError> {
        let mut config = Self::load_network(&directory.join("config.json"))?;
        let path = directory.join("sentence_bert_config.json");
        let sentence: Option<SentenceConfig> = read_optional_json(&path)?;
        let wanted = sentence.and_then(|config| config.max_seq_length).unwrap_or(DEFAULT_MAX_TOKENS);
        if wanted < 3 {
            return Err(LoadError::unsupported(
                &path,
                format!("max_seq_length {wanted} leaves no room for text"),
            ));
        }
        config.max_tokens = wanted.min(config.max_position_embeddings);

        let path = directory.join("1_Pooling").join("config.json");
        let pooling: Option<PoolingConfig> = read_optional_json(&path)?;
        let mean_only = |p: PoolingConfig| {
            p.pooling_mode_mean_tokens && !p.pooling_mode_cls_token && !p.pooling_mode_max_tokens
        };
        if !pooling.is_none_or(mean_only) {
            return Err(LoadError::unsupported(&path, "only mean pooling is computed"));
        }
        Ok(config)
    }

    /// Of a cross-encoder: a classifier of pairs with one label.
    pub(crate) fn load_pairs(directory: &Path) -> Result<Self, LoadError> {
        let path = directory.join("config.json");
        let mut config = Self::load_network(&path)?;
        config.max_tokens = config.max_position_embeddings.min(MAX_PAIR_TOKENS);
        let labels = config.id2label.as_ref().map(HashMap::len);
        if labels.is_some_and(|labels| labels != 1) {
            return Err(LoadError::unsupported(
                &path,
                "it has several labels: a cross-encoder that ranks has one",
            ));
        }
        if config.max_tokens < MIN_PAIR_TOKENS {
            let reason = format!("max_position_embeddings {} leaves no room for a pair", config.max_tokens);
            return Err(LoadError::unsupported(&path, reason));
        }
        Ok(config)
    }

    fn load_network(path: &Path) -> Result<Self, LoadError> {
        let config: Self = read_json(path)?;
        config.unsupported().map_or(Ok(config), |reason| Err(LoadError::unsupported(path, reason)))
    }

    fn unsupported(&self) -> Option<String> {
        let Self { hidden_size, intermediate_size, num_attention_heads: heads, .. } = *self;
        if self.model_type != "bert" {
            return Some(format!("model_type is {:?}, not \"bert\"", self.model_type));
        }
        if self.hidden_act != "gelu" {
            return Some(format!("hidden_act is {:?}, not \"gelu\"", self.hidden_act));
        }
        if self.position_embedding_type != "absolute" {
            return Some(format!(
                "position_embedding_type is {:?}, not \"absolute\"",
                self.position_embedding_type
            ));
        }
        let counts = [hidden_size, intermediate_size, heads, self.vocab_size, self.max_position_embeddings];
        if counts.iter().any(|count| !(1..=1 << 20).contains(count))
            || !(1..=128).contains(&self.num_hidden_layers)
        {
            return Some("a size is zero or absurdly large".to_owned());
        }
        if !self.layer_norm_eps.is_finite() || self.layer_norm_eps < 0.0 {
            return Some(format!("layer_norm_eps is {}", self.layer_norm_eps));
        }
        // Whole panels on every instruction set: no kernel has a remainder loop.
        let whole = hidden_size.is_multiple_of(heads) && (hidden_size / heads).is_multiple_of(32);
        if !whole || !intermediate_size.is_multiple_of(32) {
            return Some(format!(
                "{hidden_size} hidden units in {heads} heads and {intermediate_size} intermediate units: heads and \
                 intermediate units must be multiples of 32"
            ));
        }
        None
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, LoadError> {
    let bytes = fs::read(path).map_err(LoadError::unreadable(path))?;
    serde_json::from_slice(&bytes).map_err(|error| LoadError::invalid(path, error.to_string()))
}

fn read_optional_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, LoadError> {
    match read_json(path) {
        Err(LoadError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}
