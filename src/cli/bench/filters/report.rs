use super::super::traffic::Measured;
use super::{Selection, TOP_K};
use crate::cli::out;
use anyhow::Result;
use console::style;
use serde::Serialize;

/// One way to search at one selectivity.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// Per cent of the chunks that the filter lets through.
    selected: f64,
    name: String,
    /// Results per search, of `top_k` or as many as there are.
    results: f64,
    wanted: f64,
    recall: f64,
    /// By number of clients.
    pub(super) cells: Vec<(usize, Measured)>,
}

impl Row {
    pub(super) fn new(
        selection: Selection,
        name: String,
        found: &[Vec<usize>],
        right: &[Vec<usize>],
    ) -> Self {
        let mean = |lists: &[Vec<usize>]| {
            lists.iter().map(Vec::len).sum::<usize>() as f64 / lists.len().max(1) as f64
        };
        let hits =
            found.iter().zip(right).map(|(found, right)| right.iter().filter(|n| found.contains(n)).count());
        let recall = hits.sum::<usize>() as f64 / right.iter().map(Vec::len).sum::<usize>().max(1) as f64;
        let selected = 100.0 / selection.every as f64;
        Self { selected, name, results: mean(found), wanted: mean(right), recall, cells: Vec::new() }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    chunks: u32,
    source: String,
    loaded_s: f64,
    pub(super) rows: Vec<Row>,
}

impl Report {
    pub(super) fn new(chunks: u32, source: &str, loaded_s: f64) -> Self {
        Self { chunks, source: source.to_owned(), loaded_s, rows: Vec::new() }
    }

    pub(super) fn print(&self, json: bool) -> Result<()> {
        if json {
            out(&serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        out(&format!(
            "{} documents of one chunk, of {}, loaded and indexed in {:.0} s; top_k {TOP_K}\n",
            self.chunks, self.source, self.loaded_s
        ));
        let mut head = format!("{:>9}  {:20}{:>10}{:>9}", "selected", "", "results", "recall");
        for (clients, _) in self.rows.first().map_or(&[][..], |row| &row.cells) {
            head.push_str(&format!("{:>10}{:>8}{:>8}", format!("qps ({clients})"), "p50", "p95"));
        }
        out(&style(head).bold().to_string());
        for row in &self.rows {
            let results = format!("{:.2}/{:.0}", row.results, row.wanted);
            let mut line = format!("{:>8}%  {:20}{results:>10}{:>9.3}", row.selected, row.name, row.recall);
            for (_, Measured { qps, p50_ms, p95_ms, .. }) in &row.cells {
                line.push_str(&format!("{qps:>10.0}{p50_ms:>8.2}{p95_ms:>8.2}"));
            }
            out(&line);
        }
        Ok(())
    }
}
