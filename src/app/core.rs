//! The actors in the order of their start, and the pipelines over them: all that needs no listener.

use super::sampler;
use crate::config::{ConfigError, Environment, Settings};
use crate::flags::{self, Flags};
use crate::http::{self, Drain, State};
use crate::identity::Gate;
use crate::rag::extractive::Extractive;
use crate::rag::ingest::Worker;
use crate::rag::models::Models;
use crate::rag::{Handles, Rag};
use crate::telemetry::{Exemplars, History, SECONDS, register_zeroes};
use actix_web::web::Data;
use anyhow::Result;
use mcp_rag_actors::cache::CacheHandle;
use mcp_rag_actors::generator::{Engine, GeneratorHandle};
use mcp_rag_actors::index::{IndexHandle, IndexSettings};
use mcp_rag_actors::jwks::JwksHandle;
use mcp_rag_actors::parser::{ParserHandle, ParserSettings};
use mcp_rag_actors::postgres::{self, DataDirLock};
use mcp_rag_actors::reranker::RerankerHandle;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{self, Address, AnyKey, PoolSettings, Sight, StoreHandle};
use mcp_rag_actors::supervise::{Lifeline, Tree};
use mcp_rag_actors::webhook::WebhookHandle;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use secrecy::{ExposeSecret, SecretString};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::AbortHandle;

/// How long an actor may take to let go of what it owns.
pub(super) const ACTOR_GRACE: Duration = Duration::from_secs(25);
/// Of the one look at the start for whether anybody has a key.
const LOOK: Duration = Duration::from_secs(10);
const UPKEEP: Duration = Duration::from_secs(5);

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The API, and work on the queue where `ingest.worker` says so.
    Serve,
    /// Work on the queue alone, beside servers on the same database.
    Work,
}

/// The pipelines over running actors, without a listener: what the command line uses too.
pub struct Core {
    pub rag: Arc<Rag>,
    pub gate: Arc<Gate>,
    /// How the server logs in to its database.
    pub(super) database: Address,
    pub tree: Arc<Tree>,
    metrics: PrometheusHandle,
    history: Arc<History>,
    exemplars: Arc<Exemplars>,
    upkeep: AbortHandle,
    warming: Option<AbortHandle>,
}

impl Core {
    /// Starts every actor in order; the first that cannot start is the error.
    pub async fn start(settings: Settings, role: Role) -> Result<Self> {
        let tree = Arc::new(Tree::new(settings.supervision));
        let metrics = recorder()?;
        match Box::pin(Self::start_actors(&tree, settings, role)).await {
            Ok((rag, database)) => {
                let gate = Arc::new(Gate::new(Arc::clone(&rag)));
                sampler::begin(&rag);
                let history = Arc::new(History::default());
                let upkeep =
                    keep_up(metrics.clone(), Arc::clone(&history), Arc::clone(&gate), Arc::clone(&rag));
                let upkeep = tokio::spawn(upkeep).abort_handle();
                let exemplars = Arc::default();
                Ok(Self { rag, gate, database, tree, metrics, history, exemplars, upkeep, warming: None })
            }
            Err(error) => {
                tree.stop(ACTOR_GRACE).await; // a half-started server leaves nothing behind
                Err(error)
            }
        }
    }

    async fn start_actors(tree: &Tree, settings: Settings, role: Role) -> Result<(Arc<Rag>, Address)> {
        let (owner, app) = database(tree, &settings, role).await?;
        let migrated = store::migrate(&owner, settings.database.migrate).await?;
        store::take_role(&app).await?;
        tracing::info!(
            postgres = migrated.postgres,
            pgvector = migrated.pgvector,
            applied = migrated.applied.len(),
            "database ready"
        );
        let models = Models::start(tree, &settings.embedder).await?;
        let store = StoreHandle::start(tree, pool(&settings, app.clone())?).await?;
        if role == Role::Serve {
            require_key(&settings, &store).await?;
        }
        models.compare_with(&store).await;
        let cache = CacheHandle::start(tree, &settings.cache, &settings.redis).await?;
        let reranker = RerankerHandle::start(tree, &settings.reranker).await?;
        let sentences = models.first.clone();
        let extractive = move || Rc::new(Extractive { embedder: sentences.clone() }) as Rc<dyn Engine>;
        let generator = GeneratorHandle::start(tree, &settings.generator, extractive).await?;
        let ingest = &settings.ingest;
        let parser = ParserSettings {
            // The running program, also after its file was replaced.
            program: if cfg!(target_os = "linux") {
                "/proc/self/exe".into()
            } else {
                std::env::current_exe()?
            },
            processes: ingest.parser_processes,
            memory_mb: ingest.parser_memory_mb,
            timeout: Duration::from_millis(ingest.parser_timeout_ms),
        };
        let parser = ParserHandle::start(tree, parser).await?;
        let webhooks = WebhookHandle::start(tree, &settings.webhooks).await?;
        let jwks = match settings.auth.jwt.jwks().filter(|_| role == Role::Serve) {
            Some(jwks) => Some(JwksHandle::start(tree, jwks).await?),
            None => None,
        };
        // A worker answers no searches.
        let copies = match role {
            Role::Serve => settings.index.clone(),
            Role::Work => IndexSettings { memory_bytes: 0, ..settings.index.clone() },
        };
        let folder = settings.data_dir.join("index");
        let index = IndexHandle::start(tree, &copies, folder, store.seeing(Sight::All)).await?;
        let flags = Flags::start(&settings.flags).await.map_err(ConfigError)?;
        let handles = Handles { store, cache, models, reranker, generator, parser, webhooks, jwks, index };
        let rag = Arc::new(Rag::new(handles, flags, settings));
        if role == Role::Work || rag.settings().ingest.worker {
            let (work, name) = (Arc::clone(&rag), Worker::name());
            let worker = move |lifeline: Lifeline| {
                let (work, name) = (Arc::clone(&work), Arc::clone(&name));
                async move { Ok(Worker::start(work, name, &lifeline)) }
            };
            tree.start(tree.spec("jobs", 1), worker).await?;
        }
        Ok((rag, app))
    }

