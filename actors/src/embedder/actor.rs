use super::queue::{Item, Queue};
use super::{EmbedderSettings, MAX_TEXTS, threads};
use crate::resilience::Deadline;
use crate::supervise::{
    ActorStatus, CallError, Handle, Lifeline, Priority, Request, Serve, Service, StartError, Tree,
};
use mcp_rag_minilm::{Model, Tokenizer};
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmbedError {
    #[error("more than {MAX_TEXTS} texts in one request")]
    TooManyTexts,
    #[error("the embedding threads ended")]
    Lost,
}

impl Request for Embed {
    type Reply = Result<Vec<Vec<f32>>, EmbedError>;

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

pub struct Embedder {
    queue: Arc<Queue>,
}

impl Service for Embedder {}

impl Drop for Embedder {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Serve<Embed> for Embedder {
    async fn serve(self: Rc<Self>, embed: Embed, _: Deadline) -> Result<Vec<Vec<f32>>, EmbedError> {
        if embed.texts.len() > MAX_TEXTS {
            return Err(EmbedError::TooManyTexts);
        }
        let (items, answers): (Vec<_>, Vec<_>) = embed
            .texts
            .into_iter()
            .map(|text| {
                let (reply, answer) = oneshot::channel();
                (Item { text, reply }, answer)
            })
            .unzip();
        self.queue.push(items, embed.purpose == Purpose::Query);
        let mut vectors = Vec::with_capacity(answers.len());
        for answer in answers {
            vectors.push(answer.await.map_err(|_| EmbedError::Lost)?);
        }
        Ok(vectors)
    }
}

/// The way to the embedder; the tokenizer is shared because chunking needs it too.
#[derive(Clone)]
pub struct EmbedderHandle {
    handle: Handle<Embedder>,
    model: Model,
}

impl EmbedderHandle {
    /// Loads the model (once for all incarnations: its weights never change) and starts.
    pub async fn start(tree: &Tree, settings: &EmbedderSettings) -> Result<Self, StartError> {
        let refused = |error: String| StartError { name: "embedder", error };
        let model = Model::load(&settings.directory()).map_err(|error| refused(error.to_string()))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = if settings.threads == 0 { cores } else { settings.threads };
        let (weights, batch_tokens) = (model.clone(), settings.batch_tokens);
        let factory = move |lifeline: Lifeline| {
            let weights = weights.clone();
            async move {
                let queue = Arc::new(Queue::default());
                threads::start(count, batch_tokens, &weights, &queue, &lifeline)
                    .map_err(|error| format!("no thread to embed on: {error}"))?;
                Ok(Embedder { queue })
            }
        };
        let handle = tree.start(tree.spec("embedder", settings.queue), factory).await?;
        Ok(Self { handle, model })
    }

    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.model.dimensions()
    }

    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        self.model.tokenizer()
    }

    #[must_use]
    pub fn actor(&self) -> ActorStatus {
        self.handle.status()
    }

    /// # Cancel safety
    /// Dropping the future withdraws the texts that no thread has taken yet.
    pub async fn embed(&self, embed: Embed, deadline: Deadline) -> Result<Vec<Vec<f32>>, CallError> {
        match self.handle.call(embed, deadline).await? {
            Ok(vectors) => Ok(vectors),
            Err(EmbedError::Lost) => Err(CallError::Lost),
            // Callers batch by MAX_TEXTS; a larger request is refused like any other overload.
            Err(EmbedError::TooManyTexts) => Err(CallError::Overloaded),
        }
    }
}
