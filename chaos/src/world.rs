//! A server and the real dependencies that one row of the table needs, with a corpus in it.
//!
//! Everything in a world ends when it is dropped: server, PostgreSQL, Redis, mounts.

mod clock;
mod disk;
mod server;

pub use clock::Clock;
pub use disk::SmallDisk;
pub(crate) use server::home;
pub use server::{Program, Server, Usage, Worker};

use crate::load::corpus::{COLLECTION, Corpus, WRITES};
use crate::load::{Ledger, Target};
use crate::model::{Model, Pace};
use crate::postgres::Cluster;
use crate::proxy::Proxy;
use crate::redis::Redis;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the server's PostgreSQL comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Database {
    /// The server's own child.
    #[default]
    Managed,
    /// The server's own child on a disk of 400 MiB.
    SmallDisk,
    /// Somebody else's, behind a proxy.
    External,
    /// A primary and a synchronous standby, both named in `database.url`.
    Pair,
}

/// Who embeds, answers and reranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Models {
    pub chat: bool,
    pub embedder: bool,
    pub reranker: bool,
}

/// What a row needs; rows with equal needs share a world.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    pub database: Database,
    pub redis: bool,
    pub models: Models,
    /// The server's clock can be moved.
    pub clock: bool,
    pub sets: Vec<(&'static str, String)>,
}

/// A healthy model's replies take about as long as a small local one's.
const PACE: Pace = Pace {
    chat: Duration::from_millis(150),
    embeddings: Duration::from_millis(10),
    rerank: Duration::from_millis(10),
};
const DOCUMENTS: usize = 60;
/// How long anything a world waits for may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct World {
    pub target: Target,
    pub corpus: Arc<Corpus>,
    pub ledger: Arc<Ledger>,
    // In the order in which they end: the server first.
    pub server: Server,
    pub redis: Option<Redis>,
    pub model: Option<Model>,
    pub proxy: Option<Proxy>,
    pub standby: Option<Cluster>,
    pub cluster: Option<Cluster>,
    pub clock: Option<Clock>,
    pub disk: Option<SmallDisk>,
}

impl World {
    /// Starts everything, ingests the corpus and waits until a search finds it.
    pub async fn start(program: &Program, needs: &Needs) -> Result<Self> {
        let home = home()?;
        let mut sets: Vec<(String, String)> = Vec::new();
        let mut set = |key: &str, value: String| sets.push((key.to_owned(), value));
        let redis = needs.redis.then(Redis::start);
        if let Some(redis) = &redis {
            set("redis.url", redis.url());
        }
        let wants_model = needs.models != Models::default();
        let model = wants_model.then(|| Model::paced(PACE));
        if let Some(model) = &model {
            models(needs.models, &model.url(), &mut set);
        }
        let external = matches!(needs.database, Database::External | Database::Pair);
        let cluster = if external { Some(tokio::task::spawn_blocking(cluster).await?) } else { None };
        let mut standby = None;
        let proxy =
            cluster.as_ref().map(|cluster| Proxy::tcp(SocketAddr::from(([127, 0, 0, 1], cluster.port()))));
        if let (Some(cluster), Some(proxy)) = (&cluster, &proxy) {
            let url = if needs.database == Database::Pair {
                let second = tokio::task::block_in_place(|| cluster.standby());
                tokio::task::block_in_place(|| cluster.synchronous(true));
                let url = format!(
                    "{}?target_session_attrs=read-write",
                    Cluster::url_of_all(&[cluster, &second], "rag")
                );
                standby = Some(second);
                url
            } else {
                cluster.url("rag")
            };
            set(
                "database.url",
                url.replace(&format!("127.0.0.1:{}", cluster.port()), &proxy.address().to_string()),
            );
        }
        let disk = match needs.database {
            Database::SmallDisk => Some(SmallDisk::mount(&home.path().join("data"))?),
            Database::Managed | Database::External | Database::Pair => None,
        };
        let clock = if needs.clock { Some(Clock::build(home.path())?) } else { None };
        for (key, value) in &needs.sets {
            set(key, value.clone());
        }
        let envs = clock.as_ref().map(Clock::envs).unwrap_or_default();
        let server = Server::start(program, home, sets, envs).await?;
        let target = Target::new(server.api.clone(), server.admin.clone(), needs.models.reranker)?;
        let mut world = Self {
            target,
            corpus: Arc::new(Corpus::new(DOCUMENTS)),
            ledger: Arc::default(),
            server,
            redis,
            model,
            proxy,
            standby,
            cluster,
            clock,
            disk,
        };
        world.fill().await?;
        world.settle().await?;
        Ok(world)
    }

    async fn fill(&self) -> Result<()> {
        for name in [COLLECTION, WRITES] {
            let made = self.target.post("/v1/collections", &json!({ "name": name })).await?;
            ensure!(made.status == 201, "a collection cannot be made: {}", made.text);
        }
        let path = format!("/v1/collections/{COLLECTION}/documents");
        let receipt = self.target.ndjson(&path, self.corpus.lines()).await?;
        ensure!(receipt.status == 202, "the corpus is refused: {}", receipt.text);
        Ok(())
    }

    /// Until searches and answers are good and nothing is degraded.
    pub async fn settle(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut problem = None;
            for (n, fact) in self.corpus.facts.iter().enumerate().step_by(7) {
                let nonce = Some(fastrand::u32(..));
                let outcome = if n % 2 == 0 {
                    self.target.search(&self.corpus, fact, nonce).await
                } else {
                    self.target.answer(&self.corpus, fact, nonce).await
                };
                if !outcome.is_good() {
                    problem = Some(outcome);
                    break;
                }
            }
            let Some(problem) = problem else { return Ok(()) };
            self.server.check_alive().context("while settling")?;
            ensure!(Instant::now() < deadline, "it never settles: {problem:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn cluster() -> Cluster {
    let cluster = Cluster::start();
    cluster.run("postgres", "CREATE DATABASE rag");
    cluster
}

fn models(models: Models, url: &str, set: &mut impl FnMut(&str, String)) {
    if models.chat {
        set("generator.kind", "openai".to_owned());
        set("generator.base_url", url.to_owned());
        set("generator.model", "tiny-chat".to_owned());
        set("generator.first_token_ms", "800".to_owned());
        set("generator.timeout_ms", "2000".to_owned());
    }
    if models.embedder {
        set("embedder.kind", "openai".to_owned());
        set("embedder.base_url", url.to_owned());
        set("embedder.model", "hashed-words".to_owned());
        set("embedder.dimensions", crate::model::DIMENSIONS.to_string());
    }
    if models.reranker {
        set("reranker.kind", "cohere".to_owned());
        set("reranker.base_url", url.to_owned());
        set("reranker.model", "common-words".to_owned());
    }
}
