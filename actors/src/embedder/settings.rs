use crate::local;
use crate::store::Storage;
use mcp_rag_minilm::Precision;
use secrecy::SecretString;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// The name under which the local model's vectors are kept, unless another one is given.
const LOCAL: &str = "all-MiniLM-L6-v2";
/// More than the index of half-precision vectors holds.
const MAX_DIMENSIONS: usize = 4000;
/// Some 1.5 GB with the local model's vectors.
const MAX_QUERY_CACHE: u64 = 1_000_000;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbedderSettings {
    pub kind: EmbedderKind,
    /// The local model; its tokenizer cuts documents into chunks whoever embeds them.
    pub model_dir: PathBuf,
    /// Of the local model's products.
    pub precision: Precision,
    /// 0: one per core.
    pub threads: usize,
    pub queue: usize,
    pub batch_tokens: usize,
    /// Queries whose vectors are remembered; 0: none.
    pub query_cache: u64,
    pub base_url: Option<String>,
    pub model: Option<String>,
    pub api_key: Option<SecretString>,
    pub dimensions: Option<usize>,
    /// For a query.
    pub timeout_ms: u64,
    /// For a batch of passages.
    pub passage_timeout_ms: u64,
    /// Requests at once; a quarter of them is for queries alone.
    pub concurrency: usize,
    #[serde(default)]
    pub query_prefix: String,
    #[serde(default)]
    pub passage_prefix: String,
    /// Of the first space of a tenant, and of one that is built for this model.
    pub storage: Storage,
    /// The model to change to, or the one changed from; nothing given: none.
    #[serde(default)]
    pub next: NextEmbedder,
}

/// A second model beside the first.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NextEmbedder {
    pub kind: Option<EmbedderKind>,
    pub model_dir: Option<PathBuf>,
    pub threads: Option<usize>,
    pub queue: Option<usize>,
    pub batch_tokens: Option<usize>,
    pub base_url: Option<String>,
    pub model: Option<String>,
    pub api_key: Option<SecretString>,
    pub dimensions: Option<usize>,
    pub timeout_ms: Option<u64>,
    pub passage_timeout_ms: Option<u64>,
    pub concurrency: Option<usize>,
    pub query_prefix: Option<String>,
    pub passage_prefix: Option<String>,
    pub storage: Option<Storage>,
}

/// Who computes embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmbedderKind {
    /// The model in this process.
    Local,
    /// `POST {base_url}/embeddings`.
    Openai,
    /// `POST {base_url}/embed` (text-embeddings-inference).
    Tei,
    /// `POST {base_url}/api/embed`.
    Ollama,
}

impl EmbedderSettings {
    pub fn validate(&self) -> Result<(), String> {
        if self.query_cache > MAX_QUERY_CACHE {
            return Err(format!("embedder.query_cache must be within 0..={MAX_QUERY_CACHE}"));
        }
        self.validate_one()?;
        if let Some(next) = self.next() {
            next.validate_one().map_err(|error| format!("embedder.next: {error}"))?;
            if next.names_model_of(self) && next.storage == self.storage {
                return Err("embedder.next names the model and the storage of embedder itself".to_owned());
            }
        }
        Ok(())
    }

    fn validate_one(&self) -> Result<(), String> {
        let (most, storage) = (self.storage.most_dimensions(), self.storage.as_str());
        if self.dimensions.is_some_and(|dimensions| dimensions > most) {
            return Err(format!("embedder.storage = \"{storage}\" holds at most {most} dimensions"));
        }
        if self.kind == EmbedderKind::Local {
            return Ok(());
        }
        if self.base_url.is_none() || self.model.is_none() {
            return Err("a remote embedder needs embedder.base_url and embedder.model".to_owned());
        }
        if !self.dimensions.is_some_and(|dimensions| (1..=MAX_DIMENSIONS).contains(&dimensions)) {
            return Err(format!("a remote embedder needs embedder.dimensions within 1..={MAX_DIMENSIONS}"));
        }
        if !(1..=256).contains(&self.concurrency) {
            return Err("embedder.concurrency must be within 1..=256".to_owned());
        }
        if self.timeout_ms == 0 || self.passage_timeout_ms == 0 {
            return Err("embedder.timeout_ms and embedder.passage_timeout_ms must be at least 1".to_owned());
        }
        Ok(())
    }

