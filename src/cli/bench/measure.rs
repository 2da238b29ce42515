//! The measurements of a loaded collection: throughput and latency per way of asking and number of clients,
//! pgbench between them, and recall against exact search.

use super::exact::{self, Exact};
use super::load::number_of;
use super::pgbench::{Pgbench, Script};
use super::report::Cell;
use super::requests::{self, Kind, Question, open_body};
use super::synthetic::Recipe;
use super::traffic::{self, Expect};
use crate::cli::client::Client;
use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use reqwest::Method;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) const CLIENTS: [usize; 3] = [1, 4, 16];
/// What is measured in all: pgbench with two scripts, and each kind of search.
pub(super) const CELLS: usize = CLIENTS.len() * (Kind::ALL.len() + 2);
const RECALL_QUESTIONS: usize = 100;

/// What is asked of whom.
pub(super) struct Asked<'a> {
    /// `host:port` of the server.
    pub(super) address: &'a str,
    pub(super) collection: &'a str,
    pub(super) top_k: u16,
    pub(super) questions: &'a [Question],
}

pub(super) async fn cells(
    asked: &Asked<'_>,
    beside: &Pgbench<'_>,
    measured: Duration,
    scratch: &Path,
    bar: &ProgressBar,
) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for clients in CLIENTS {
        // Side by side in time: what else the machine does changes both alike.
        for (name, script) in
            [("pgbench: nearest", Script::Nearest), ("pgbench: with texts", Script::WithTexts)]
        {
            let result = beside.run(script, clients, measured, scratch).await?;
            cells.push(Cell { name, clients, result });
            bar.inc(1);
        }
        for kind in Kind::ALL {
            let open = |question: &Question| open_body(kind, question, asked.collection, asked.top_k);
            let bodies = Arc::new(asked.questions.iter().map(open).collect::<Vec<String>>());
            let warm_up = Duration::from_secs(1);
            let result =
                traffic::drive(asked.address, &bodies, Expect::Fresh, clients, warm_up, measured).await?;
            cells.push(Cell { name: kind.label(), clients, result });
            bar.inc(1);
        }
    }
    Ok(cells)
}

/// Milliseconds of the first search, and of the ten after it at the median.
pub(super) fn first(asked: &Asked<'_>) -> Result<[f64; 2]> {
    let open = |question: &Question| open_body(Kind::HybridVector, question, asked.collection, asked.top_k);
    let bodies: Vec<String> = asked.questions.iter().take(11).map(open).collect();
    let mut millis = traffic::one_by_one(asked.address, &bodies, bodies.len())?;
    let first = millis.remove(0);
    millis.sort_by(f64::total_cmp);
    Ok([first, millis[millis.len() / 2]])
}

/// What the first questions should find.
pub(super) fn right(
    recipe: &Recipe,
    chunks: usize,
    questions: &[Question],
    top_k: u16,
    depth: usize,
) -> Exact {
    let sample: Vec<&Question> = questions.iter().take(RECALL_QUESTIONS).collect();
    exact::search(recipe, chunks, &sample, usize::from(top_k), depth)
}

/// The share of it that the server finds: dense, lexical, hybrid.
pub(super) async fn recall(
    client: &Client,
    right: &Exact,
    questions: &[Question],
    collection: &str,
    top_k: u16,
) -> Result<[f64; 3]> {
    let mut recall = [0.0; 3];
    let legs =
        [(Kind::Dense, &right.dense), (Kind::Lexical, &right.lexical), (Kind::HybridVector, &right.hybrid)];
    for ((kind, right), recall) in legs.into_iter().zip(&mut recall) {
        let mut found = Vec::new();
        for question in questions.iter().take(right.len()) {
            let body: Value =
                serde_json::from_str(&requests::unique(&open_body(kind, question, collection, top_k), 0))?;
            let answer = client.json(Method::POST, "/v1/search", Some(&body)).await?;
            let results = answer["results"].as_array().context("no results")?;
            ensure!(!results.is_empty(), "a search of {} found nothing", kind.label());
            found.push(results.iter().filter_map(number_of).collect());
        }
        *recall = exact::recall(&found, right);
    }
    Ok(recall)
}
