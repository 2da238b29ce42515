//! Filtered searches by how much the filter lets through, beside plain pgvector SQL on the same vectors.

mod beside;
mod load;
mod report;

use super::Interrupt;
use super::lab::Lab;
use super::made::Made;
use super::requests::{self, Kind, Question, open_body};
use super::source::Source;
use super::synthetic::Recipe;
use super::traffic::{self, Expect, Measured};
use crate::cli::Global;
use crate::cli::client::Client;
use crate::config::Settings;
use anyhow::{Context, Result};
use beside::{Beside, Scan};
use clap::Args;
use report::{Report, Row};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const COLLECTION: &str = "mcp-rag-bench-filters";
const TOP_K: u16 = 10;
const RECALL_QUESTIONS: usize = 100;

/// One chunk of so many fulfils `{key: 0}`.
#[derive(Debug, Clone, Copy)]
struct Selection {
    key: &'static str,
    every: usize,
}

const SELECTIONS: [Selection; 6] = [
    Selection { key: "half", every: 2 },
    Selection { key: "tenth", every: 10 },
    // Where the two plans meet.
    Selection { key: "twenty_fifth", every: 25 },
    Selection { key: "hundredth", every: 100 },
    Selection { key: "thousandth", every: 1_000 },
    Selection { key: "ten_thousandth", every: 10_000 },
];

#[derive(Debug, Args)]
pub(in crate::cli) struct Filters {
    /// Documents of one chunk each.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..=5_000_000))]
    chunks: u32,
    /// Seconds per measurement.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Clients at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4, 16])]
    clients: Vec<usize>,
    /// Leave plain pgvector out.
    #[arg(long)]
    alone: bool,
}

impl Filters {
    pub(super) async fn run(
        self,
        global: &Global,
        mut settings: Settings,
        interrupt: &mut Interrupt,
    ) -> Result<()> {
        let scratch = super::scratch(&mut settings, None)?;
        let source = Source::read(None)?;
        let lab = Lab::open(&settings).await?;
        let prepared = interrupt.or(self.prepare(&lab, &source, scratch.path())).await;
        let tools = lab.tools.clone();
        lab.close().await;
        let (recipe, questions, loaded_s) = prepared?;
        let client = Client::open(global, settings.clone()).await?;
        let measured = async {
            let beside = match self.alone {
                true => None,
                false => Some(Beside::prepare(&tools, &questions, scratch.path()).await?),
            };
            let mut report = Report::new(self.chunks, &source.name, loaded_s);
            for selection in SELECTIONS {
                let rows =
                    self.measure(&client, &recipe, &questions, selection, beside.as_ref(), scratch.path());
                report.rows.extend(rows.await?);
            }
            anyhow::Ok(report)
        };
        let measured = interrupt.or(measured).await;
        client.close().await;
        measured?.print(global.json)
    }

    async fn prepare(
        &self,
        lab: &Lab,
        source: &Source,
        scratch: &Path,
    ) -> Result<(Arc<Recipe>, Vec<Question>, f64)> {
        let Made { recipe, questions } = Made::from(lab, source, self.chunks).await?;
        let began = Instant::now();
        load::load(lab, COLLECTION, &recipe, self.chunks as usize, scratch).await?;
        Ok((recipe, questions, began.elapsed().as_secs_f64()))
    }

    /// The server's rows and those of plain SQL, side by side in time.
    async fn measure(
        &self,
        client: &Client,
        recipe: &Recipe,
        questions: &[Question],
        selection: Selection,
        beside: Option<&Beside<'_>>,
        scratch: &Path,
    ) -> Result<Vec<Row>> {
        let sample = &questions[..questions.len().min(RECALL_QUESTIONS)];
        let right = nearest(recipe, self.chunks as usize, sample, selection);
        let open = |question: &Question| {
            let mut body = open_body(Kind::Dense, question, COLLECTION, TOP_K);
            body.push_str(&format!(
                ",\"filters\":{}",
                json!({"type": "eq", "key": selection.key, "value": 0})
            ));
            body
        };
        let mut found = Vec::new();
        let mut plan = String::new();
        for question in sample {
            let body: Value = serde_json::from_str(&requests::unique(&open(question), 0))?;
            let answer = client.json(Method::POST, "/v1/search", Some(&body)).await?;
            plan = answer["timings"]["plan"].as_str().unwrap_or_default().to_owned();
            let results = answer["results"].as_array().context("no results")?;
            let number = |result: &Value| result["external_id"].as_str()?.parse().ok();
            found.push(results.iter().filter_map(number).collect::<Vec<usize>>());
        }
        let mut rows = vec![Row::new(selection, format!("mcp-rag ({plan})"), &found, &right)];
        let mut scans = vec![];
        for scan in beside.map_or(&[][..], |_| &Scan::ALL) {
            let found = beside.context("no plain SQL")?.found(selection, *scan, RECALL_QUESTIONS).await?;
            rows.push(Row::new(selection, scan.label().to_owned(), &found, &right));
            scans.push(*scan);
        }
        let address = client.base().trim_start_matches("http://").to_owned();
        let bodies = Arc::new(questions.iter().map(open).collect::<Vec<String>>());
        let measured = Duration::from_secs(self.seconds);
        for clients in &self.clients {
            let warm_up = Duration::from_millis(500);
            let result =
                traffic::drive(&address, &bodies, Expect::Fresh, *clients, warm_up, measured).await?;
            rows[0].cells.push((*clients, result));
            for (row, scan) in rows[1..].iter_mut().zip(&scans) {
                let beside = beside.context("no plain SQL")?;
                let result: Measured = beside.run(selection, *scan, *clients, measured, scratch).await?;
                row.cells.push((*clients, result));
            }
        }
        Ok(rows)
    }
}

/// The nearest chunks that the filter lets through, by comparing each.
fn nearest(recipe: &Recipe, chunks: usize, questions: &[Question], selection: Selection) -> Vec<Vec<usize>> {
    let mut best: Vec<Vec<(f32, usize)>> = vec![Vec::new(); questions.len()];
    for n in (0..chunks).step_by(selection.every) {
        let chunk = recipe.chunk(n);
        for (question, best) in questions.iter().zip(&mut best) {
            let dot: f32 = question.embedding.iter().zip(&chunk.embedding).map(|(a, b)| a * b).sum();
            let at = best.partition_point(|(other, _)| *other >= dot);
            if at < usize::from(TOP_K) {
                best.insert(at, (dot, n));
                best.truncate(usize::from(TOP_K));
            }
        }
    }
    best.into_iter().map(|best| best.into_iter().map(|(_, n)| n).collect()).collect()
}