    /// The second model's settings, all of them. Limits that are not given are the first model's; who embeds is
    /// taken from the first as a whole when neither kind, address, name nor folder is given.
    #[must_use]
    pub fn next(&self) -> Option<Self> {
        let next = &self.next;
        let same_model = next.kind.is_none()
            && next.base_url.is_none()
            && next.model.is_none()
            && next.model_dir.is_none();
        let nothing = same_model
            && next.storage.is_none()
            && next.dimensions.is_none()
            && next.query_prefix.is_none()
            && next.passage_prefix.is_none();
        if nothing {
            return None;
        }
        let mut settings = self.clone();
        settings.next = NextEmbedder::default();
        if !same_model {
            settings.kind = next.kind.unwrap_or(self.kind);
            settings.base_url.clone_from(&next.base_url);
            settings.model.clone_from(&next.model);
            settings.api_key.clone_from(&next.api_key);
            settings.dimensions = next.dimensions;
            settings.query_prefix = next.query_prefix.clone().unwrap_or_default();
            settings.passage_prefix = next.passage_prefix.clone().unwrap_or_default();
        }
        if let Some(model_dir) = &next.model_dir {
            settings.model_dir.clone_from(model_dir);
        }
        settings.threads = next.threads.unwrap_or(self.threads);
        settings.queue = next.queue.unwrap_or(self.queue);
        settings.batch_tokens = next.batch_tokens.unwrap_or(self.batch_tokens);
        settings.timeout_ms = next.timeout_ms.unwrap_or(self.timeout_ms);
        settings.passage_timeout_ms = next.passage_timeout_ms.unwrap_or(self.passage_timeout_ms);
        settings.concurrency = next.concurrency.unwrap_or(self.concurrency);
        settings.storage = next.storage.unwrap_or(self.storage);
        Some(settings)
    }

    /// Whether both have one model, so that one actor serves both.
    #[must_use]
    pub fn names_model_of(&self, other: &Self) -> bool {
        (self.kind, self.name(), &self.base_url) == (other.kind, other.name(), &other.base_url)
            && self.dimensions == other.dimensions
            && (self.kind != EmbedderKind::Local || self.model_dir == other.model_dir)
    }

    /// The name under which its vectors are kept.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.kind {
            EmbedderKind::Local => self.model.as_deref().unwrap_or(LOCAL),
            EmbedderKind::Openai | EmbedderKind::Tei | EmbedderKind::Ollama => {
                self.model.as_deref().unwrap_or_default()
            }
        }
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(super) fn bulk_timeout(&self) -> Duration {
        Duration::from_millis(self.passage_timeout_ms)
    }

    /// The model's folder.
    pub(super) fn directory(&self) -> PathBuf {
        local::find(&self.model_dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(next: NextEmbedder) -> EmbedderSettings {
        EmbedderSettings {
            kind: EmbedderKind::Openai,
            model_dir: "model".into(),
            threads: 1,
            queue: 2,
            batch_tokens: 3,
            precision: Precision::Auto,
            query_cache: 0,
            base_url: Some("http://one".to_owned()),
            model: Some("one".to_owned()),
            api_key: None,
            dimensions: Some(8),
            timeout_ms: 4,
            passage_timeout_ms: 5,
            concurrency: 6,
            query_prefix: "q: ".to_owned(),
            passage_prefix: "p: ".to_owned(),
            storage: Storage::Halfvec,
            next,
        }
    }

    #[test]
    fn a_second_model_takes_the_limits_of_the_first_and_nothing_else_of_it() {
        assert!(settings(NextEmbedder::default()).next().is_none());
        let another = NextEmbedder {
            base_url: Some("http://two".to_owned()),
            model: Some("two".to_owned()),
            dimensions: Some(9),
            ..NextEmbedder::default()
        };
        let first = settings(another);
        let next = first.next().expect("one");
        assert_eq!(
            (next.queue, next.concurrency, next.name(), next.query_prefix.as_str()),
            (2, 6, "two", "")
        );
        assert!(!next.names_model_of(&first));
        assert_eq!(first.validate(), Ok(()));
    }

    #[test]
    fn a_second_storage_of_the_same_model_is_the_same_model() {
        let first = settings(NextEmbedder { storage: Some(Storage::Bit), ..NextEmbedder::default() });
        let next = first.next().expect("one");
        assert!(next.names_model_of(&first));
        assert_eq!((next.query_prefix.as_str(), next.dimensions), ("q: ", Some(8)));
        assert_eq!(first.validate(), Ok(()));
        let same = settings(NextEmbedder { storage: Some(Storage::Halfvec), ..NextEmbedder::default() });
        assert!(same.validate().is_err_and(|error| error.contains("embedder.next")));
    }

    #[test]
    fn a_storage_that_cannot_hold_the_vectors_is_refused() {
        let mut first = settings(NextEmbedder::default());
        (first.dimensions, first.storage) = (Some(3000), Storage::Vector);
        assert!(first.validate().is_err_and(|error| error.contains("2000")));
    }
}
