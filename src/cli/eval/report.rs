//! The outcome of an evaluation: what is printed, what is written to a file, what another run is compared with.

use super::stats::{self, Estimate};
use crate::cli::out;
use anyhow::{Context, Result};
use console::style;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Scores of one query by the name of the metric; a metric that does not apply to it is null.
pub(super) type Scores = BTreeMap<String, Option<f64>>;

/// One way of asking, for all queries.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    pub(super) name: String,
    /// In the order in which they are shown.
    pub(super) metrics: Vec<&'static str>,
    /// By the query's id.
    pub(super) queries: BTreeMap<String, Scores>,
    pub(super) latencies_ms: Vec<f64>,
    /// Figures that are no means over queries.
    pub(super) figures: BTreeMap<&'static str, f64>,
}

impl Run {
    pub(super) fn values(&self, metric: &str) -> Vec<f64> {
        self.queries.values().filter_map(|scores| scores.get(metric).copied().flatten()).collect()
    }

    fn estimates(&self, seed: u64) -> Vec<(&'static str, Estimate)> {
        let estimate = |metric: &&'static str| Some((*metric, stats::estimate(&self.values(metric), seed)?));
        self.metrics.iter().filter_map(estimate).collect()
    }

    fn latency(&self, share: f64) -> f64 {
        let mut sorted = self.latencies_ms.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
        sorted.get(at).copied().unwrap_or_default()
    }
}

/// All runs over one set.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) dataset: String,
    pub(super) documents: usize,
    pub(super) queries: usize,
    pub(super) seed: u64,
    pub(super) runs: Vec<Run>,
}

/// The parts of a written report that a comparison needs.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Written {
    pub(super) dataset: String,
    pub(super) per_query: BTreeMap<String, BTreeMap<String, Scores>>,
}

impl Written {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is not what `eval --output` writes", path.display()))
    }
}

impl Report {
    pub(super) fn written(&self) -> Written {
        let per_query = self.runs.iter().map(|run| (run.name.clone(), run.queries.clone())).collect();
        Written { dataset: self.dataset.clone(), per_query }
    }

    pub(super) fn json(&self) -> Value {
        let mut modes = Map::new();
        for run in &self.runs {
            let mut figures = Map::new();
            let mut intervals = Map::new();
            for (metric, estimate) in run.estimates(self.seed) {
                figures.insert(metric.to_owned(), json!(estimate.mean));
                intervals.insert(metric.to_owned(), json!([estimate.low, estimate.high]));
            }
            for (name, figure) in &run.figures {
                figures.insert((*name).to_owned(), json!(figure));
            }
            figures.insert("ci95".to_owned(), Value::Object(intervals));
            let latency = json!({"p50": run.latency(0.5), "p95": run.latency(0.95)});
            figures.insert("latency_ms".to_owned(), latency);
            modes.insert(run.name.clone(), Value::Object(figures));
        }
        json!({
            "dataset": self.dataset,
            "documents": self.documents,
            "queries": self.queries,
            "seed": self.seed,
            "modes": modes,
        })
    }

    /// The same with the scores of each query, for `--compare`.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let mut report = self.json();
        report["per_query"] = serde_json::to_value(self.written().per_query)?;
        std::fs::write(path, serde_json::to_vec(&report)?)
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    pub(super) fn print(&self) {
        out(&format!("{}: {} documents, {} queries", self.dataset, self.documents, self.queries));
        let width = self.runs.iter().map(|run| run.name.chars().count()).max().unwrap_or(0).max(6);
        let Some(first) = self.runs.first() else { return };
        let shown = |metric: &str| match metric {
            "ndcg@10" => "nDCG@10".to_owned(),
            "mrr@10" => "MRR@10".to_owned(),
            other => other.replace("recall", "Recall"),
        };
        let head = first
            .metrics
            .iter()
            .fold(format!("{:width$}", "run"), |head, metric| format!("{head} {:>22}", shown(metric)));
        out(&style(format!("{head} {:>9} {:>9}", "p50 ms", "p95 ms")).bold().to_string());
        for run in &self.runs {
            let estimates = run.estimates(self.seed);
            let line = run.metrics.iter().fold(format!("{:width$}", run.name), |line, metric| {
                let cell = estimates.iter().find(|(name, _)| name == metric).map_or_else(
                    || "–".to_owned(),
                    |(_, Estimate { mean, low, high })| format!("{mean:.4} [{low:.3} {high:.3}]"),
                );
                format!("{line} {cell:>22}")
            });
            out(&format!("{line} {:>9.1} {:>9.1}", run.latency(0.5), run.latency(0.95)));
            for (name, figure) in &run.figures {
                out(&style(format!("{:width$} {name} {figure:.4}", "")).dim().to_string());
            }
        }
    }
}

pub(super) fn bar(total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64);
    let template = "{bar:32.cyan/dim} {pos}/{len} {msg}  {elapsed} (left: {eta})";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
