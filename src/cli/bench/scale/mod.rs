//! `bench scale`: the same measurements at several sizes, and how they grow from one to the next.

mod facts;
mod load;
mod plot;
mod report;

use super::Interrupt;
use super::child::ServerProcess;
use super::exact;
use super::lab::{Lab, Tools};
use super::load::find;
use super::made::Made;
use super::measure::{self, Asked};
use super::pgbench::Pgbench;
use super::source::Source;
use super::synthetic::RECIPE;
use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::ingest::progress;
use crate::config::Settings;
use crate::rag::effort;
use anyhow::{Result, bail};
use clap::Args;
use load::Built;
use mcp_rag_actors::store::CollectionId;
use report::{Report, Size};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const COLLECTION: &str = "mcp-rag-bench";
const TOP_K: u16 = 10;
/// Candidates kept, for the recall that each gives.
const CURVE: [u16; 7] = [40, 70, 100, 150, 200, 300, 400];

#[derive(Debug, Args)]
pub(in crate::cli) struct Scale {
    /// Numbers of chunks, ascending.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000",
          value_parser = clap::value_parser!(u32).range(1000..=5_000_000))]
    chunks: Vec<u32>,
    /// Seconds per cell of each table.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Text to make the chunks from: a set in BEIR layout. Without it: the documents here.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Keep each size's data in a folder below this one, and use what an earlier run left there.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Draw throughput, latency and recall by size.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// A loaded size.
pub(super) struct Loaded {
    collection: CollectionId,
    built: Option<Built>,
    tools: Tools,
}

impl Loaded {
    pub(super) fn collection(&self) -> CollectionId {
        self.collection
    }

    pub(super) fn tools(&self) -> &Tools {
        &self.tools
    }
}

impl Scale {
    pub(super) async fn run(
        self,
        global: &Global,
        settings: Settings,
        interrupt: &mut Interrupt,
    ) -> Result<()> {
        if !self.chunks.is_sorted_by(|a, b| a < b) {
            bail!("--chunks: name each size once, the smallest first");
        }
        let scratch = tempfile::Builder::new().prefix("mcp-rag-bench-").tempdir()?;
        let root = self.data_dir.clone().unwrap_or_else(|| scratch.path().join("data"));
        let source = Source::read(self.corpus.as_deref())?;
        let mut report = Report { source: source.name.clone(), top_k: TOP_K, ..Report::default() };
        for chunks in &self.chunks {
            let mut settings = settings.clone();
            settings.data_dir = root.join(chunks.to_string());
            std::fs::create_dir_all(&settings.data_dir)?;
            let size = self.size(global, &settings, &source, *chunks, scratch.path(), interrupt);
            report.sizes.push(Box::pin(size).await?);
            if self.data_dir.is_none() {
                std::fs::remove_dir_all(&settings.data_dir)?;
            }
            // A size takes minutes: what is known is shown at once.
            if !global.json {
                report.print_last()?;
            }
        }
        if let Some(file) = &self.svg {
            std::fs::write(file, plot::svg(&report))?;
        }
        report.print_end(global.json)
    }

    async fn size(
        &self,
        global: &Global,
        settings: &Settings,
        source: &Source,
        chunks: u32,
        scratch: &Path,
        interrupt: &mut Interrupt,
    ) -> Result<Size> {
        let lab = Lab::open(settings).await?;
        let prepared = async {
            let made = Made::from(&lab, source, chunks).await?;
            let loaded = prepare(&lab, source, &made, chunks).await?;
            anyhow::Ok((made, loaded))
        };
        let prepared = interrupt.or(prepared).await;
        lab.close().await;
        let (made, loaded) = prepared?;
        let server = ServerProcess::start(global, settings, &scratch.join("server.log")).await?;
        let measured = Box::pin(self.measure(global, settings, &made, &loaded, chunks, &server, scratch));
        let measured = interrupt.or(measured).await;
        let stopped = server.stop().await;
        let size = measured?;
        stopped.map(|()| size)
    }

    #[expect(clippy::too_many_arguments, reason = "one step of the function above")]
    async fn measure(
        &self,
        global: &Global,
        settings: &Settings,
        made: &Made,
        loaded: &Loaded,
        chunks: u32,
        server: &ServerProcess,
        scratch: &Path,
    ) -> Result<Size> {
        let Made { recipe, questions } = made;
        let address = server.base.trim_start_matches("http://").to_owned();
        let asked = Asked { address: &address, collection: COLLECTION, top_k: TOP_K, questions };
        // Before anything else asks: what the first users after a start see.
        let first_ms = measure::first(&asked)?;
        let ef = effort::ef(&settings.search, TOP_K, i64::from(chunks));
        let global = Global { server: Some(server.base.clone()), ..global.clone() };
        let client = Client::open(&global, settings.clone()).await?;
        let depth = usize::from(settings.search.candidates);
        let right = measure::right(recipe, chunks as usize, questions, TOP_K, depth);
        let recall = measure::recall(&client, &right, questions, COLLECTION, TOP_K).await?;
        let beside =
            Pgbench::prepare(&loaded.tools, loaded.collection, questions, TOP_K, ef, scratch).await?;
        let mut curve = Vec::new();
        for ef in CURVE {
            // COPY numbered them from one.
            let ids = beside.found(ef, right.dense.len()).await?.into_iter();
            let found: Vec<Vec<usize>> =
                ids.map(|ids| ids.into_iter().map(|id| id.saturating_sub(1)).collect()).collect();
            curve.push((ef, exact::recall(&found, &right.dense)));
        }
        let bar = progress(measure::CELLS as u64, &format!("measurements at {chunks} chunks"));
        let cells = measure::cells(&asked, &beside, Duration::from_secs(self.seconds), scratch, &bar).await;
        bar.finish_and_clear();
        let memory = facts::memory(server.pid, &settings.data_dir);
        let sizes = facts::sizes(&loaded.tools).await?;
        beside.clean().await?;
        client.close().await;
        Ok(Size {
            chunks,
            ef,
            built: loaded.built,
            sizes,
            memory,
            ready_s: server.ready.as_secs_f64(),
            first_ms,
            recall,
            curve,
            cells: cells?,
        })
    }
}

pub(super) async fn prepare(lab: &Lab, source: &Source, made: &Made, chunks: u32) -> Result<Loaded> {
    let signature = format!("{chunks} chunks of {}, recipe {RECIPE}, by COPY", source.name);
    let built = match find(&lab.store, COLLECTION).await? {
        Some(found) if found.description == signature => None,
        Some(_) => bail!("the data directory holds other data: name another one, or remove it"),
        None => Some(load::load(lab, COLLECTION, &signature, &made.recipe, chunks as usize).await?),
    };
    let Some(collection) = find(&lab.store, COLLECTION).await? else { bail!("the collection has gone") };
    Ok(Loaded { collection: collection.id, built, tools: lab.tools.clone() })
}
