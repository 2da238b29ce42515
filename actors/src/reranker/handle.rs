use super::actor::{Rerank, Reranker};
use super::local::{BATCH_TOKENS, Local, WANTED, breaker};
use super::remote::Remote;
use super::settings::{RerankerKind, RerankerSettings};
use crate::live::Live;
use crate::local::{self, Threads};
use crate::remote::{self, Key, ModelError};
use crate::resilience::{Circuit, Deadline, RetryBudget};
use crate::supervise::{Handle, Lifeline, StartError, Tree};
use mcp_rag_minilm::CrossEncoder;
use secrecy::SecretString;
use std::rc::Rc;
use std::time::Duration;

const NAME: &str = "reranker";
const ADMISSION: usize = 256;
/// More would wait for the same few cores, and in vain.
const LOCAL_ADMISSION: usize = 64;

/// The way to the reranker, where one is configured.
#[derive(Clone)]
pub struct RerankerHandle(Option<Configured>);

#[derive(Clone)]
struct Configured {
    handle: Handle<Reranker>,
    circuit: Circuit,
    key: Key,
    within: Duration,
    candidates: u16,
}

impl RerankerHandle {
    pub async fn start(tree: &Tree, settings: &RerankerSettings) -> Result<Self, StartError> {
        let key = Live::new(settings.api_key.clone());
        let (handle, circuit) = match settings.kind {
            RerankerKind::None => return Ok(Self(None)),
            RerankerKind::Local => start_local(tree, settings).await?,
            RerankerKind::Cohere | RerankerKind::Jina | RerankerKind::Tei => {
                start_remote(tree, settings, key.clone()).await?
            }
        };
        let within = settings.timeout().mul_f64(1.5);
        Ok(Self(Some(Configured { handle, circuit, key, within, candidates: settings.candidates })))
    }

    /// How many texts to give it for the best `top_k`; none when it could not be asked now.
    pub fn candidates(&self, top_k: u16) -> Result<u16, ModelError> {
        let configured = self.0.as_ref().ok_or(ModelError::NotConfigured)?;
        configured.circuit.refuses_now()?;
        Ok(configured.candidates.max(top_k))
    }

    /// Another key, for every call from now on.
    pub fn use_key(&self, key: Option<SecretString>) {
        if let Some(configured) = &self.0 {
            configured.key.set(key);
        }
    }

    #[must_use]
    pub fn circuit(&self) -> Option<&Circuit> {
        self.0.as_ref().map(|configured| &configured.circuit)
    }

    /// How well each text answers the query: scores in the texts' order.
    pub async fn rerank(
        &self,
        query: String,
        texts: Vec<String>,
        deadline: Deadline,
    ) -> Result<Vec<f32>, ModelError> {
        let configured = self.0.as_ref().ok_or(ModelError::NotConfigured)?;
        configured.circuit.refuses_now()?;
        configured.handle.call(Rerank { query, texts }, deadline.capped(configured.within)).await?
    }
}

/// Loads the model once for all incarnations: it never changes.
async fn start_local(
    tree: &Tree,
    settings: &RerankerSettings,
) -> Result<(Handle<Reranker>, Circuit), StartError> {
    let folder = local::find(&settings.model_dir.clone().unwrap_or_default());
    let model = CrossEncoder::load(&folder, settings.precision).map_err(|error| {
        local::refused(
            NAME,
            &error,
            &format!("set reranker.model_dir to {WANTED}, or reranker.kind to \"none\""),
        )
    })?;
    let circuit = Circuit::new(NAME, breaker());
    let (count, kernel) = (local::threads(settings.threads), model.kernel());
    let (shared, timeout) = (circuit.clone(), settings.timeout());
    let factory = move |lifeline: Lifeline| {
        let (model, circuit) = (model.clone(), shared.clone());
        async move {
            let threads = Threads::start(&model, count, BATCH_TOKENS, &lifeline)?;
            Ok(Reranker::Local(Rc::new(Local::new(model, threads, circuit, timeout))))
        }
    };
    let handle = tree.start(tree.spec(NAME, LOCAL_ADMISSION), factory).await?;
    tracing::info!(kernel, threads = count, "reranking model ready");
    Ok((handle, circuit))
}

async fn start_remote(
    tree: &Tree,
    settings: &RerankerSettings,
    key: Key,
) -> Result<(Handle<Reranker>, Circuit), StartError> {
    let circuit = Circuit::new(NAME, remote::breaker(settings.timeout()));
    let (configured, shared, budget) = (settings.clone(), circuit.clone(), RetryBudget::default());
    let factory = move |_: Lifeline| {
        let remote = Remote::new(&configured, key.clone(), shared.clone(), budget.clone());
        async move { Ok(Reranker::Remote(remote?)) }
    };
    let handle = tree.start(tree.spec(NAME, ADMISSION), factory).await?;
    Ok((handle, circuit))
}
