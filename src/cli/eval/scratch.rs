//! The scratch collection that an evaluation asks.

use super::report;
use crate::cli::beir::{Dataset, Entry};
use crate::cli::client::{Client, segment};
use anyhow::Result;
use reqwest::Method;
use serde_json::json;

const BATCH: usize = 500;
/// More than any document of a judged set, so that a document is one chunk.
const WHOLE: u32 = 8192;

/// Makes it and fills it.
pub(super) async fn fill(client: &Client, dataset: &Dataset, scratch: &str, chunked: bool) -> Result<()> {
    let mut new = json!({"name": scratch, "description": "scratch collection of `mcp-rag eval`"});
    if !chunked {
        new["chunking"] = json!({"max_tokens": WHOLE, "overlap_tokens": 0});
    }
    client.send(Method::POST, "/v1/collections", Some(&new)).await?;
    let bar = report::bar(dataset.corpus.len());
    bar.set_message("documents");
    let path = format!("/v1/collections/{}/documents", segment(scratch));
    let mut jobs = Vec::new();
    for batch in dataset.corpus.chunks(BATCH) {
        let line = |entry: &Entry| {
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
