use super::super::traffic::Measured;
use crate::cli::out;
use anyhow::Result;
use console::style;
use serde::Serialize;

/// Both servers, asked the same by as many clients.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) only: &'static str,
    pub(super) clients: usize,
    pub(super) ours: Measured,
    pub(super) chroma: Measured,
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) chunks: u32,
    pub(super) top_k: u16,
    pub(super) chroma_ef: u16,
    pub(super) chroma_loaded_s: f64,
    pub(super) ef: u16,
    /// What was searched, our recall against exact search, and Chroma's.
    pub(super) recall: Vec<(&'static str, f64, f64)>,
    pub(super) rows: Vec<Row>,
}

impl Report {
    pub(super) fn print(&self, json: bool) -> Result<()> {
        if json {
            out(&serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        out(&format!(
            "{} chunks, top_k {}; Chroma: HNSW m 16, ef_construction 200, ef {}, loaded in {:.0} s; ours: ef {}\n",
            self.chunks, self.top_k, self.chroma_ef, self.chroma_loaded_s, self.ef
        ));
        let head = format!(
            "{:24}{:>8}{:>10}{:>9}{:>9}{:>10}{:>9}{:>9}{:>8}",
            "searched", "clients", "ours qps", "p50 ms", "p95 ms", "Chroma", "p50 ms", "p95 ms", "ratio"
        );
        out(&style(head).bold().to_string());
        for Row { only, clients, ours, chroma } in &self.rows {
            out(&format!(
                "{only:24}{clients:>8}{:>10.0}{:>9.2}{:>9.2}{:>10.0}{:>9.2}{:>9.2}{:>8.1}",
                ours.qps,
                ours.p50_ms,
                ours.p95_ms,
                chroma.qps,
                chroma.p50_ms,
                chroma.p95_ms,
                ours.qps / chroma.qps
            ));
        }
        out(&format!("\nrecall@{} against exact search", self.top_k));
        for (only, ours, theirs) in &self.recall {
            out(&format!("{only:24} ours {ours:.3}, Chroma {theirs:.3}"));
        }
        Ok(())
    }
}
