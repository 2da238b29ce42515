//! `bench hot`: searches in memory beside pgbench and beside the server's own searches of PostgreSQL, in one run.

mod report;
mod text;

use super::Interrupt;
use super::child::ServerProcess;
use super::exact;
use super::lab::Lab;
use super::load::number_of;
use super::made::Made;
use super::measure::{self, Asked, CLIENTS};
use super::memory;
use super::pgbench::Pgbench;
use super::requests::{self, Kind, Question, open_body};
use super::scale::{self, COLLECTION, Loaded};
use super::source::Source;
use super::synthetic::{PER_DOCUMENT, Recipe};
use super::traffic::{self, Expect, Measured};
use crate::cli::Global;
use crate::cli::ingest::progress;
use crate::config::Settings;
use crate::rag::effort;
use anyhow::{Context, Result, ensure};
use clap::Args;
use report::{Filtered, Report};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const TOP_K: u16 = 10;
const RECALL_QUESTIONS: usize = 100;
/// A chunk of so many, by an attribute of its document.
const SELECTIONS: [(&str, usize); 3] = [("tenth", 10), ("hundredth", 100), ("thousandth", 1_000)];

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
        let mut report = Report { chunks: self.chunks, source: source.name, ..Report::default() };
        // PostgreSQL's own searches first, by a server that keeps nothing in memory.
        let cold = memory::without(global);
        let server = ServerProcess::start(&cold, &settings, &scratch.path().join("cold.log")).await?;
        let measured = interrupt.or(Box::pin(self.filtered(&cold, &settings, &made, &server))).await;
        let stopped = server.stop().await;
        let beside = measured?;
        stopped?;
        let hot = memory::with(global);
        let server = ServerProcess::start(&hot, &settings, &scratch.path().join("hot.log")).await?;
        let measuring = self.measure(&hot, &settings, &made, &loaded, &server, scratch.path(), &mut report);
        let measured = interrupt.or(Box::pin(measuring)).await;
        let stopped = server.stop().await;
        let filtered = measured?;
        stopped?;
        report.filtered = beside.iter().zip(&filtered).map(|(cold, hot)| Filtered::new(cold, hot)).collect();
        // What was written on the way out is there again.
        let server = ServerProcess::start(&hot, &settings, &scratch.path().join("again.log")).await?;
        let again =
            interrupt.or(Box::pin(memory::until_there(&hot, &settings, &made.questions, &server))).await;
        let stopped = server.stop().await;
        report.loaded_s = again?.as_secs_f64();
        stopped?;
        report.print(global.json)
    }

    #[expect(clippy::too_many_arguments, reason = "one step of the function above")]
    async fn measure(
        &self,
        global: &Global,
        settings: &Settings,
        made: &Made,
        loaded: &Loaded,
        server: &ServerProcess,
        scratch: &Path,
        report: &mut Report,
    ) -> Result<Vec<Selected>> {
        let Made { recipe, questions } = made;
        report.built_s = memory::until_there(global, settings, questions, server).await?.as_secs_f64();
        let client = memory::client(global, settings, server).await?;
        let system = client.json(Method::GET, "/v1/system", None).await?;
        report.bytes = system["index"]["bytes"].as_u64().unwrap_or_default();
        let address = server.base.trim_start_matches("http://").to_owned();
        let asked = Asked { address: &address, collection: COLLECTION, top_k: TOP_K, questions };
        let depth = usize::from(settings.search.candidates);
        let right = measure::right(recipe, self.chunks as usize, questions, TOP_K, depth);
        report.recall = measure::recall(&client, &right, questions, COLLECTION, TOP_K).await?;
        let ef = effort::ef(&settings.search, TOP_K, i64::from(self.chunks));
        let beside =
            Pgbench::prepare(loaded.tools(), loaded.collection(), questions, TOP_K, ef, scratch).await?;
        let measured = Duration::from_secs(self.seconds);
        let bar = progress(measure::CELLS as u64, "measurements");
        let cells = measure::cells(&asked, &beside, measured, scratch, &bar).await;
        bar.finish_and_clear();
        beside.clean().await?;
        report.cells = cells?;
        report.text_ms = text::measure(settings, &address, questions, measured).await?;
        client.close().await;
        self.filtered(global, settings, made, server).await
    }

    /// Dense searches under filters, of whichever server this is.
    async fn filtered(
        &self,
        global: &Global,
        settings: &Settings,
        made: &Made,
        server: &ServerProcess,
    ) -> Result<Vec<Selected>> {
        let client = memory::client(global, settings, server).await?;
        let sample: Vec<&Question> = made.questions.iter().take(RECALL_QUESTIONS).collect();
        let mut all = Vec::new();
        for (key, every) in SELECTIONS {
            let right = nearest(&made.recipe, self.chunks as usize, &sample, every);
            let open = |question: &Question| {
                let mut body = open_body(Kind::Dense, question, COLLECTION, TOP_K);
                body.push_str(&format!(",\"filters\":{}", json!({"type": "eq", "key": key, "value": 0})));
                body
            };
            let (mut found, mut plan) = (Vec::new(), String::new());
            for question in &sample {
                let body: Value = serde_json::from_str(&requests::unique(&open(question), 0))?;
                let answer = client.json(Method::POST, "/v1/search", Some(&body)).await?;
                plan = answer["timings"]["plan"].as_str().unwrap_or_default().to_owned();
                let results = answer["results"].as_array().context("no results")?;
                found.push(results.iter().filter_map(number_of).collect::<Vec<usize>>());
            }
            let wanted: usize = right.iter().map(Vec::len).sum();
            ensure!(found.iter().map(Vec::len).sum::<usize>() >= wanted, "fewer than top_k results at {key}");
            let bodies = Arc::new(made.questions.iter().map(open).collect::<Vec<String>>());
            let address = server.base.trim_start_matches("http://").to_owned();
            let mut cells = Vec::new();
            for clients in CLIENTS {
                let (warm_up, measured) = (Duration::from_millis(500), Duration::from_secs(self.seconds));
                let result =
                    traffic::drive(&address, &bodies, Expect::Fresh, clients, warm_up, measured).await?;
                cells.push((clients, result));
            }
            all.push(Selected { every, plan, recall: exact::recall(&found, &right), cells });
        }
        client.close().await;
        Ok(all)
    }
}

/// Searches of one server under one filter.
pub(super) struct Selected {
    every: usize,
    plan: String,
    recall: f64,
    cells: Vec<(usize, Measured)>,
}

/// The nearest chunks that the filter lets through, by comparing each.
fn nearest(recipe: &Recipe, chunks: usize, questions: &[&Question], every: usize) -> Vec<Vec<usize>> {
    exact::nearest(recipe, chunks, questions, usize::from(TOP_K), |n| {
        (n / PER_DOCUMENT).is_multiple_of(every)
    })
}
