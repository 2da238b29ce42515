use super::super::measure::CLIENTS;
use super::super::report::{Cell, table};
use super::super::requests::Kind;
use super::super::traffic::Measured;
use super::TOP_K;
use super::filtered::{Filtered, Turns};
use super::text::Text;
use crate::cli::out;
use anyhow::Result;
use serde::Serialize;

const NEAREST: &str = "pgbench: nearest";

/// What `bench hot` found out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) chunks: u32,
    pub(super) source: String,
    /// Until the collection was searched in memory: read from PostgreSQL, and from the file of the server before.
    pub(super) built_s: f64,
    pub(super) loaded_s: f64,
    pub(super) bytes: u64,
    /// Dense, lexical, hybrid, each against exact search.
    pub(super) recall: [f64; 3],
    pub(super) text_ms: Text,
    pub(super) cells: Vec<Cell>,
    pub(super) filtered: Vec<Filtered>,
}

impl Report {
    fn cell(&self, name: &str, clients: usize) -> Measured {
        let found = self.cells.iter().find(|cell| cell.name == name && cell.clients == clients);
        found.map_or_else(Measured::default, |cell| cell.result)
    }

    /// Dense searches as a multiple of pgbench's best, at any number of clients, and of its own at as many.
    fn ratios(&self) -> Vec<(usize, f64, f64)> {
        let best = CLIENTS.iter().map(|clients| self.cell(NEAREST, *clients).qps).fold(0.0, f64::max);
        let of = |clients: &usize| {
            let dense = self.cell(Kind::Dense.label(), *clients).qps;
            (*clients, dense / best, dense / self.cell(NEAREST, *clients).qps)
        };
        CLIENTS.iter().map(of).collect()
    }

    pub(super) fn print(&self, json: bool) -> Result<()> {
        let ratios = self.ratios();
        if json {
            let mut report = serde_json::to_value(self)?;
            report["dense_of_pgbench"] = serde_json::json!(ratios);
            out(&serde_json::to_string_pretty(&report)?);
            return Ok(());
        }
        let megabytes = self.bytes as f64 / 1048576.0;
        out(&format!(
            "{} chunks of {}; in memory after {:.1} s from PostgreSQL, {:.1} s from a file; {megabytes:.0} MB ({:.0} MB per million); top_k {TOP_K}\n",
            self.chunks,
            self.source,
            self.built_s,
            self.loaded_s,
            megabytes * 1e6 / f64::from(self.chunks),
        ));
        table(&self.cells);
        out("");
        for (clients, of_best, of_same) in ratios {
            out(&format!(
                "dense, {clients:>2} clients: {of_best:.2} of pgbench's best, {of_same:.2} of pgbench's at as many"
            ));
        }
        let [dense, lexical, hybrid] = self.recall;
        out(&format!(
            "recall@{TOP_K} against exact search: dense {dense:.3}, lexical {lexical:.3}, hybrid {hybrid:.3}"
        ));
        let Text { search, embedding, embedder } = self.text_ms;
        out(&format!(
            "a search by text, 1 client: {search:.2} ms, {:.2} of an embedding by HTTP ({embedding:.2} ms), {:.2} of the embedder alone ({embedder:.2} ms)\n",
            search / embedding,
            search / embedder
        ));
        out("filtered: PostgreSQL / memory, by turns; the turn at the median of their ratios");
        for one in &self.filtered {
            let ([cold, hot], [plan, other]) = (one.recall, &one.plans);
            out(&format!("filter {:>4}% ({plan} / {other}), recall {cold:.3} / {hot:.3}", one.selected));
            for turns in &one.cells {
                let Turns { clients, postgres, memory, times } = turns;
                let (least, most) = (times.first().copied(), times.last().copied());
                out(&format!(
                    "  {clients:>2} clients: {:>8.0} / {:>8.0} qps ({:.1} times; {:.1} to {:.1}), p95 {:.2} / {:.2} ms",
                    postgres.qps,
                    memory.qps,
                    turns.median(),
                    least.unwrap_or_default(),
                    most.unwrap_or_default(),
                    postgres.p95_ms,
                    memory.p95_ms
                ));
            }
        }
        Ok(())
    }
}
