use mcp_rag_minilm::Precision;
use secrecy::SecretString;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

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

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(super) fn bulk_timeout(&self) -> Duration {
        Duration::from_millis(self.passage_timeout_ms)
    }

    /// The model's folder. A relative one is looked for in the current directory, then above the
    /// program, so that a built binary works from anywhere.
    pub(super) fn directory(&self) -> PathBuf {
        let program = std::env::current_exe().unwrap_or_default();
        let above = program.ancestors().skip(1).map(|folder| folder.join(&self.model_dir));
        let found = std::iter::once(self.model_dir.clone()).chain(above).find(|folder| folder.is_dir());
        found.unwrap_or_else(|| self.model_dir.clone())
    }
}
