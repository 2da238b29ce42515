//! `bench chroma`: the same vectors, texts and questions in both servers, asked by the same clients in turns.
//!
//! Both keep the collection in memory. Our searches keep as many candidates as it takes to find no less than Chroma does.

mod api;
mod report;

use super::Interrupt;
use super::child::ServerProcess;
use super::exact;
use super::lab::Lab;
use super::load::number_of;
use super::made::Made;
use super::measure::CLIENTS;
use super::memory;
use super::requests::{Kind, Question, open_body, unique};
use super::scale::{COLLECTION, prepare};
use super::source::Source;
use super::synthetic::PER_DOCUMENT;
use super::traffic::{self, Expect, Measured};
use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::ingest::progress;
use crate::config::Settings;
use anyhow::{Context, Result, bail, ensure};
use api::Chroma;
use clap::Args;
use report::{Report, Row};
use reqwest::Method;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const TOP_K: u16 = 10;
const RECALL_QUESTIONS: usize = 100;
/// What our searches may keep to find as much as Chroma.
const EFS: [u16; 18] = [20, 30, 40, 60, 80, 100, 120, 140, 170, 200, 240, 280, 340, 400, 500, 600, 800, 1000];

#[derive(Debug, Args)]
pub(in crate::cli) struct Beside {
    /// A Chroma server that holds nothing: http://127.0.0.1:8000.
    #[arg(long, value_name = "URL")]
    chroma: String,
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..=5_000_000))]
    chunks: u32,
    /// Seconds per cell of the table.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Text to make the chunks from: a set in BEIR layout. Without it: the documents here.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Keep our data in this folder, and use what an earlier run left there.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Candidates that Chroma's searches keep.
    #[arg(long, default_value_t = 100)]
    chroma_ef: u16,
}

/// What a search is restricted to: a share of the documents by an attribute.
#[derive(Debug, Clone, Copy)]
enum Restriction {
    None,
    /// The attribute, how many values it has, and the one asked for.
    To(&'static str, usize, usize),
}

impl Restriction {
    const ALL: [Self; 3] = [Self::None, Self::To("tenth", 10, 3), Self::To("hundredth", 100, 7)];

    fn label(self) -> &'static str {
        match self {
            Self::None => "all",
            Self::To("tenth", ..) => "10 % of the documents",
            Self::To(..) => "1 % of the documents",
        }
    }

    fn keeps(self, chunk: usize) -> bool {
        match self {
            Self::None => true,
            Self::To(_, values, wanted) => (chunk / PER_DOCUMENT) % values == wanted,
        }
    }

    fn open_body(self, question: &Question) -> String {
        let mut body = open_body(Kind::Dense, question, COLLECTION, TOP_K);
        if let Self::To(key, _, value) = self {
            body.push_str(&format!(",\"filters\":{{\"type\":\"eq\",\"key\":\"{key}\",\"value\":{value}}}"));
        }
        body
    }
}

impl Beside {
    pub(super) async fn run(
        self,
        global: &Global,
        mut settings: Settings,
        interrupt: &mut Interrupt,
    ) -> Result<()> {
        let scratch = super::scratch(&mut settings, self.data_dir.as_deref())?;
        let source = Source::read(self.corpus.as_deref())?;
        let lab = Lab::open(&settings).await?;
        let prepared = async {
            let made = Made::from(&lab, &source, self.chunks).await?;
            prepare(&lab, &source, &made, self.chunks).await?;
            anyhow::Ok(made)
        };
        let made = interrupt.or(prepared).await;
        lab.close().await;
        let made = made?;
        let work = Box::pin(self.measure(global, &settings, &made, scratch.path()));
        interrupt.or(work).await?.print(global.json)
    }

