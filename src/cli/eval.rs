//! Retrieval quality on a judged set, measured through the API against a scratch collection that is
//! deleted again.

use super::beir::Dataset;
use super::client::{Client, segment};
use super::ingest::progress;
use super::metrics::Metrics;
use super::{Global, out};
use crate::config::Settings;
use anyhow::Result;
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

const MODES: [&str; 3] = ["hybrid", "dense", "lexical"];
const BATCH: usize = 500;
/// Queries on their way at once.
const CONCURRENCY: usize = 4;
/// More than any document of a judged set, so that a document is one chunk.
const WHOLE: u32 = 8192;

#[derive(Debug, Args)]
pub(super) struct Eval {
    /// Folder with corpus.jsonl, queries.jsonl and qrels.tsv.
    dataset: PathBuf,
    /// Cut documents into chunks of the default size, as in production. Without it a document is one
    /// chunk, as in published figures: the embedder reads its first 256 tokens.
    #[arg(long)]
    chunked: bool,
}

impl Eval {
    pub(super) async fn run(self, global: &Global, settings: Settings) -> Result<ExitCode> {
        let dataset = Dataset::read(&self.dataset)?;
        let client = Client::open(global, settings).await?;
        let scratch = format!("eval-{}", uuid::Uuid::new_v4().simple());
        // Whatever happens, and also on Ctrl-C, the scratch collection goes.
        let measured = tokio::select! {
            measured = self.measure(&client, &dataset, &scratch) => measured,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        let removed = client.send(Method::DELETE, &format!("/v1/collections/{scratch}"), None).await;
        client.close().await;
        let modes = measured?;
        removed?;
        if global.json {
            let modes: Map<String, Value> =
                modes.iter().map(|(mode, metrics)| ((*mode).to_owned(), json!(metrics))).collect();
            let report = json!({
                "dataset": dataset.name,
                "documents": dataset.corpus.len(),
                "queries": dataset.queries.len(),
                "modes": modes,
            });
            out(&serde_json::to_string_pretty(&report)?);
            return Ok(ExitCode::SUCCESS);
        }
        out(&format!(
            "{}: {} documents, {} queries",
            dataset.name,
            dataset.corpus.len(),
            dataset.queries.len()
        ));
        out(&format!(
            "{:8} {:>8} {:>10} {:>11} {:>8}",
            "mode", "nDCG@10", "Recall@10", "Recall@100", "MRR@10"
        ));
        for (mode, metrics) in modes {
            let Metrics { ndcg_10, recall_10, recall_100, mrr_10 } = metrics;
            out(&format!("{mode:8} {ndcg_10:>8.4} {recall_10:>10.4} {recall_100:>11.4} {mrr_10:>8.4}"));
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn measure(
        &self,
        client: &Client,
        dataset: &Dataset,
        scratch: &str,
    ) -> Result<Vec<(&'static str, Metrics)>> {
        let mut new = json!({"name": scratch, "description": "scratch collection of `mcp-rag eval`"});
        if !self.chunked {
            new["chunking"] = json!({"max_tokens": WHOLE, "overlap_tokens": 0});
        }
        client.send(Method::POST, "/v1/collections", Some(&new)).await?;
        ingest(client, dataset, scratch).await?;
        let bar = progress((dataset.queries.len() * MODES.len()) as u64, "queries");
        let mut measured = Vec::new();
        for mode in MODES {
            let ask = async |query: &super::beir::Entry| -> Result<Metrics> {
                let body = json!({"query": query.text, "collections": [scratch], "mode": mode, "top_k": 100});
                let found = client.json(Method::POST, "/v1/search", Some(&body)).await?;
                bar.inc(1);
                Ok(Metrics::of(&ranking(&found), &dataset.judgements[&query.id]))
            };
            let all: Vec<Metrics> =
                stream::iter(&dataset.queries).map(ask).buffered(CONCURRENCY).try_collect().await?;
            measured.push((mode, Metrics::mean(&all)));
        }
        bar.finish_and_clear();
        Ok(measured)
    }
}

/// Documents in the order of their best chunk.
fn ranking(found: &Value) -> Vec<String> {
    let mut documents: Vec<String> = Vec::new();
    for result in found["results"].as_array().into_iter().flatten() {
        let id = result["external_id"].as_str().unwrap_or_default();
        if documents.iter().all(|known| known != id) {
            documents.push(id.to_owned());
        }
    }
    documents
}

async fn ingest(client: &Client, dataset: &Dataset, scratch: &str) -> Result<()> {
    let bar = progress(dataset.corpus.len() as u64, "documents");
    let path = format!("/v1/collections/{}/documents", segment(scratch));
    let mut jobs = Vec::new();
    for batch in dataset.corpus.chunks(BATCH) {
        let line = |entry: &super::beir::Entry| {
            json!({"external_id": entry.id, "title": entry.title, "text": entry.text}).to_string()
        };
        let body = batch.iter().map(line).collect::<Vec<_>>().join("\n");
        let receipt = client.bytes(Method::POST, &path, "application/x-ndjson", body.into_bytes()).await?;
        if let Some(rejected) = receipt["rejected"].as_array().filter(|rejected| !rejected.is_empty()) {
            anyhow::bail!("{} documents were rejected: {}", rejected.len(), rejected[0]["error"]);
        }
        jobs.extend(receipt["job"].as_str().map(str::to_owned));
    }
    for job in jobs {
        let before = bar.position();
        let state = client.follow(&job, |done, _| bar.set_position(before + done)).await?;
        if state["progress"]["failed"].as_u64() > Some(0) {
            anyhow::bail!("some documents could not be ingested: {}", state["error"]);
        }
    }
    bar.finish_and_clear();
    Ok(())
}
