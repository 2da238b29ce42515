//! Ingest: accept (durable before it is acknowledged) → lease → prepare → embed → publish, one transaction
//! per document. A crash at any point resumes with the documents that are not published yet, and within a
//! long document with the batches that are not embedded yet.

mod accept;
mod attach;
mod carry_out;
mod embed;
mod notify;
mod prepare;
mod room;
mod situate;
mod spaces;
mod sweep;
mod vectors;
mod worker;
mod writable;

pub use accept::{Incoming, Rejected, Wish, holds_nul};
pub use attach::{Attached, Attachment, filename_of};
pub use notify::{JobProgress, JobView};
pub use prepare::embedded_texts;
pub use room::Room;
pub use vectors::{ChunkVector, KnownVectors, VectorsView};
pub use worker::Worker;

use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// News inside this process, so that waiting needs no polling: work has come, work is done.
/// Other processes' news is seen by a slow poll beside it.
#[derive(Clone)]
pub struct Progress {
    pub(crate) arrived: Arc<Notify>,
    done: watch::Sender<u64>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { arrived: Arc::default(), done: watch::Sender::new(0) }
    }
}

impl Progress {
    pub(crate) fn advance(&self) {
        self.done.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.done.subscribe()
    }
}