    async fn measure(
        &self,
        global: &Global,
        settings: &Settings,
        made: &Made,
        scratch: &Path,
    ) -> Result<Report> {
        let chunks = self.chunks as usize;
        let chroma = Chroma::open(&self.chroma, COLLECTION, self.chroma_ef).await?;
        let loaded_s = chroma.load(&made.recipe, chunks).await?;
        let sample = questions_of(made);
        let right = Restriction::ALL
            .map(|only| exact::nearest(&made.recipe, chunks, &sample, usize::from(TOP_K), |n| only.keeps(n)));
        let mut theirs = [0.0; 3];
        for ((only, right), recall) in Restriction::ALL.into_iter().zip(&right).zip(&mut theirs) {
            let mut found = Vec::new();
            for question in &sample {
                found.push(chroma.search(&api::body(question, only, TOP_K)).await?);
            }
            *recall = exact::recall(&found, right);
        }
        let global = &memory::with(global);
        let (server, ef, ours) = self.as_good(global, settings, made, &right, theirs[0], scratch).await?;
        let cells = self.cells(&server, &chroma, &made.questions).await;
        server.stop().await?;
        Ok(Report {
            chunks: self.chunks,
            top_k: TOP_K,
            chroma_ef: self.chroma_ef,
            chroma_loaded_s: loaded_s,
            ef,
            recall: Restriction::ALL
                .iter()
                .zip(ours.into_iter().zip(theirs))
                .map(|(only, (ours, theirs))| (only.label(), ours, theirs))
                .collect(),
            rows: cells?,
        })
    }

    /// The server with the fewest candidates that finds no less than `wanted`.
    async fn as_good(
        &self,
        global: &Global,
        settings: &Settings,
        made: &Made,
        right: &[Vec<Vec<usize>>; 3],
        wanted: f64,
        scratch: &Path,
    ) -> Result<(ServerProcess, u16, [f64; 3])> {
        let sample = questions_of(made);
        for ef in EFS {
            let mut with_ef = global.clone();
            with_ef.overrides.push(("search.ef_search".to_owned(), ef.to_string()));
            let server = ServerProcess::start(&with_ef, settings, &scratch.join("server.log")).await?;
            memory::until_there(&with_ef, settings, &made.questions, &server).await?;
            let client = memory::client(&with_ef, settings, &server).await?;
            let mut ours = [0.0; 3];
            for ((only, right), recall) in Restriction::ALL.into_iter().zip(right).zip(&mut ours) {
                *recall = exact::recall(&search_all(&client, &sample, only).await?, right);
                if *recall < wanted && matches!(only, Restriction::None) {
                    break;
                }
            }
            client.close().await;
            if ours[0] >= wanted {
                ensure!(
                    ours.iter().all(|recall| *recall > 0.5),
                    "a filter of ours finds too little: {ours:?}"
                );
                return Ok((server, ef, ours));
            }
            server.stop().await?;
        }
        bail!("no number of candidates finds as much as Chroma does ({wanted:.3})")
    }

    async fn cells(
        &self,
        server: &ServerProcess,
        chroma: &Chroma,
        questions: &[Question],
    ) -> Result<Vec<Row>> {
        let address = server.base.trim_start_matches("http://");
        let (warm_up, measured) = (Duration::from_secs(1), Duration::from_secs(self.seconds));
        let bar = progress((Restriction::ALL.len() * CLIENTS.len() * 2) as u64, "measurements");
        let mut rows = Vec::new();
        for only in Restriction::ALL {
            let ours = Arc::new(questions.iter().map(|one| only.open_body(one)).collect::<Vec<_>>());
            let theirs = Arc::new(
                questions.iter().map(|one| api::body(one, only, TOP_K).to_string()).collect::<Vec<_>>(),
            );
            for clients in CLIENTS {
                let us = traffic::drive(address, &ours, Expect::Fresh, clients, warm_up, measured).await?;
                bar.inc(1);
                let (address, path) = (&chroma.address, &chroma.query_path);
                let them: Measured =
                    traffic::drive_at(address, path, &theirs, Expect::Foreign, clients, warm_up, measured)
                        .await?;
                bar.inc(1);
                rows.push(Row { only: only.label(), clients, ours: us, chroma: them });
            }
        }
        bar.finish_and_clear();
        Ok(rows)
    }
}

/// Those by which the recall is measured.
fn questions_of(made: &Made) -> Vec<&Question> {
    made.questions.iter().take(RECALL_QUESTIONS).collect()
}

async fn search_all(client: &Client, sample: &[&Question], only: Restriction) -> Result<Vec<Vec<usize>>> {
    let mut found = Vec::new();
    for question in sample {
        let body: Value = serde_json::from_str(&unique(&only.open_body(question), 0))?;
        let answer = client.json(Method::POST, "/v1/search", Some(&body)).await?;
        let results = answer["results"].as_array().context("no results")?;
        found.push(results.iter().filter_map(number_of).collect());
    }
    Ok(found)
}
