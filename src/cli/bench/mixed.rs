//! A day's traffic in one run: requests arrive at a fixed mean rate whatever the server does, repeated
//! questions and new ones, filters, answers, reads and writes, and each one's time counts from when it was
//! due, so that waiting for a slow server is not left out.

mod drive;
mod plan;
mod report;

use super::Interrupt;
use super::requests;
use super::source::Source;
use crate::cli::beir::Entry;
use crate::cli::client::Client;
use crate::cli::ingest::progress;
use crate::cli::{Global, out};
use crate::config::Settings;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use plan::{LIBRARY, NOTES, Plan, Topics};
use reqwest::Method;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Documents per request.
const BATCH: usize = 500;
/// How long what was accepted at the end may take to be searchable.
const SETTLED: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(in crate::cli) struct Mixed {
    /// Requests a second, on average; they arrive at random.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// How long they are counted.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Connections; when all wait for an answer, so does the next request.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// A set in BEIR layout. Without it: the documents here.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Another one asks and writes something else.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Write the course of the run as a picture.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Mixed {
    pub(super) async fn run(
        self,
        global: &Global,
        mut settings: Settings,
        interrupt: &mut Interrupt,
    ) -> Result<()> {
        let _scratch = super::scratch(&mut settings, None)?;
        let source = Source::read(self.corpus.as_deref())?;
        let client = Client::open(global, settings).await?;
        let measured = interrupt.or(self.measure(&client, &source)).await;
        client.close().await;
        let report = measured?;
        if let Some(file) = &self.svg {
            std::fs::write(file, report.svg()).with_context(|| file.display().to_string())?;
        }
        out(&if global.json { format!("{:#}", report.json()) } else { report.to_string() });
        Ok(())
    }

    async fn measure(&self, client: &Client, source: &Source) -> Result<report::Report> {
        let sentences = source.sentences()?;
        load(client, &source.documents).await?;
        client.ensure_collection(NOTES).await?;
        let topics = Topics {
            popular: requests::texts(source, &sentences),
            documents: source.documents.iter().map(|entry| entry.id.clone()).collect(),
            sentences,
        };
        let seconds = f64::from(self.seconds);
        // Caches fill and the estimates of the entrance settle before anything is counted.
        let warm_up = (seconds / 10.0).min(20.0);
        let plan = Arc::new(Plan::new(topics, self.rate, warm_up + seconds, self.seed));
        let address = client.base().trim_start_matches("http://").to_owned();
        let bar = progress(plan.len() as u64, "requests");
        let calls = drive::drive(&address, &plan, usize::from(self.connections), &bar).await?;
        bar.finish_and_clear();
        settle(client, &calls, &plan).await?;
        Ok(report::Report::new(&plan, &calls, warm_up, seconds, self.rate))
    }
}

/// The corpus with attributes to filter by.
async fn load(client: &Client, documents: &[Entry]) -> Result<()> {
    client.ensure_collection(LIBRARY).await?;
    let path = format!("/v1/collections/{LIBRARY}/documents");
    let bar = progress(documents.len() as u64, "documents ingested");
    let mut jobs = Vec::new();
    for (batch, entries) in documents.chunks(BATCH).enumerate() {
        let line = |(at, entry): (usize, &Entry)| {
            let attributes = plan::attributes(batch * BATCH + at);
            json!({"external_id": entry.id, "title": entry.title, "text": entry.text, "attributes": attributes})
                .to_string()
        };
        let body = entries.iter().enumerate().map(line).collect::<Vec<_>>().join("\n");
        let receipt = client.bytes(Method::POST, &path, "application/x-ndjson", body.into_bytes()).await?;
        jobs.extend(receipt["job"].as_str().map(str::to_owned));
    }
    for job in jobs {
        let before = bar.position();
        let state = client.follow(&job, |done, _| bar.set_position(before + done)).await?;
        ensure!(state["progress"]["failed"] == 0, "some documents could not be ingested: {}", state["error"]);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Every note that was accepted is searchable in the end: none is lost. One whose request failed may have been taken
/// all the same, its answer lost.
async fn settle(client: &Client, calls: &[drive::Call], plan: &Plan) -> Result<()> {
    let accepted = plan.notes(calls.iter().filter(|call| call.good()).map(|call| call.request)) as u64;
    let written = plan.notes(calls.iter().map(|call| call.request)) as u64;
    let by = std::time::Instant::now() + SETTLED;
    loop {
        let notes = client.json(Method::GET, &format!("/v1/collections/{NOTES}"), None).await?;
        let waiting = client
            .json(Method::GET, &format!("/v1/collections/{NOTES}/documents?status=queued&limit=1"), None)
            .await?;
        let none_waits = waiting["data"].as_array().is_some_and(Vec::is_empty);
        let searchable = notes["documents"].as_u64().unwrap_or_default();
        if none_waits && (accepted..=written).contains(&searchable) {
            return Ok(());
        }
        if std::time::Instant::now() > by {
            bail!("{accepted} of {written} notes were accepted and {searchable} are searchable");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The most memory this process has held: server, load and all.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(f64::NAN) / 1024.0
}
