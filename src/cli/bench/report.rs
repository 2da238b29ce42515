use super::traffic::Measured;
use crate::cli::out;
use anyhow::Result;
use console::style;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct Cell {
    pub(super) name: &'static str,
    pub(super) clients: usize,
    #[serde(flatten)]
    pub(super) result: Measured,
}

/// What `bench search` found out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) chunks: u32,
    pub(super) source: String,
    pub(super) top_k: u16,
    pub(super) ef_search: u16,
    pub(super) cores: usize,
    /// Absent when an earlier run had loaded the data.
    pub(super) loaded_s: Option<f64>,
    /// Until the server was ready on the loaded data.
    pub(super) started_s: f64,
    pub(super) took_s: f64,
    /// Dense, lexical, hybrid, each against exact search.
    pub(super) recall: [f64; 3],
    pub(super) cells: Vec<Cell>,
}

impl Report {
    fn qps(&self, name: &str, clients: usize) -> f64 {
        let cell = self.cells.iter().find(|cell| cell.name == name && cell.clients == clients);
        cell.map_or(0.0, |cell| cell.result.qps)
    }

    /// Dense searches of the server as a share of pgbench's, by number of clients.
    fn ratios(&self, beside: &str) -> Vec<(usize, f64)> {
        let dense = super::requests::Kind::Dense.label();
        let clients = self.cells.iter().filter(|cell| cell.name == beside).map(|cell| cell.clients);
        clients.map(|clients| (clients, self.qps(dense, clients) / self.qps(beside, clients))).collect()
    }

    pub(super) fn print(&self, json: bool) -> Result<()> {
        let ratios = ["pgbench: nearest", "pgbench: with texts"].map(|beside| (beside, self.ratios(beside)));
        if json {
            let mut report = serde_json::to_value(self)?;
            report["dense_share_of_pgbench"] = serde_json::json!(
                ratios.iter().map(|(name, all)| (*name, all)).collect::<std::collections::BTreeMap<_, _>>()
            );
            out(&serde_json::to_string_pretty(&report)?);
            return Ok(());
        }
        let loaded = self.loaded_s.map_or_else(
            || "loaded by an earlier run".to_owned(),
            |seconds| format!("loaded in {seconds:.0} s ({:.0}/s)", f64::from(self.chunks) / seconds),
        );
        out(&format!(
            "{} chunks of {}, {loaded}; server ready in {:.1} s; {} cores, shared with the clients",
            self.chunks, self.source, self.started_s, self.cores
        ));
        out(&format!("top_k {}, ef_search {}\n", self.top_k, self.ef_search));
        table(&self.cells);
        out("");
        for (beside, all) in ratios {
            let mut line = format!("{:22}", format!("dense / {}", beside.replace("pgbench: ", "")));
            all.iter().for_each(|(_, ratio)| line.push_str(&format!("{ratio:>9.2}{:17}", "")));
            out(line.trim_end());
        }
        let [dense, lexical, hybrid] = self.recall;
        out(&format!(
            "\nrecall@{} against exact search: dense {dense:.3}, lexical {lexical:.3}, hybrid {hybrid:.3}",
            self.top_k
        ));
        out(&format!("{:.0} s in all", self.took_s));
        Ok(())
    }
}

/// A row for each name, with throughput and latency for each number of clients.
pub(super) fn table(cells: &[Cell]) {
    let mut clients: Vec<usize> = cells.iter().map(|cell| cell.clients).collect();
    clients.sort_unstable();
    clients.dedup();
    let mut head = format!("{:22}", "");
    let mut units = head.clone();
    for count in &clients {
        let noun = if *count == 1 { "client" } else { "clients" };
        head.push_str(&format!("{:^26}", format!("{count} {noun}")));
        units.push_str(&format!("{:>9}{:>8}{:>8} ", "qps", "p50 ms", "p95 ms"));
    }
    out(&style(head.trim_end()).bold().to_string());
    out(&style(units.trim_end()).dim().to_string());
    let mut names: Vec<&str> = Vec::new();
    cells.iter().map(|cell| cell.name).for_each(|name| {
        if !names.contains(&name) {
            names.push(name);
        }
    });
    for name in names {
        let mut line = format!("{name:22}");
        for cell in cells.iter().filter(|cell| cell.name == name) {
            let Measured { qps, p50_ms, p95_ms, .. } = cell.result;
            line.push_str(&format!("{qps:>9.0}{p50_ms:>8.2}{p95_ms:>8.2} "));
        }
        out(line.trim_end());
    }
}
