//! Replicas replaced under load behind a real proxy, with clients that never try twice.
//!
//! Two replicas of the real binary on one PostgreSQL behind HAProxy; each is stopped by SIGTERM and
//! replaced in turn, several times. With the drain (`delay` longer than the proxy needs to notice) no
//! request may fail; without it (`delay` zero) some must, or the drill would prove nothing.

pub(crate) mod client;
mod haproxy;
mod replica;
pub(crate) mod traffic;

pub use client::Failure;
pub use haproxy::{Haproxy, Layer, PROBE};
pub use traffic::{Kind, Tally};

use crate::model::{Model, Pace};
use crate::postgres::Cluster;
use anyhow::{Result, ensure};
use client::{Connection, Request};
use replica::{Release, Replica};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use traffic::{COLLECTION, Traffic};

/// A delay that is long enough for this proxy: ten probes, since a busy machine answers some of them late.
pub const DELAY: Duration = Duration::from_millis(2000);
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a streamed answer takes to begin.
const CHAT: Duration = Duration::from_millis(1500);

/// What the drill runs on; one serves many runs.
pub struct Ground {
    cluster: Cluster,
    chat: Model,
    binary: PathBuf,
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Drill {
    pub layer: Layer,
    /// `server.drain_delay_ms`; zero switches the drain off.
    pub delay: Duration,
    /// How often each replica is replaced.
    pub rounds: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    pub drill: Drill,
    pub tallies: BTreeMap<Kind, Tally>,
    /// How long each stop took, to exit status 0.
    pub stops: Vec<Duration>,
}

impl Report {
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.tallies.values().map(|tally| tally.requests).sum()
    }

    #[must_use]
    pub fn failed(&self) -> u64 {
        self.tallies.values().map(|tally| tally.failed).sum()
    }

    #[must_use]
    pub fn resumed(&self) -> u64 {
        self.tallies.values().map(|tally| tally.resumed).sum()
    }
}

impl Ground {
    /// A database and a chat model that takes its time.
    ///
    /// # Panics
    /// When PostgreSQL is not set up.
    #[must_use]
    pub fn prepare(binary: PathBuf) -> Self {
        let cluster = Cluster::start();
        cluster.run("postgres", "CREATE DATABASE rag");
        let chat = slow_chat();
        Self { cluster, chat, binary }
    }

    /// # Errors
    /// When a replica or the proxy does not do its part; failed requests are no errors but the result.
    pub async fn run(&self, drill: Drill) -> Result<Report> {
        let release = Release {
            binary: self.binary.clone(),
            database: self.cluster.url("rag"),
            chat: self.chat.url(),
            delay: drill.delay,
        };
        let mut replicas = [Replica::start(release.clone()).await?, Replica::start(release).await?];
        fill(replicas[0].port).await?;
        let proxy = Haproxy::start(drill.layer, &replicas.each_ref().map(|replica| replica.port))?;
        for at in 0..replicas.len() {
            proxy.await_up(at).await?;
        }
        let traffic = Traffic::start(proxy.port);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut stops = Vec::new();
        for _ in 0..drill.rounds {
            for (at, replica) in replicas.iter_mut().enumerate() {
                stops.push(replica.replace().await?);
                proxy.await_up(at).await?;
                // A roll-out waits before it goes on, too (`minReadySeconds`).
                tokio::time::sleep(PROBE * 5).await;
            }
        }
        Ok(Report { drill, tallies: traffic.finish().await, stops })
    }
}

pub(crate) fn slow_chat() -> Model {
    Model::paced(Pace { chat: CHAT, ..Pace::default() })
}

/// Something to find.
pub(crate) async fn fill(port: u16) -> Result<()> {
    let mut connection = Connection::to(port);
    let body = format!("{{\"name\":\"{COLLECTION}\"}}");
    let headers = &[("content-type", "application/json")];
    let create = Request { line: "POST /v1/collections", headers, body: &body };
    match connection.ask(&create, |_| {}).await {
        Ok(_) | Err(Failure::Status(409)) => {}
        Err(failure) => anyhow::bail!("the collection cannot be made: {failure}"),
    }
    let body = "{\"text\":\"The harbour number 3 keeps its tide tables.\"}";
    let line = format!("PUT /v1/collections/{COLLECTION}/documents/first?wait=true");
    let put = connection.ask(&Request { line: &line, headers, body }, |_| {}).await;
    ensure!(put.is_ok(), "a document cannot be ingested: {put:?}");
    Ok(())
}

pub(crate) async fn wait_for(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        ensure!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
