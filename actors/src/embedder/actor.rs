use super::MAX_TEXTS;
use super::queue::{Item, Queue};
use super::remote::Remote;
use crate::remote::ModelError;
use crate::resilience::Deadline;
use crate::supervise::{CallError, Priority, Request, Serve, Service};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What the vectors are for; it decides who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Query,
    Passage,
}

/// Embeds up to [`MAX_TEXTS`] texts; the reply has one vector per text, in order.
#[derive(Debug, Clone)]
pub struct Embed {
    pub texts: Vec<String>,
    pub purpose: Purpose,
}

impl Request for Embed {
    type Reply = Result<Vec<Vec<f32>>, ModelError>;

    fn priority(&self) -> Priority {
        match self.purpose {
            Purpose::Query => Priority::Interactive,
            Purpose::Passage => Priority::Bulk,
        }
    }

    /// Ingest keeps its texts itself and tries for longer; a query is short.
    fn repeat(&self) -> Option<Self> {
        (self.purpose == Purpose::Query).then(|| self.clone())
    }
}

pub struct Embedder(pub(super) Engine);

pub(super) enum Engine {
    Local(Local),
    Remote(Remote),
}

/// The way to the embedding threads, which end with it.
pub(super) struct Local(pub(super) Arc<Queue>);

impl Service for Embedder {}

impl Drop for Local {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Serve<Embed> for Embedder {
    async fn serve(self: Rc<Self>, embed: Embed, deadline: Deadline) -> Result<Vec<Vec<f32>>, ModelError> {
        if embed.texts.len() > MAX_TEXTS {
            // Callers batch by MAX_TEXTS; a larger request is refused like any other overload.
            return Err(CallError::Overloaded.into());
        }
        match &self.0 {
            Engine::Local(local) => local.embed(embed).await,
            Engine::Remote(remote) => remote.embed(embed, deadline).await,
        }
    }
}

impl Local {
    async fn embed(&self, embed: Embed) -> Result<Vec<Vec<f32>>, ModelError> {
        let (items, answers): (Vec<_>, Vec<_>) = embed
            .texts
            .into_iter()
            .map(|text| {
                let (reply, answer) = oneshot::channel();
                (Item { text, reply }, answer)
            })
            .unzip();
        self.0.push(items, embed.purpose == Purpose::Query);
        let mut vectors = Vec::with_capacity(answers.len());
        for answer in answers {
            vectors.push(answer.await.map_err(|_| CallError::Lost)?);
        }
        Ok(vectors)
    }
}
