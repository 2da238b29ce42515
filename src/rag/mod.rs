//! The pipelines: ingest, search, answer. Each is a readable sequence of messages to actors; none
//! touches a pool or a socket.

pub mod answer;
mod catalog;
mod citations;
pub mod consistency;
pub(crate) mod effort;
pub mod extractive;
pub mod filter;
pub mod ingest;
mod jobs;
pub mod models;
mod rerank;
pub mod search;
pub mod spaces;
mod warm;
mod window;
mod withheld;

use crate::audit::Audit;
use crate::config::{Running, Settings};
use crate::flags::{Flags, Switches};
use crate::identity::Identity;
use crate::quotas::Quotas;
use catalog::Catalog;
use mcp_rag_actors::cache::CacheHandle;
use mcp_rag_actors::embedder::EmbedderHandle;
use mcp_rag_actors::generator::GeneratorHandle;
use mcp_rag_actors::index::IndexHandle;
use mcp_rag_actors::jwks::JwksHandle;
use mcp_rag_actors::parser::ParserHandle;
use mcp_rag_actors::reranker::RerankerHandle;
use mcp_rag_actors::resilience::{BreakerStatus, Circuit, Deadline};
use mcp_rag_actors::store::{Sight, StoreHandle, TenantId};
use mcp_rag_actors::webhook::WebhookHandle;
use models::Models;
use moka::future::Cache;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Who asks, and until when: set once where a request enters.
#[derive(Debug, Clone)]
pub struct Caller {
    pub tenant: TenantId,
    pub deadline: Deadline,
    pub identity: Arc<Identity>,
}

impl Caller {
    /// The server itself, at work for a tenant.
    pub fn server(tenant: TenantId, deadline: Deadline) -> Self {
        Self { tenant, deadline, identity: Identity::server(tenant) }
    }
}

/// The way to every actor.
pub struct Handles {
    pub store: StoreHandle,
    pub cache: CacheHandle,
    pub models: Models,
    pub reranker: RerankerHandle,
    pub generator: GeneratorHandle,
    pub parser: ParserHandle,
    pub webhooks: WebhookHandle,
    pub jwks: Option<JwksHandle>,
    pub index: IndexHandle,
}

/// What every pipeline works with: handles and limits, cheap to share.
pub struct Rag {
    /// Sees the documents that are everyone's; with the caller's eyes, by [`Rag::seen_by`].
    pub store: StoreHandle,
    /// The server's own: sees all.
    pub all: StoreHandle,
    pub cache: CacheHandle,
    /// The first of the models: its tokenizer cuts documents, and it compares sentences.
    pub embedder: EmbedderHandle,
    pub models: Models,
    pub reranker: RerankerHandle,
    pub generator: GeneratorHandle,
    pub parser: ParserHandle,
    pub webhooks: WebhookHandle,
    /// The keys that sign callers' tokens, where these come from an issuer.
    pub jwks: Option<JwksHandle>,
    /// Copies of what is searched most.
    pub index: IndexHandle,
    pub catalog: Catalog,
    pub progress: ingest::Progress,
    pub room: ingest::Room,
    pub running: Running,
    pub flags: Flags,
    pub audit: Audit,
    pub quotas: Quotas,
    /// Places for questions to the chat model about chunks: answers must not wait behind an ingest.
    context_calls: Semaphore,
    /// Searches under way, and those that ended a moment ago.
    flights: Cache<String, Arc<search::SearchResponse>>,
}

/// How long the outcome of a search is there for those who asked the same meanwhile.
const FLIGHT: Duration = Duration::from_millis(50);
const MAX_FLIGHTS: u64 = 128;
/// How soon another replica's change of collections and spaces is seen.
const CATALOG_TTL: Duration = Duration::from_secs(1);

impl Rag {
    pub fn new(handles: Handles, flags: Flags, settings: Settings) -> Self {
        let Handles { store, cache, models, reranker, generator, parser, webhooks, jwks, index } = handles;
        let embedder = models.first.clone();
        let all = store.seeing(Sight::All);
        let audit = Audit::new(store.clone());
        let catalog = Catalog::new(all.clone(), models.clone(), index.clone(), CATALOG_TTL);
        let flights = Cache::builder().max_capacity(MAX_FLIGHTS).time_to_live(FLIGHT).build();
        let progress = ingest::Progress::default();
        let context_calls = Semaphore::new(settings.ingest.context_calls);
        let room = ingest::Room::new(settings.ingest.long_text_bytes, settings.ingest.concurrency);
        let running = Running::new(settings);
        let quotas = Quotas::new(store.clone(), cache.clone());
        Self {
            store,
            all,
            cache,
            embedder,
            models,
            reranker,
            generator,
            parser,
            webhooks,
            jwks,
            index,
            catalog,
            progress,
            room,
            running,
            flags,
            audit,
            quotas,
            context_calls,
            flights,
        }
    }

    /// The settings of this moment; one request looks once.
    pub fn settings(&self) -> Arc<Settings> {
        self.running.get()
    }

    /// The flags of this moment for a tenant; one request looks once for each pipeline.
    pub fn switches(&self, tenant: TenantId) -> Switches {
        self.flags.of(tenant, &self.settings().flags)
    }

    /// The store, for what the caller may see.
    pub fn seen_by(&self, caller: &Caller) -> StoreHandle {
        self.store.seeing(caller.identity.sight())
    }

    /// Every dependency's circuit, in the order of a request's way.
    pub fn breakers(&self) -> Vec<BreakerStatus> {
        let (first, second) = (Some(self.embedder.circuit()), self.models.second.as_ref());
        let second = second.map(EmbedderHandle::circuit);
        let jwks = self.jwks.as_ref().map(JwksHandle::circuit);
        let circuits =
            [jwks, self.cache.circuit(), first, second, self.reranker.circuit(), self.generator.circuit()];
        let models = circuits.into_iter().flatten().map(Circuit::status);
        self.store.breakers().into_iter().chain(models).collect()
    }
}
