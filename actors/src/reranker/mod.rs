//! Sole owner of the reranking model: a cross-encoder in this process, or the connections to one behind HTTP.
//!
//! * Shape: a query and texts in, one finite score per text out, higher is better.
//! * The local model works on dedicated threads, never on the arbiter; the texts of a query are spread over them.
//! * Overload: a bounded number of calls at once, more wait within their deadline; beyond the admission
//!   they fail at once. A model that fails, or is too slow for `reranker.timeout_ms`, is not asked for a while
//!   (circuit `reranker`).
//! * Cancel safety: dropping a call closes its connection; the local model goes on to the end of the pass it is at.

mod actor;
mod handle;
mod local;
mod remote;
mod settings;

pub use handle::RerankerHandle;
pub use settings::{RerankerKind, RerankerSettings};
