use super::MAX_TEXTS;
use super::remote::Remote;
use crate::local::{Compute, Threads};
use crate::remote::ModelError;
use crate::resilience::Deadline;
use crate::supervise::{CallError, Priority, Request, Serve, Service};
use mcp_rag_minilm::{Encoding, Model, Scratch};
use std::rc::Rc;

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
    Local(Threads<Model>),
    Remote(Box<Remote>),
}

impl Service for Embedder {}

impl Compute for Model {
    type Input = String;
    type Output = Vec<f32>;
    const NAME: &'static str = "embed";
    const BATCHES: &'static str = "mcp_rag_embedder_batch_texts";

    fn encode(&self, text: &String) -> Encoding {
        self.tokenizer().encode(text)
    }

    fn compute(&self, scratch: &mut Scratch, batch: &[Encoding]) -> Vec<Vec<f32>> {
        self.embed(scratch, batch)
    }
}

impl Serve<Embed> for Embedder {
    async fn serve(self: Rc<Self>, embed: Embed, deadline: Deadline) -> Result<Vec<Vec<f32>>, ModelError> {
        if embed.texts.len() > MAX_TEXTS {
            // Callers batch by MAX_TEXTS; a larger request is refused like any other overload.
            return Err(CallError::Overloaded.into());
        }
        match &self.0 {
            Engine::Local(threads) => threads.compute(embed.texts, embed.purpose == Purpose::Query).await,
            Engine::Remote(remote) => remote.embed(embed, deadline).await,
        }
    }
}
