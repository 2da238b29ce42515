use super::super::report::{Cell, table};
use super::facts::{Memory, Sizes};
use super::load::Built;
use crate::cli::out;
use anyhow::Result;
use console::style;
use serde::Serialize;

/// The clients of the ratios between sizes and of the picture.
pub(super) const TYPICAL: usize = 4;
pub(super) const NEAREST: &str = "pgbench: nearest";
pub(super) const DENSE: &str = "dense, vector given";

/// What one size gave.
#[derive(Debug, Serialize)]
pub(super) struct Size {
    pub(super) chunks: u32,
    /// Candidates that searches of the HNSW index kept, the server's and pgbench's.
    pub(super) ef: u16,
    /// Absent where an earlier run had loaded it.
    pub(super) built: Option<Built>,
    pub(super) sizes: Sizes,
    pub(super) memory: Memory,
    pub(super) ready_s: f64,
    /// The first search after the start, and the median of the ten after it.
    pub(super) first_ms: [f64; 2],
    /// Dense, lexical, hybrid, each against exact search.
    pub(super) recall: [f64; 3],
    /// Dense recall by candidates kept.
    pub(super) curve: Vec<(u16, f64)>,
    pub(super) cells: Vec<Cell>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) source: String,
    pub(super) top_k: u16,
    pub(super) sizes: Vec<Size>,
}

impl Size {
    pub(super) fn cell(&self, name: &str, clients: usize) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.name == name && cell.clients == clients)
    }

    /// Dense searches over HTTP as a share of pgbench's, by number of clients.
    fn shares(&self) -> Vec<(usize, f64)> {
        let beside = self.cells.iter().filter(|cell| cell.name == NEAREST);
        beside
            .filter_map(|cell| {
                let dense = self.cell(DENSE, cell.clients)?;
                Some((cell.clients, dense.result.qps / cell.result.qps))
            })
            .collect()
    }
}

impl Report {
    /// All that is known of the size measured last.
    pub(super) fn print_last(&self) -> Result<()> {
        let Some(size) = self.sizes.last() else { return Ok(()) };
        let (sizes, memory) = (size.sizes, size.memory);
        out(&style(format!("\n{} chunks of {}", size.chunks, self.source)).bold().to_string());
        if let Some(built) = size.built {
            out(&format!(
                "built in {:.0} s: rows {:.0}, vector index {:.0}, lexical index {:.0}, other indexes {:.0}, \
                 vacuum {:.0}",
                built.total(),
                built.rows_s,
                built.vector_index_s,
                built.lexical_index_s,
                built.other_indexes_s,
                built.vacuum_s
            ));
        }
        let mb = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"));
        out(&format!(
            "MB: vector index {:.0}, lexical index {:.0}, database {:.0}; resident under load: server {}, \
             PostgreSQL {}",
            sizes.vector_index_mb,
            sizes.lexical_index_mb,
            sizes.database_mb,
            mb(memory.server_mb),
            mb(memory.postgres_mb)
        ));
        let [dense, lexical, hybrid] = size.recall;
        out(&format!(
            "recall@{} against exact search: dense {dense:.3} (ef {}), lexical {lexical:.3}, hybrid {hybrid:.3}",
            self.top_k, size.ef
        ));
        let curve: Vec<String> = size.curve.iter().map(|(ef, recall)| format!("{ef} {recall:.3}")).collect();
        out(&format!("dense recall by ef: {}", curve.join(", ")));
        out(&format!(
            "ready {:.1} s after the start; first search {:.1} ms, the ten after it {:.1} ms at the median\n",
            size.ready_s, size.first_ms[0], size.first_ms[1]
        ));
        table(&size.cells);
        let mut line = format!("{:22}", "dense / nearest");
        size.shares().iter().for_each(|(_, share)| line.push_str(&format!("{share:>9.2}{:17}", "")));
        out(line.trim_end());
        Ok(())
    }

    /// How everything grows from one size to the next, as a factor per tenfold of chunks.
    pub(super) fn print_end(&self, json: bool) -> Result<()> {
        if json {
            let mut report = serde_json::to_value(self)?;
            for (shown, size) in report["sizes"].as_array_mut().into_iter().flatten().zip(&self.sizes) {
                shown["dense_share_of_pgbench"] = serde_json::json!(size.shares());
            }
            out(&serde_json::to_string_pretty(&report)?);
            return Ok(());
        }
        for pair in self.sizes.windows(2) {
            let [small, large] = pair else { continue };
            let decades = (f64::from(large.chunks) / f64::from(small.chunks)).log10();
            let per_decade = |small: f64, large: f64| (large / small).powf(1.0 / decades);
            let heading = format!("\nfrom {} to {} chunks, per decade", small.chunks, large.chunks);
            out(&style(heading).bold().to_string());
            let mut names: Vec<&str> = Vec::new();
            for cell in &large.cells {
                if !names.contains(&cell.name) {
                    names.push(cell.name);
                }
            }
            for name in names {
                let (Some(a), Some(b)) = (small.cell(name, TYPICAL), large.cell(name, TYPICAL)) else {
                    continue;
                };
                let (Some(c), Some(d)) = (small.cell(name, 1), large.cell(name, 1)) else { continue };
                out(&format!(
                    "{name:22} throughput with {TYPICAL} clients x {:.2}, p50 alone x {:.2}, p95 alone x {:.2}",
                    per_decade(a.result.qps, b.result.qps),
                    per_decade(c.result.p50_ms, d.result.p50_ms),
                    per_decade(c.result.p95_ms, d.result.p95_ms)
                ));
            }
            out(&format!(
                "{:22} vector index x {:.2}, lexical index x {:.2}, database x {:.2}",
                "size",
                per_decade(small.sizes.vector_index_mb, large.sizes.vector_index_mb),
                per_decade(small.sizes.lexical_index_mb, large.sizes.lexical_index_mb),
                per_decade(small.sizes.database_mb, large.sizes.database_mb)
            ));
            if let (Some(a), Some(b)) = (small.built, large.built) {
                out(&format!("{:22} x {:.2}", "time to build", per_decade(a.total(), b.total())));
            }
        }
        Ok(())
    }
}
