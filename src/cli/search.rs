use super::client::Client;
use super::tuning::Tuning;
use super::{Global, out};
use crate::config::Settings;
use crate::rag::search::{SearchResponse, SearchResult};
use anyhow::Result;
use clap::{Args, ValueEnum};
use console::style;
use reqwest::Method;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Characters of a chunk that are shown.
const SHOWN: usize = 320;

#[derive(Debug, Args)]
pub(super) struct Search {
    query: String,
    /// Collections to search; all by default.
    #[arg(long, short)]
    collection: Vec<String>,
    /// How many chunks to print.
    #[arg(long, short = 'k', default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    top_k: u16,
    #[arg(long, value_enum, default_value = "hybrid")]
    mode: Mode,
    /// A further query that is searched beside the first; may be repeated.
    #[arg(long, value_name = "QUERY")]
    also: Vec<String>,
    /// Go on where an earlier page ended, with its `next_cursor`.
    #[arg(long)]
    cursor: Option<String>,
    #[command(flatten)]
    tuning: Tuning,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Mode {
    Hybrid,
    Dense,
    Lexical,
}

impl Mode {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Dense => "dense",
            Self::Lexical => "lexical",
        }
    }
}

/// An absent list means all collections.
pub(super) fn collections(names: &[String]) -> Value {
    if names.is_empty() { Value::Null } else { json!(names) }
}

impl Search {
    pub(super) async fn run(self, global: &Global, settings: Settings) -> Result<ExitCode> {
        let query = match self.also.as_slice() {
            [] => json!(self.query),
            also => json!([std::slice::from_ref(&self.query), also].concat()),
        };
        let mut body = json!({
            "query": query,
            "collections": collections(&self.collection),
            "top_k": self.top_k,
            "mode": self.mode.as_str(),
            "cursor": self.cursor,
        });
        self.tuning.apply(&mut body)?;
        let client = Client::open(global, settings).await?;
        let found = client.json(Method::POST, "/v1/search", Some(&body)).await;
        client.close().await;
        let found = found?;
        if global.json {
            out(&serde_json::to_string_pretty(&found)?);
            return Ok(ExitCode::SUCCESS);
        }
        let found: SearchResponse = serde_json::from_value(found)?;
        for (place, result) in found.results.iter().enumerate() {
            print(place + 1, result);
        }
        for stage in &found.degraded {
            out(&style(format!("degraded: {} ({}), used {}", stage.stage, stage.reason, stage.fallback))
                .yellow()
                .to_string());
        }
        if let Some(cursor) = &found.next_cursor {
            out(&style(format!("more: --cursor {cursor}")).dim().to_string());
        }
        let count = found.results.len();
        out(&style(format!("{count} chunks in {:.1} ms", found.timings.total_ms)).dim().to_string());
        Ok(ExitCode::SUCCESS)
    }
}

fn print(place: usize, result: &SearchResult) {
    let title = if result.title.is_empty() { &result.external_id } else { &result.title };
    let path =
        result.headings.iter().filter(|heading| *heading != title).cloned().collect::<Vec<_>>().join(" › ");
    out(&format!(
        "{} {}  {}",
        style(format!("{place:>2}.")).bold(),
        style(title).bold().cyan(),
        style(path).dim()
    ));
    let legs = [("dense", result.scores.dense), ("bm25", result.scores.lexical)];
    let legs: Vec<String> =
        legs.iter().filter_map(|(name, score)| score.map(|score| format!("{name} {score:.2}"))).collect();
    let source = format!(
        "    {}/{} [{}..{}]  score {:.3}  {}",
        result.collection,
        result.external_id,
        result.span.start,
        result.span.end,
        result.score,
        legs.join("  ")
    );
    out(&style(source).dim().to_string());
    let others = [(result.duplicates, "nearly the same"), (result.same_document, "of the same document")];
    for (count, what) in others.iter().filter(|(count, _)| *count > 0) {
        out(&style(format!("    and {count} more {what}")).dim().to_string());
    }
    out(&format!("    {}\n", shorten(&result.text, SHOWN).replace('\n', "\n    ")));
}

/// At most `limit` characters, cut at a word.
fn shorten(text: &str, limit: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(limit) else { return text.trim().to_owned() };
    let cut = text[..end].rfind(char::is_whitespace).unwrap_or(end);
    format!("{} …", text[..cut].trim())
}
