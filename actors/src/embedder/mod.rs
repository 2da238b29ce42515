//! Sole owner of the embedding model.
//!
//! * Shape: texts in, L2-normalised vectors of [`EmbedderHandle::dimensions`] floats out.
//! * Work runs on dedicated threads, never on the arbiter. Texts of many callers share a forward
//!   pass; queries go before passages, and a pass is short, so a query waits for one at most.
//! * Overload: a fixed number of requests is admitted; the next one fails at once.
//! * Cancel safety: texts whose caller has left are skipped.

mod actor;
mod queue;
mod threads;

pub use actor::{Embed, EmbedError, Embedder, EmbedderHandle, Purpose};
pub use mcp_rag_minilm::Tokenizer;

use serde::Deserialize;
use std::path::PathBuf;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbedderSettings {
    pub model_dir: PathBuf,
    /// 0: one per core.
    pub threads: usize,
    pub queue: usize,
    pub batch_tokens: usize,
}

impl EmbedderSettings {
    /// The model's folder. A relative one is looked for in the current directory, then above the
    /// program, so that a built binary works from anywhere.
    fn directory(&self) -> PathBuf {
        let program = std::env::current_exe().unwrap_or_default();
        let above = program.ancestors().skip(1).map(|folder| folder.join(&self.model_dir));
        let found = std::iter::once(self.model_dir.clone()).chain(above).find(|folder| folder.is_dir());
        found.unwrap_or_else(|| self.model_dir.clone())
    }
}

/// Texts one request may hold, so that the queue is bounded in texts too.
pub const MAX_TEXTS: usize = 64;
