use mcp_rag_minilm::Precision;
use secrecy::SecretString;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RerankerSettings {
    pub kind: RerankerKind,
    /// The local model.
    pub model_dir: Option<PathBuf>,
    /// Of the local model's products.
    pub precision: Precision,
    /// Of the local model; 0: one per core.
    pub threads: usize,
    pub base_url: Option<String>,
    pub model: Option<String>,
    pub api_key: Option<SecretString>,
    pub timeout_ms: u64,
    /// Texts it is given to choose from; at least `top_k`.
    pub candidates: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RerankerKind {
    None,
    /// A cross-encoder in this process.
    Local,
    /// `POST {base_url}/rerank` with `documents`.
    Cohere,
    /// The same form.
    Jina,
    /// `POST {base_url}/rerank` with `texts` (text-embeddings-inference).
    Tei,
}

impl RerankerSettings {
    pub fn validate(&self) -> Result<(), String> {
        let (remote, needs_model) = match self.kind {
            RerankerKind::None | RerankerKind::Local => (false, false),
            RerankerKind::Cohere | RerankerKind::Jina => (true, true),
            RerankerKind::Tei => (true, false),
        };
        if remote && self.base_url.is_none() {
            return Err("a remote reranker needs reranker.base_url".to_owned());
        }
        if needs_model && self.model.is_none() {
            return Err("reranker.kind = \"cohere\" and \"jina\" need reranker.model".to_owned());
        }
        if self.kind == RerankerKind::Local && self.model_dir.is_none() {
            return Err(format!(
                "reranker.kind = \"local\" needs reranker.model_dir: {}",
                super::local::WANTED
            ));
        }
        if !(1..=1000).contains(&self.candidates) {
            return Err("reranker.candidates must be within 1..=1000".to_owned());
        }
        if self.timeout_ms == 0 {
            return Err("reranker.timeout_ms must be at least 1".to_owned());
        }
        Ok(())
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}
