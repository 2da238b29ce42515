//! Sole owner of the embedding model, in this process or behind HTTP.
//!
//! * Shape: texts in, L2-normalised vectors of [`EmbedderHandle::dimensions`] floats out.
//! * The local model works on dedicated threads, never on the arbiter. Texts of many callers share a
//!   forward pass; queries go before passages, and a pass is short, so a query waits for one at most.
//! * A remote one is asked over a bounded number of connections, some of them for queries alone. What it
//!   replies is checked before anyone sees it: count, order, length, finite numbers.
//! * The vectors of queries are remembered by the texts' hashes: a repeated query asks nobody, and is whole even while
//!   the model is away.
//! * Whoever embeds, documents are cut into chunks by the local model's tokenizer, so that the same
//!   document has the same chunks under every model.
//! * Overload: a fixed number of requests is admitted; the next one fails at once. A model that fails is
//!   not asked for a while (circuit `embedder`, `embedder_next` for the second model).
//! * Cancel safety: texts whose caller has left are skipped; a remote call's connection is closed.

mod actor;
mod handle;
mod query_cache;
mod remote;
mod settings;

pub use actor::{Embed, Embedder, Purpose};
pub use handle::EmbedderHandle;
pub use mcp_rag_minilm::Tokenizer;
pub use settings::{EmbedderKind, EmbedderSettings, NextEmbedder};

/// Texts one request may hold, so that the queue is bounded in texts too.
pub const MAX_TEXTS: usize = 64;
