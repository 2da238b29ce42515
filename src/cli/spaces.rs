//! `mcp-rag spaces`: change the embedding model or its precision while searches go on.

use super::client::{Client, segment};
use super::ingest::progress;
use super::{Global, out};
use crate::config::Settings;
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum Spaces {
    /// List the embedding spaces.
    List,
    /// Show one, with its size.
    Show { id: String },
    /// Fill a space for a configured model, and wait until it is complete.
    Build {
        /// For `[embedder]` instead of `[embedder.next]`.
        #[arg(long)]
        first: bool,
    },
    /// Ask a space and the one that is searched the same, and see how alike they answer.
    Compare {
        id: String,
        /// A file of queries, one a line; without it beginnings of stored chunks are used.
        #[arg(long, value_name = "FILE")]
        queries: Option<PathBuf>,
        /// Results of each to compare.
        #[arg(long, default_value_t = 10)]
        k: u16,
    },
    /// Have a complete space searched.
    Activate { id: String },
    /// Go back to the space that was searched before.
    Rollback,
    /// Remove a space that is not searched, and wait until it is gone.
    Remove { id: String },
}

impl Spaces {
    pub(super) async fn run(self, global: &Global, settings: Settings) -> Result<ExitCode> {
        let client = Client::open(global, settings).await?;
        let outcome = self.act(&client).await;
        client.close().await;
        let (body, text) = outcome?;
        out(&if global.json { body.to_string() } else { text });
        Ok(ExitCode::SUCCESS)
    }

    /// What came of it, for machines and for people.
    async fn act(self, client: &Client) -> Result<(Value, String)> {
        let path = |id: &str| format!("/v1/spaces/{}", segment(id));
        match self {
            Self::List => {
                let page = client.json(Method::GET, "/v1/spaces", None).await?;
                let lines: Vec<String> = page["data"].as_array().into_iter().flatten().map(line).collect();
                let text = if lines.is_empty() {
                    "no spaces yet: ingest something".to_owned()
                } else {
                    lines.join("\n")
                };
                Ok((page, text))
            }
            Self::Show { id } => {
                let space = client.json(Method::GET, &path(&id), None).await?;
                let size = &space["size"];
                let text = format!(
                    "{}\n{} of {} chunks, index {:.1} MiB",
                    line(&space),
                    size["vectors"],
                    size["chunks"],
                    size["index_bytes"].as_f64().unwrap_or(0.0) / 1_048_576.0
                );
                Ok((space, text))
            }
            Self::Build { first } => {
                let body = json!({"embedder": if first { "first" } else { "next" }});
                let built = client.json(Method::POST, "/v1/spaces", Some(&body)).await?;
                follow(client, &built["job"], "chunks").await?;
                let id = built["space"]["id"].as_str().unwrap_or_default();
                let space = client.json(Method::GET, &path(id), None).await?;
                let text = format!("{}\nsearch it with: mcp-rag spaces activate {id}", line(&space));
                Ok((space, text))
            }
            Self::Compare { id, queries, k } => {
                let mut body = json!({ "k": k });
                if let Some(file) = queries {
                    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
                    body["queries"] = text.lines().filter(|line| !line.trim().is_empty()).collect();
                }
                let found = client.json(Method::POST, &format!("{}/compare", path(&id)), Some(&body)).await?;
                let number = |value: &Value| value.as_f64().unwrap_or(0.0);
                let side = |side: &Value| {
                    format!(
                        "{}: {} ({}), embedding {:.1}/{:.1} ms, search {:.1}/{:.1} ms (p50/p95)",
                        side["space"].as_str().unwrap_or_default(),
                        side["model"].as_str().unwrap_or_default(),
                        side["storage"].as_str().unwrap_or_default(),
                        number(&side["embed_ms"]["p50"]),
                        number(&side["embed_ms"]["p95"]),
                        number(&side["search_ms"]["p50"]),
                        number(&side["search_ms"]["p95"])
                    )
                };
                let text = format!(
                    "overlap@{k} {:.3} (least {:.3}), same first result {:.3}, {} queries\n{}\n{}",
                    number(&found["overlap"]["mean"]),
                    number(&found["overlap"]["least"]),
                    number(&found["same_first"]),
                    found["queries"],
                    side(&found["active"]),
                    side(&found["other"])
                );
                Ok((found, text))
            }
            Self::Activate { id } => {
                let space = client.json(Method::POST, &format!("{}/activate", path(&id)), None).await?;
                let text = line(&space);
                Ok((space, text))
            }
            Self::Rollback => {
                let page = client.json(Method::GET, "/v1/spaces", None).await?;
                let mut all = page["data"].as_array().into_iter().flatten();
                let active = all.find(|space| space["state"] == "active").context("no space is active")?;
                let id = active["id"].as_str().unwrap_or_default();
                let space = client.json(Method::POST, &format!("{}/rollback", path(id)), None).await?;
                let text = line(&space);
                Ok((space, text))
            }
            Self::Remove { id } => {
                let removed = client.json(Method::DELETE, &path(&id), None).await?;
                follow(client, &removed["job"], "vectors").await?;
                Ok((removed, format!("{id} is removed")))
            }
        }
    }
}

async fn follow(client: &Client, job: &Value, unit: &str) -> Result<()> {
    let Some(job) = job.as_str() else { return Ok(()) };
    let bar = progress(0, unit);
    let state = client
        .follow(job, |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await?;
    bar.finish_and_clear();
    match state["status"].as_str() {
        Some("succeeded") => Ok(()),
        status => bail!("the job {job} is {}: {}", status.unwrap_or("lost"), state["error"]),
    }
}

fn line(space: &Value) -> String {
    let text = |name: &str| space[name].as_str().unwrap_or_default().to_owned();
    let behind = if space["behind"] == true { ", behind" } else { "" };
    let missing = if space["configured"] == false { ", its model is not configured" } else { "" };
    format!(
        "{:<8} {:<9} {} ({} dimensions, {}{behind}{missing})",
        text("id"),
        text("state"),
        text("model"),
        space["dimensions"],
        text("storage")
    )
}
