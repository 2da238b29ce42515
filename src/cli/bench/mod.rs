//! Benchmarks of the whole system, each beside what it is to be compared with, in one run: search
//! beside `pgbench` on the same database, ingest beside the embedder alone, cached searches beside the same
//! ones without guards.
//!
//! They need two things to themselves, the machine and a data directory: by default a temporary one,
//! gone afterwards, also on Ctrl-C.

mod child;
mod chroma;
pub(super) mod dice;
mod echo;
mod exact;
mod filters;
mod guards;
mod hop;
mod hot;
mod ingest;
mod lab;
mod load;
mod made;
mod mcp;
mod measure;
mod memory;
mod mixed;
mod pgbench;
mod quotas;
mod report;
mod requests;
mod scale;
mod search;
mod source;
mod synthetic;
mod traffic;
mod wire;

use super::Global;
use crate::config::Settings;
use anyhow::{Result, bail};
use clap::Subcommand;
use std::path::Path;
use std::process::ExitCode;
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Debug, Subcommand)]
pub(super) enum Bench {
    /// Searches per second and their latency, beside pgbench, and recall against exact search.
    Search(search::Search),
    /// The same at several sizes, with what it takes to build them, and the growth from one to the next.
    Scale(scale::Scale),
    /// Dense searches beside a Chroma server on the same vectors, with and without filters.
    Chroma(chroma::Beside),
    /// Filtered searches by how much the filter lets through, beside plain pgvector SQL.
    Filters(filters::Filters),
    /// Searches in memory beside pgbench and beside PostgreSQL's own, with filters and by text.
    Hot(hot::Hot),
    /// What a call to an actor costs, in microseconds.
    Hop(hop::Hop),
    /// Cached searches with and without the actor hop and the guards, in turns.
    Guards(guards::Guards),
    /// Calls of MCP tools beside the same by REST, and a route that does nothing.
    Mcp(mcp::Mcp),
    /// Cached searches with and without limits, alone and through Redis, and how exactly three servers hold one.
    Quotas(quotas::Quotas),
    /// Requests of all kinds at a fixed rate, repeated and new ones, reads and writes.
    Mixed(mixed::Mixed),
    /// A whole ingest beside the embedder alone on the same chunks.
    Ingest(ingest::Ingest),
}

impl Bench {
    pub(super) async fn run(self, global: &Global, mut settings: Settings) -> Result<ExitCode> {
        if global.server.is_some() || settings.database.url.is_some() {
            bail!("a benchmark starts its own server and database: leave --server and database.url out");
        }
        // Its server listens on this machine only, for as long as the benchmark takes.
        settings.auth.token = None;
        settings.auth.jwt.issuer = None;
        let mut interrupt = Interrupt::new()?;
        let mut global = global.clone();
        if !matches!(self, Self::Hot(_) | Self::Chroma(_)) {
            // What is measured is PostgreSQL's path; the other two set their servers' memory themselves.
            settings.index.memory_bytes = 0;
            global.overrides.push(("index.memory_bytes".to_owned(), "0".to_owned()));
        }
        let global = &global;
        match self {
            Self::Search(search) => Box::pin(search.run(global, settings, &mut interrupt)).await?,
            Self::Scale(scale) => Box::pin(scale.run(global, settings, &mut interrupt)).await?,
            Self::Chroma(beside) => Box::pin(beside.run(global, settings, &mut interrupt)).await?,
            Self::Filters(filters) => Box::pin(filters.run(global, settings, &mut interrupt)).await?,
            Self::Hot(hot) => Box::pin(hot.run(global, settings, &mut interrupt)).await?,
            Self::Hop(hop) => hop.run(global, &mut interrupt).await?,
            Self::Guards(guards) => Box::pin(guards.run(global, settings, &mut interrupt)).await?,
            Self::Mcp(mcp) => Box::pin(mcp.run(global, settings, &mut interrupt)).await?,
            Self::Quotas(quotas) => Box::pin(quotas.run(global, settings, &mut interrupt)).await?,
            Self::Mixed(mixed) => Box::pin(mixed.run(global, settings, &mut interrupt)).await?,
            Self::Ingest(ingest) => Box::pin(ingest.run(global, settings, &mut interrupt)).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A folder for as long as a benchmark takes, and a data directory: in it, or the one that is kept.
fn scratch(settings: &mut Settings, kept: Option<&Path>) -> Result<TempDir> {
    let scratch = tempfile::Builder::new().prefix("mcp-rag-bench-").tempdir()?;
    settings.data_dir = kept.map_or_else(|| scratch.path().join("data"), Path::to_path_buf);
    std::fs::create_dir_all(&settings.data_dir)?;
    Ok(scratch)
}

/// Ctrl-C and its like, remembered from the start, so that what was started is also stopped.
struct Interrupt([Signal; 2]);

impl Interrupt {
    fn new() -> std::io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?]))
    }

    /// The work's result, or an error as soon as somebody wants it to end.
    async fn or<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            result = work => result,
            _ = interrupt.recv() => bail!("interrupted"),
            _ = terminate.recv() => bail!("told to stop"),
        }
    }
}
