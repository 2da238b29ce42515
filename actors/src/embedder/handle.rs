use super::actor::{Embed, Embedder, Engine, Purpose};
use super::query_cache::QueryCache;
use super::remote::Remote;
use super::settings::{EmbedderKind, EmbedderSettings};
use crate::live::Live;
use crate::local::{self, Threads};
use crate::remote::{self, Key, ModelError};
use crate::resilience::{Backoff, BreakerSettings, Circuit, Deadline, RetryBudget};
use crate::supervise::{ActorStatus, Handle, Lifeline, StartError, Tree};
use mcp_rag_minilm::{LoadError, Model, Tokenizer};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

/// The way to the embedder; the tokenizer is shared because chunking needs it too.
#[derive(Clone)]
pub struct EmbedderHandle {
    handle: Handle<Embedder>,
    circuit: Circuit,
    known: QueryCache,
    key: Key,
    tokenizer: Tokenizer,
    model: Arc<str>,
    dimensions: usize,
    /// How long a query may take in all, a repeat included; none: as long as its deadline allows.
    query_within: Option<Duration>,
}

impl EmbedderHandle {
    /// Loads what is needed of the model (once for all incarnations: it never changes) and starts.
    /// `name` is that of the actor and of its circuit.
    pub async fn start(
        tree: &Tree,
        name: &'static str,
        settings: &EmbedderSettings,
    ) -> Result<Self, StartError> {
        match settings.kind {
            EmbedderKind::Local => Self::start_local(tree, name, settings).await,
            EmbedderKind::Openai | EmbedderKind::Tei | EmbedderKind::Ollama => {
                Self::start_remote(tree, name, settings).await
            }
        }
    }

    async fn start_local(
        tree: &Tree,
        name: &'static str,
        settings: &EmbedderSettings,
    ) -> Result<Self, StartError> {
        let model =
            Model::load(&settings.directory(), settings.precision).map_err(|error| refused(name, &error))?;
        let count = local::threads(settings.threads);
        let (weights, batch_tokens) = (model.clone(), settings.batch_tokens);
        let factory = move |lifeline: Lifeline| {
            let weights = weights.clone();
            async move { Ok(Embedder(Engine::Local(Threads::start(&weights, count, batch_tokens, &lifeline)?))) }
        };
        let handle = tree.start(tree.spec(name, settings.queue), factory).await?;
        tracing::info!(kernel = model.kernel(), threads = count, "embedding model ready");
        // Its supervisor restarts it within milliseconds: it is never away for long, and never slow but
        // by our own load.
        let breaker = BreakerSettings {
            slow_call: Duration::MAX,
            open: Backoff { base: Duration::from_millis(100), max: Duration::from_secs(5) },
            ..BreakerSettings::default()
        };
        Ok(Self {
            handle,
            circuit: Circuit::new(name, breaker),
            known: QueryCache::new(settings.query_cache),
            key: Live::new(None),
            tokenizer: model.tokenizer().clone(),
            model: settings.name().into(),
            dimensions: model.dimensions(),
            query_within: None,
        })
    }

    async fn start_remote(
        tree: &Tree,
        name: &'static str,
        settings: &EmbedderSettings,
    ) -> Result<Self, StartError> {
        let tokenizer =
            Tokenizer::from_directory(&settings.directory()).map_err(|error| refused(name, &error))?;
        let circuit = Circuit::new(name, remote::breaker(settings.timeout()));
        let (budget, shared, configured) = (RetryBudget::default(), circuit.clone(), settings.clone());
        let key = Live::new(settings.api_key.clone());
        let own = key.clone();
        let factory = move |_: Lifeline| {
            let remote = Remote::new(&configured, own.clone(), shared.clone(), budget.clone());
            async move { Ok(Embedder(Engine::Remote(Box::new(remote?)))) }
        };
        let handle = tree.start(tree.spec(name, settings.queue), factory).await?;
        Ok(Self {
            handle,
            circuit,
            known: QueryCache::new(settings.query_cache),
            key,
            tokenizer,
            model: settings.name().into(),
            dimensions: settings.dimensions.unwrap_or_default(),
            // Room for one repeat of a call that failed at once, not for one that was waited for.
            query_within: Some(settings.timeout().mul_f64(1.5)),
        })
    }

    /// The name under which its vectors are kept apart from those of other models.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    #[must_use]
    pub fn actor(&self) -> ActorStatus {
        self.handle.status()
    }

    /// Another key, for every call from now on.
    pub fn use_key(&self, key: Option<SecretString>) {
        self.key.set(key);
    }

    #[must_use]
    pub fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// # Cancel safety
    /// Dropping the future withdraws the texts that no thread has taken yet, or closes the connection.
    pub async fn embed(&self, embed: Embed, deadline: Deadline) -> Result<Vec<Vec<f32>>, ModelError> {
        self.known.embed(embed, async |embed| self.ask(embed, deadline).await).await
    }

    async fn ask(&self, embed: Embed, deadline: Deadline) -> Result<Vec<Vec<f32>>, ModelError> {
        let Some(within) = self.query_within else { return self.embed_here(embed, deadline).await };
        // Without a hop and without taking the probe's place, which belongs to the call itself.
        self.circuit.refuses_now()?;
        let deadline = if embed.purpose == Purpose::Query { deadline.capped(within) } else { deadline };
        self.handle.call(embed, deadline).await?
    }

    async fn embed_here(&self, embed: Embed, deadline: Deadline) -> Result<Vec<Vec<f32>>, ModelError> {
        let pass = self.circuit.admit()?;
        let outcome = self.handle.call(embed, deadline).await.map_err(ModelError::from).flatten();
        remote::conclude(pass, &outcome);
        outcome
    }
}

fn refused(name: &'static str, error: &LoadError) -> StartError {
    let remedy = "run scripts/setup.sh for all-MiniLM-L6-v2, or set embedder.model_dir to the folder of a BERT sentence \
                  encoder of the same architecture";
    local::refused(name, error, remedy)
}
