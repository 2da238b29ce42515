use super::client::{Client, segment};
use super::{Global, out, walk};
use crate::config::Settings;
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use mcp_rag_text::parse::MediaType;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// One request's files together; more are sent in several.
const BATCH_BYTES: usize = 4 << 20;

#[derive(Debug, Args)]
pub(super) struct Ingest {
    /// Files, folders or glob patterns.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// The collection to put them in; made when it does not exist.
    #[arg(long, short, default_value = "default")]
    collection: String,
}

#[derive(Default)]
struct Tally {
    files: usize,
    unchanged: u64,
    failed: Vec<(String, String)>,
}

impl Ingest {
    pub(super) async fn run(self, global: &Global, settings: Settings) -> Result<ExitCode> {
        let files = walk::files(&self.paths)?;
        let client = Client::open(global, settings).await?;
        let outcome = self.ingest(&client, &files).await;
        client.close().await;
        let tally = outcome?;
        if global.json {
            let failed: Vec<Value> =
                tally.failed.iter().map(|(file, error)| json!({"file": file, "error": error})).collect();
            let body = json!({"collection": self.collection, "files": tally.files, "unchanged": tally.unchanged, "failed": failed});
            out(&body.to_string());
        } else {
            for (file, error) in &tally.failed {
                out(&format!("{} {file}: {error}", console::style("✗").red()));
            }
            let good = tally.files - tally.failed.len();
            out(&format!(
                "{} {good} of {} files searchable in `{}` ({} unchanged)",
                console::style("✓").green(),
                tally.files,
                self.collection,
                tally.unchanged
            ));
        }
        Ok(if tally.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn ingest(&self, client: &Client, files: &[PathBuf]) -> Result<Tally> {
        client.ensure_collection(&self.collection).await?;
        let bar = progress(files.len() as u64, "files");
        let mut tally = Tally { files: files.len(), ..Tally::default() };
        let mut batch: Vec<u8> = Vec::new();
        let mut jobs: Vec<String> = Vec::new();
        for file in files {
            let line = match line(file) {
                Ok(line) => line,
                Err(error) => {
                    tally.failed.push((file.display().to_string(), format!("{error:#}")));
                    continue;
                }
            };
            if !batch.is_empty() && batch.len() + line.len() > BATCH_BYTES {
                jobs.extend(self.send(client, std::mem::take(&mut batch), &mut tally).await?);
            }
            batch.extend_from_slice(line.as_bytes());
            batch.push(b'\n');
        }
        if !batch.is_empty() {
            jobs.extend(self.send(client, batch, &mut tally).await?);
        }
        bar.inc(tally.unchanged + tally.failed.len() as u64);
        for job in jobs {
            let before = bar.position();
            let state = client.follow(&job, |done, _| bar.set_position(before + done)).await?;
            if state["progress"]["failed"].as_u64() > Some(0) {
                self.collect_failures(client, files, &mut tally).await?;
            }
        }
        bar.finish_and_clear();
        Ok(tally)
    }

    async fn send(&self, client: &Client, batch: Vec<u8>, tally: &mut Tally) -> Result<Option<String>> {
        let path = format!("/v1/collections/{}/documents", segment(&self.collection));
        let receipt = client.bytes(Method::POST, &path, "application/x-ndjson", batch).await?;
        tally.unchanged += receipt["unchanged"].as_u64().unwrap_or(0);
        for rejected in receipt["rejected"].as_array().into_iter().flatten() {
            let text = |name: &str| rejected[name].to_string();
            tally.failed.push((format!("line {}", text("line")), text("error")));
        }
        Ok(receipt["job"].as_str().map(str::to_owned))
    }

    /// The reasons of what failed among the files just sent.
    async fn collect_failures(&self, client: &Client, files: &[PathBuf], tally: &mut Tally) -> Result<()> {
        let path = format!("/v1/collections/{}/documents?status=failed&limit=100", segment(&self.collection));
        let page = client.json(Method::GET, &path, None).await?;
        for document in page["data"].as_array().into_iter().flatten() {
            let id = document["external_id"].as_str().unwrap_or_default();
            let known = tally.failed.iter().any(|(file, _)| file == id);
            if !known && files.iter().any(|file| external_id(file) == id) {
                tally.failed.push((id.to_owned(), document["error"].as_str().unwrap_or_default().to_owned()));
            }
        }
        Ok(())
    }
}

fn external_id(file: &Path) -> String {
    let text = file.to_string_lossy();
    text.strip_prefix("./").unwrap_or(&text).to_owned()
}

/// A file as one line of NDJSON.
fn line(file: &Path) -> Result<String> {
    let media_type = MediaType::from_path(file)?;
    let bytes = std::fs::read(file).context("cannot be read")?;
    let id = external_id(file);
    let mut line = json!({"external_id": id, "uri": id, "media_type": media_type.as_str()});
    match String::from_utf8(bytes) {
        Ok(text) => line["text"] = text.into(),
        Err(error) => line["content"] = STANDARD.encode(error.into_bytes()).into(),
    }
    Ok(line.to_string())
}

/// A bar on a terminal, nothing elsewhere.
pub(super) fn progress(total: u64, unit: &str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let template =
        format!("{{bar:32.cyan/dim}} {{pos}}/{{len}} {unit}  {{elapsed}} (left: {{eta}})  {{msg}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}
