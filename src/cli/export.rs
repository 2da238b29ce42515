//! `mcp-rag export` and `mcp-rag import`: a collection as a file of NDJSON, and back.

use super::client::{Client, segment};
use super::ingest::progress;
use super::{Global, out};
use crate::config::Settings;
use anyhow::{Context, Result, bail};
use clap::Args;
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// One request's lines together.
const BATCH_BYTES: usize = 4 << 20;
/// A longer line is sent without its vectors, so that it fits into a request.
const MAX_LINE: usize = 30 << 20;

#[derive(Debug, Args)]
pub(super) struct Export {
    collection: String,
    /// Where to write it; the standard output if absent.
    file: Option<PathBuf>,
    /// With the vectors, so that an import under the same model embeds nothing.
    #[arg(long)]
    vectors: bool,
}

impl Export {
    pub(super) async fn run(self, global: &Global, settings: Settings) -> Result<ExitCode> {
        let client = Client::open(global, settings).await?;
        let outcome = self.export(&client).await;
        client.close().await;
        let documents = outcome?;
        if let Some(file) = &self.file {
            if global.json {
                out(&json!({"collection": self.collection, "documents": documents, "file": file}).to_string());
            } else {
                let done = console::style("✓").green();
                out(&format!("{done} {documents} documents of `{}` in {}", self.collection, file.display()));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn export(&self, client: &Client) -> Result<u64> {
        let path = format!("/v1/collections/{}", segment(&self.collection));
        let total = client.json(Method::GET, &path, None).await?["documents"].as_u64().unwrap_or(0);
        let path = format!("{path}/export?vectors={}", self.vectors);
        let mut pieces = client.send(Method::GET, &path, None).await?.bytes_stream();
        // Under its own name only once it is whole.
        let partial = self.file.as_ref().map(|file| file.with_added_extension("partial"));
        let mut to: Box<dyn Write> = match &partial {
            Some(file) => {
                let created =
                    File::create(file).with_context(|| format!("{} cannot be written", file.display()))?;
                Box::new(BufWriter::new(created))
            }
            None => Box::new(BufWriter::new(std::io::stdout())),
        };
        let bar = progress(total, "documents");
        let mut last = Vec::new();
        while let Some(piece) = pieces.next().await {
            let piece = piece.context("the export was cut off: run it again")?;
            to.write_all(&piece)?;
            for part in piece.split_inclusive(|byte| *byte == b'\n') {
                if last.last() == Some(&b'\n') {
                    last.clear();
                    bar.inc(1);
                }
                last.extend_from_slice(part);
            }
        }
        to.flush()?;
        bar.finish_and_clear();
        let end: Value = serde_json::from_slice(&last).unwrap_or_default();
        let Some(documents) = end["complete"]["documents"].as_u64() else {
            let reason = end["error"]["message"].as_str().unwrap_or("the connection ended");
            bail!("the export is not complete ({reason}): run it again");
        };
        if let (Some(partial), Some(file)) = (partial, &self.file) {
            drop(to);
            std::fs::rename(partial, file)?;
        }
        Ok(documents)
    }
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// Made, with the exported one's settings, when it does not exist.
    collection: String,
    file: PathBuf,
}

#[derive(Default)]
struct Tally {
    accepted: u64,
    unchanged: u64,
    reusable: u64,
    of_other_models: u64,
    rejected: Vec<Value>,
    failed: u64,
    /// Exports that begin and end in the file, and how many documents they say they hold.
    begun: u64,
    ended: u64,
    announced: u64,
}

impl Import {
    pub(super) async fn run(self, global: &Global, settings: Settings) -> Result<ExitCode> {
        let client = Client::open(global, settings).await?;
        let outcome = self.import(&client).await;
        client.close().await;
        let tally = outcome?;
        let held = tally.accepted + tally.rejected.len() as u64;
        let cut = tally.begun != tally.ended || (tally.begun > 0 && tally.announced != held);
        if global.json {
            let body = json!({"collection": self.collection, "accepted": tally.accepted, "unchanged": tally.unchanged,
                "rejected": tally.rejected, "failed": tally.failed, "complete": !cut,
                "vectors": {"reusable": tally.reusable, "of_other_models": tally.of_other_models}});
            out(&body.to_string());
        } else {
            for rejected in &tally.rejected {
                let mark = console::style("✗").red();
                out(&format!(
                    "{mark} line {}: {}",
                    rejected["line"],
                    rejected["error"].as_str().unwrap_or_default()
                ));
            }
            if cut {
                let mark = console::style("✗").red();
                out(&format!("{mark} {} was cut off: export it again", self.file.display()));
            }
            let mark = console::style("✓").green();
            out(&format!(
                "{mark} {} documents in `{}` ({} unchanged, {} failed); {} vectors came along, {} of other models",
                tally.accepted,
                self.collection,
                tally.unchanged,
                tally.failed,
                tally.reusable,
                tally.of_other_models
            ));
        }
        let good = tally.rejected.is_empty() && tally.failed == 0 && !cut;
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn import(&self, client: &Client) -> Result<Tally> {
        let file = open(&self.file)?;
        let bytes = file.get_ref().metadata()?.len();
        let bar = progress(bytes, "bytes");
        let (mut tally, mut batch, mut first, mut jobs) = (Tally::default(), Vec::new(), 1, Vec::new());
        let mut ready = false;
        for (at, read) in file.split(b'\n').enumerate() {
            let read = read.with_context(|| format!("{} cannot be read", self.file.display()))?;
            bar.inc(read.len() as u64 + 1);
            let frame = frame(&read);
            if !ready {
                self.ensure(client, frame.as_ref()).await?;
                ready = true;
            }
            if batch.is_empty() {
                first = at + 1;
            }
            if let Some(frame) = frame {
                tally.begun += u64::from(frame["export"].is_object());
                if let Some(documents) = frame["complete"]["documents"].as_u64() {
                    tally.ended += 1;
                    tally.announced += documents;
                }
                // An empty line keeps the numbers of those that follow.
                batch.push(b'\n');
                continue;
            }
            let line = if read.len() > MAX_LINE { without_vectors(&read)? } else { read };
            if batch.len() + line.len() > BATCH_BYTES && !batch.is_empty() {
                jobs.extend(self.send(client, std::mem::take(&mut batch), first, &mut tally).await?);
                first = at + 1;
            }
            batch.extend_from_slice(&line);
            batch.push(b'\n');
        }
        if !batch.iter().all(u8::is_ascii_whitespace) {
            jobs.extend(self.send(client, batch, first, &mut tally).await?);
        }
        bar.finish_and_clear();
        let bar = progress(tally.accepted - tally.unchanged, "documents");
        for job in jobs {
            let before = bar.position();
            let state = client.follow(&job, |done, _| bar.set_position(before + done)).await?;
            tally.failed += state["progress"]["failed"].as_u64().unwrap_or(0);
        }
        bar.finish_and_clear();
        Ok(tally)
    }

    /// Makes the collection, as the exported one was made, unless it is there.
    async fn ensure(&self, client: &Client, head: Option<&Value>) -> Result<()> {
        let path = format!("/v1/collections/{}", segment(&self.collection));
        if client.json(Method::GET, &path, None).await.is_ok() {
            return Ok(());
        }
        let Some(exported) = head.map(|head| &head["export"]["collection"]).filter(|of| of.is_object())
        else {
            return client.ensure_collection(&self.collection).await;
        };
        let mut new = json!({"name": self.collection});
        for field in ["description", "metadata", "language", "chunking"] {
            if !exported[field].is_null() {
                new[field] = exported[field].clone();
            }
        }
        client.send(Method::POST, "/v1/collections", Some(&new)).await.map(drop)
    }

    async fn send(
        &self,
        client: &Client,
        batch: Vec<u8>,
        first: usize,
        tally: &mut Tally,
    ) -> Result<Option<String>> {
        let path = format!("/v1/collections/{}/import", segment(&self.collection));
        let receipt = client.bytes(Method::POST, &path, "application/x-ndjson", batch).await?;
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        tally.accepted += count(&receipt["accepted"]);
        tally.unchanged += count(&receipt["unchanged"]);
        tally.reusable += count(&receipt["vectors"]["reusable"]);
        tally.of_other_models += count(&receipt["vectors"]["of_other_models"]);
        for rejected in receipt["rejected"].as_array().into_iter().flatten() {
            let line = count(&rejected["line"]) + first as u64 - 1;
            tally.rejected.push(json!({"line": line, "error": rejected["error"]}));
        }
        Ok(receipt["job"].as_str().map(str::to_owned))
    }
}

fn open(path: &Path) -> Result<BufReader<File>> {
    Ok(BufReader::new(File::open(path).with_context(|| format!("{} cannot be read", path.display()))?))
}

/// The first or the last line of an export.
fn frame(line: &[u8]) -> Option<Value> {
    if !line.starts_with(b"{\"export\"") && !line.starts_with(b"{\"complete\"") {
        return None;
    }
    serde_json::from_slice(line).ok()
}

fn without_vectors(line: &[u8]) -> Result<Vec<u8>> {
    let mut document: Value = serde_json::from_slice(line).context("a line is no JSON")?;
    if let Some(fields) = document.as_object_mut() {
        fields.remove("vectors");
    }
    Ok(document.to_string().into_bytes())
}
