//! `bench hot`: searches in memory beside pgbench and beside the server's own searches of PostgreSQL, in one run.

mod filtered;
mod report;
mod text;

use super::Interrupt;
use super::child::ServerProcess;
use super::lab::Lab;
use super::made::Made;
use super::measure::{self, Asked};
use super::memory;
use super::pgbench::Pgbench;
use super::scale::{self, COLLECTION, Loaded};
use super::source::Source;
use crate::cli::Global;
use crate::cli::ingest::progress;
use crate::config::Settings;
use crate::rag::effort;
use anyhow::Result;
use clap::Args;
use report::Report;
use reqwest::Method;
use std::path::{Path, PathBuf};
use std::time::Duration;

const TOP_K: u16 = 10;

#[derive(Debug, Args)]
pub(in crate::cli) struct Hot {
    /// Chunks, in documents of twenty.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..=5_000_000))]
    chunks: u32,
    /// Seconds per measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Text to make the chunks from: a set in BEIR layout. Without it: the documents here.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Keep the data in a folder below this one, and use what an earlier run, or `bench scale`, left there.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Hot {
    pub(super) async fn run(
        self,
        global: &Global,
        mut settings: Settings,
        interrupt: &mut Interrupt,
    ) -> Result<()> {
        let kept = self.data_dir.as_ref().map(|root| root.join(self.chunks.to_string()));
        let scratch = super::scratch(&mut settings, kept.as_deref())?;
        let source = Source::read(self.corpus.as_deref())?;
        let lab = Lab::open(&settings).await?;
        let prepared = async {
            let made = Made::from(&lab, &source, self.chunks).await?;
            let loaded = scale::prepare(&lab, &source, &made, self.chunks).await?;
            anyhow::Ok((made, loaded))
        };
        let prepared = interrupt.or(prepared).await;
        lab.close().await;
        let (made, loaded) = prepared?;
        let hot = memory::with(global);
        let given = Given {
            global: &hot,
            settings: &settings,
            made: &made,
            loaded: &loaded,
            scratch: scratch.path(),
            chunks: self.chunks as usize,
            measured: Duration::from_secs(self.seconds),
        };
        let server = ServerProcess::start(&hot, &settings, &scratch.path().join("hot.log")).await?;
        let mut report = Report { chunks: self.chunks, source: source.name, ..Report::default() };
        let measured = interrupt.or(Box::pin(measure(&given, &server, &mut report))).await;
        let stopped = server.stop().await;
        measured?;
        stopped?;
        // What was written on the way out is there again.
        let server = ServerProcess::start(&hot, &settings, &scratch.path().join("again.log")).await?;
        let again =
            interrupt.or(Box::pin(memory::until_there(&hot, &settings, &made.questions, &server))).await;
        let stopped = server.stop().await;
        report.loaded_s = again?.as_secs_f64();
        stopped?;
        report.print(global.json)
    }
}

/// What there is to measure, and how long.
struct Given<'a> {
    global: &'a Global,
    settings: &'a Settings,
    made: &'a Made,
    loaded: &'a Loaded,
    scratch: &'a Path,
    chunks: usize,
    measured: Duration,
}

async fn measure(given: &Given<'_>, server: &ServerProcess, report: &mut Report) -> Result<()> {
    let Given { global, settings, made, loaded, scratch, chunks, measured } = *given;
    let Made { recipe, questions } = made;
    report.built_s = memory::until_there(global, settings, questions, server).await?.as_secs_f64();
    let client = memory::client(global, settings, server).await?;
    let system = client.json(Method::GET, "/v1/system", None).await?;
    report.bytes = system["index"]["bytes"].as_u64().unwrap_or_default();
    let address = server.base.trim_start_matches("http://").to_owned();
    let asked = Asked { address: &address, collection: COLLECTION, top_k: TOP_K, questions };
    let depth = usize::from(settings.search.candidates);
    let right = measure::right(recipe, chunks, questions, TOP_K, depth);
    report.recall = measure::recall(&client, &right, questions, COLLECTION, TOP_K).await?;
    client.close().await;
    let ef = effort::ef(&settings.search, TOP_K, i64::try_from(chunks)?);
    let beside = Pgbench::prepare(loaded.tools(), loaded.collection(), questions, TOP_K, ef, scratch).await?;
    let bar = progress(measure::CELLS as u64, "measurements");
    let cells = measure::cells(&asked, &beside, measured, scratch, &bar).await;
    bar.finish_and_clear();
    beside.clean().await?;
    report.cells = cells?;
    report.text_ms = text::measure(settings, &address, questions, measured).await?;
    report.filtered = Box::pin(filtered::measure(given, server)).await?;
    Ok(())
}