    /// The usual statements now, the index in the background.
    pub(super) async fn warm(&mut self) {
        let tenant = http::DEFAULT_TENANT;
        if let Some((space, chunks)) = self.rag.warm_up(tenant).await {
            let rag = Arc::clone(&self.rag);
            let warming = tokio::spawn(async move { rag.warm_index(tenant, space, chunks).await });
            self.warming = Some(warming.abort_handle());
        }
    }

    /// What handlers share.
    pub(crate) fn state(&self, settings: &Settings) -> Data<State> {
        Data::new(State {
            rag: Arc::clone(&self.rag),
            gate: Arc::clone(&self.gate),
            tree: Arc::clone(&self.tree),
            drain: Drain::default(),
            admission: http::Admission::new(&settings.server),
            uploads: http::Uploads::new(settings.server.max_upload_bytes),
            metrics: self.metrics.clone(),
            history: Arc::clone(&self.history),
            exemplars: Arc::clone(&self.exemplars),
        })
    }

    /// Stops every actor, dependents first, the managed PostgreSQL last.
    pub async fn stop(&self) {
        self.upkeep.abort();
        self.warming.iter().for_each(AbortHandle::abort);
        self.gate.write_down().await;
        self.rag.quotas.spending.write_down().await;
        self.tree.stop(ACTOR_GRACE).await;
    }
}

/// Histograms hold every single sample until somebody reads them, and nobody else may ever.
async fn keep_up(metrics: PrometheusHandle, history: Arc<History>, gate: Arc<Gate>, rag: Arc<Rag>) {
    let metrics = async {
        loop {
            history.read(&metrics.render());
            tokio::time::sleep(UPKEEP).await;
        }
    };
    tokio::join!(
        metrics,
        gate.keep_up(),
        rag.quotas.spending.keep_up(),
        sampler::sample(Arc::clone(&rag)),
        flags::watch(&rag)
    );
}

/// Where keys alone let callers in, there must be one.
async fn require_key(settings: &Settings, store: &StoreHandle) -> Result<()> {
    let auth = &settings.auth;
    let none_needed =
        settings.environment == Environment::Development || auth.token.is_some() || auth.jwt.is_on();
    if none_needed || store.call(AnyKey, Deadline::within(LOOK)).await? {
        return Ok(());
    }
    let message = "nobody could call this server: auth.keys_only is set, and there is no API key. Make one on its \
                   database: mcp-rag keys create NAME --scope admin";
    Err(ConfigError(message.to_owned()).into())
}

/// Connections as owner (migrations) and as the server: the managed PostgreSQL's, or the same
/// external login for both, whose sessions then take the restricted role.
pub(super) async fn database(tree: &Tree, settings: &Settings, role: Role) -> Result<(Address, Address)> {
    if let Some(url) = &settings.database.url {
        let address =
            Address::parse(url.expose_secret(), &settings.database.tls).map_err(anyhow::Error::msg)?;
        let limit = Duration::from_millis(settings.database.connect_timeout_ms);
        let address = address.connecting_within(limit);
        return Ok((address.clone(), address));
    }
    if role == Role::Work {
        let connections = postgres::join(&settings.data_dir)?;
        return Ok((connections.owner.into(), connections.app.into()));
    }
    let lock = Arc::new(DataDirLock::acquire(&settings.data_dir)?);
    let connections = postgres::supervise(tree, settings.database.embedded.clone(), lock).await?;
    Ok((connections.owner.into(), connections.app.into()))
}

pub(crate) fn pool(settings: &Settings, writer: Address) -> Result<PoolSettings> {
    let database = &settings.database;
    let replica = |url: &SecretString| Address::parse_replica(url.expose_secret(), &database.tls);
    let replicas = database.replica_urls.iter().map(replica);
    Ok(PoolSettings {
        writer,
        replicas: replicas.collect::<Result<_, _>>().map_err(anyhow::Error::msg)?,
        max_lag: Duration::from_millis(database.replica_max_lag_ms),
        size: database.pool_size,
        wait: Duration::from_millis(database.pool_wait_ms),
        connect: Duration::from_millis(database.connect_timeout_ms),
        statement: Duration::from_millis(database.statement_timeout_ms),
        session: vec![
            // Searches bring their own; this is for whatever else scans an index.
            ("hnsw.ef_search", settings.search.ef_search.unwrap_or(100).to_string()),
            ("hnsw.iterative_scan", "relaxed_order".to_owned()),
        ],
    })
}

/// One recorder per process, however many servers its tests start.
fn recorder() -> Result<PrometheusHandle> {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = RECORDER.get() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()?;
    register_zeroes();
    metrics::gauge!("mcp_rag_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(RECORDER.get_or_init(|| handle).clone())
}

/// Brings the schema up to date and stops again.
pub async fn migrate(settings: Settings) -> Result<store::Migrated> {
    let tree = Tree::default();
    let migrated = async {
        let (owner, _) = database(&tree, &settings, Role::Serve).await?;
        Ok(store::migrate(&owner, true).await?)
    };
    let migrated = migrated.await;
    tree.stop(ACTOR_GRACE).await;
    migrated
}
