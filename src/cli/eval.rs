//! Quality on a judged set, measured through the API against a scratch collection that is deleted again; and two
//! such measurements compared, as a gate for a new version or setting.

mod answers;
mod compare;
mod report;
mod scratch;
mod stats;
mod vary;

use super::beir::{Dataset, Question};
use super::client::Client;
use super::metrics::Metrics;
use super::search::Mode;
use super::tuning::Tuning;
use super::{Global, out};
use crate::config::Settings;
use anyhow::{Context, Result, bail};
use clap::Args;
use compare::Gate;
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use report::{Report, Run, Scores, Written};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use vary::Way;

/// Queries on their way at once.
const CONCURRENCY: usize = 4;
/// Something that is gated on was lost.
const LOST: u8 = 3;

#[derive(Debug, Args)]
pub(super) struct Eval {
    /// Folder with corpus.jsonl, queries.jsonl and qrels.tsv (or qrels/SPLIT.tsv).
    #[arg(required_unless_present = "compare")]
    dataset: Option<PathBuf>,
    /// Which judgements of a set with several: qrels/SPLIT.tsv.
    #[arg(long, default_value = "test")]
    split: String,
    /// Cut documents into chunks of the default size, as in production. Without it a document is one
    /// chunk, as in published figures: the embedder reads its first 256 tokens.
    #[arg(long)]
    chunked: bool,
    /// Ask for answers instead: queries with `answers`, and queries_unanswerable.jsonl.
    #[arg(long)]
    answers: bool,
    /// Ask at most so many queries of each kind, chosen by the seed.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Modes to measure; all by default, for answers `hybrid` alone.
    #[arg(long, value_enum, value_delimiter = ',')]
    modes: Vec<Mode>,
    /// Measure every value of a field of the request, e.g. diversity=0,0.3; several make every combination.
    #[arg(long, value_name = "FIELD=VALUES", value_parser = vary::parse)]
    vary: Vec<(String, Vec<Value>)>,
    #[command(flatten)]
    tuning: Tuning,
    /// Write the report with the scores of each query to a file, for --compare and --baseline.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Compare with an earlier report; a significant loss ends with status 3.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Only compare two reports, the earlier one first.
    #[arg(long, num_args = 2, value_names = ["BEFORE", "AFTER"], conflicts_with_all = ["dataset", "output", "baseline"])]
    compare: Vec<PathBuf>,
    /// What a mean may lose before it counts.
    #[arg(long, default_value_t = 0.01)]
    tolerance: f64,
    /// Metrics whose loss fails; by default ndcg@10, or for answers the score.
    #[arg(long, value_name = "METRIC", value_delimiter = ',')]
    gate: Vec<String>,
    /// Of the resampling and of --limit.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Eval {
    pub(super) async fn run(self, global: &Global, settings: Settings) -> Result<ExitCode> {
        if let [before, after] = self.compare.as_slice() {
            return self.gate(&Written::read(before)?, &Written::read(after)?, global.json);
        }
        let Some(folder) = &self.dataset else { bail!("name a folder with a judged set") };
        let mut dataset = Dataset::read(folder, &self.split, self.answers)?;
        if let Some(limit) = self.limit {
            dataset.sample(limit, self.seed);
        }
        let baseline = self.baseline.as_deref().map(Written::read).transpose()?;
        let ways = self.ways()?;
        let client = Client::open(global, settings).await?;
        let scratch = format!("eval-{}", uuid::Uuid::new_v4().simple());
        // Whatever happens, and also on Ctrl-C, the scratch collection goes.
        let measured = tokio::select! {
            measured = self.measure(&client, &dataset, &ways, &scratch) => measured,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        let removed = client.send(Method::DELETE, &format!("/v1/collections/{scratch}"), None).await;
        client.close().await;
        let runs = measured?;
        removed?;
        let queries = dataset.queries.len() + dataset.unanswerable.len();
        let documents = dataset.corpus.len();
        let report = Report { dataset: dataset.name, documents, queries, seed: self.seed, runs };
        if let Some(path) = &self.output {
            report.write(path)?;
        }
        if let Some(baseline) = baseline {
            return self.gate(&baseline, &report.written(), global.json);
        }
        if global.json {
            out(&serde_json::to_string_pretty(&report.json())?);
        } else {
            report.print();
        }
        Ok(ExitCode::SUCCESS)
    }

    fn gate(&self, before: &Written, after: &Written, json: bool) -> Result<ExitCode> {
        let metrics = if self.gate.is_empty() {
            // Answers have a score, searches have none.
            let has = |metric: &str| {
                before
                    .per_query
                    .values()
                    .flat_map(|run| run.values())
                    .any(|scores| scores.contains_key(metric))
            };
            vec![if has("score") { "score" } else { "ndcg@10" }.to_owned()]
        } else {
            self.gate.clone()
        };
        let gate = Gate { metrics, tolerance: self.tolerance, seed: self.seed };
        let lost = compare::show(&compare::compare(before, after, &gate)?, &gate, json)?;
        Ok(if lost { ExitCode::from(LOST) } else { ExitCode::SUCCESS })
    }

    /// Each mode with each combination of what is varied.
    fn ways(&self) -> Result<Vec<Way>> {
        let modes: Vec<&str> = match (self.modes.as_slice(), self.answers) {
            ([], true) => vec!["hybrid"],
            ([], false) => vec!["hybrid", "dense", "lexical"],
            (chosen, _) => chosen.iter().map(|mode| mode.as_str()).collect(),
        };
        vary::ways(&modes, &self.vary)
    }

    async fn measure(
        &self,
        client: &Client,
        dataset: &Dataset,
        ways: &[Way],
        scratch: &str,
    ) -> Result<Vec<Run>> {
        scratch::fill(client, dataset, scratch, self.chunked).await?;
        let queries = dataset.queries.len() + dataset.unanswerable.len();
        let bar = report::bar(queries * ways.len());
        let mut runs = Vec::new();
        for way in ways {
            bar.set_message(way.name.clone());
            let run = if self.answers {
                self.ask(client, dataset, way, scratch, &bar).await
            } else {
                self.search(client, dataset, way, scratch, &bar).await
            };
            runs.push(run.with_context(|| format!("while measuring `{}`", way.name))?);
        }
        bar.finish_and_clear();
        Ok(runs)
    }

    fn body(&self, way: &Way, mut body: Value) -> Result<Value> {
        self.tuning.apply(&mut body)?;
        for (field, value) in &way.fields {
            body[field] = value.clone();
        }
        Ok(body)
    }

    async fn search(
        &self,
        client: &Client,
        dataset: &Dataset,
        way: &Way,
        scratch: &str,
        bar: &ProgressBar,
    ) -> Result<Run> {
        let one = async |query: &Question| -> Result<(String, Scores, f64)> {
            let body = json!({"query": query.text, "collections": [scratch], "top_k": 100});
            let body = self.body(way, body)?;
            let began = Instant::now();
            let found = client.patiently(Method::POST, "/v1/search", &body).await?;
            let took = began.elapsed().as_secs_f64() * 1e3;
            bar.inc(1);
            let metrics = Metrics::of(&ranking(&found), &dataset.judgements[&query.id]);
            let scores = metrics.named().into_iter().map(|(name, value)| (name.to_owned(), Some(value)));
            Ok((query.id.clone(), scores.collect(), took))
        };
        let all: Vec<(String, Scores, f64)> =
            stream::iter(&dataset.queries).map(one).buffered(CONCURRENCY).try_collect().await?;
        Ok(collect(way, Metrics::NAMES.to_vec(), all))
    }

    async fn ask(
        &self,
        client: &Client,
        dataset: &Dataset,
        way: &Way,
        scratch: &str,
        bar: &ProgressBar,
    ) -> Result<Run> {
        let one = async |question: &Question| -> Result<(String, Scores, f64)> {
            let body = self.body(way, json!({"question": question.text, "collections": [scratch]}))?;
            let began = Instant::now();
            let answer = client.patiently(Method::POST, "/v1/answers", &body).await?;
            let took = began.elapsed().as_secs_f64() * 1e3;
            bar.inc(1);
            let scores = answers::score(question, dataset.judgements.get(&question.id), &answer);
            Ok((question.id.clone(), scores, took))
        };
        let questions = dataset.queries.iter().chain(&dataset.unanswerable);
        let all: Vec<(String, Scores, f64)> =
            stream::iter(questions).map(one).buffered(CONCURRENCY).try_collect().await?;
        let mut run = collect(way, answers::METRICS.to_vec(), all);
        run.figures.extend(answers::precision(&run).map(|precision| ("abstention_precision", precision)));
        Ok(run)
    }
}

fn collect(way: &Way, metrics: Vec<&'static str>, all: Vec<(String, Scores, f64)>) -> Run {
    let mut run = Run { name: way.name.clone(), metrics, ..Run::default() };
    for (id, scores, took) in all {
        run.queries.insert(id, scores);
        run.latencies_ms.push(took);
    }
    run
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
