//! `make rolling`: replaces replicas behind HAProxy under load, with and without the drain.

use anyhow::Result;
use clap::Parser;
use mcp_rag_chaos::rolling::{DELAY, Drill, Ground, Kind, Layer, PROBE, Report};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Replace two replicas in turn under load and count what a strict client loses.
#[derive(Debug, Parser)]
struct Arguments {
    /// The server to drill.
    #[arg(long, default_value = "target/release/mcp-rag")]
    binary: PathBuf,
    /// How often each replica is replaced in a run.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Print JSON for machines.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let binary = arguments.binary.canonicalize()?;
    let ground = tokio::task::spawn_blocking(move || Ground::prepare(binary)).await?;
    let mut reports = Vec::new();
    for layer in [Layer::L7, Layer::L4] {
        for delay in [DELAY, Duration::ZERO] {
            let report = ground.run(Drill { layer, delay, rounds: arguments.rounds }).await?;
            if !arguments.json {
                print(&report, reports.is_empty());
            }
            reports.push(report);
        }
    }
    let held = reports.iter().all(|report| (report.failed() == 0) == drains(report));
    // Dropping a cluster waits for it, which an async thread must not.
    tokio::task::spawn_blocking(move || drop(ground)).await?;
    if arguments.json {
        let rows: Vec<_> = reports.iter().flat_map(rows).collect();
        say(&json!({"probe_ms": PROBE.as_millis(), "held": held, "runs": rows}).to_string());
    } else {
        say(if held { "held: 0 lost with the drain, some without" } else { "NOT held" });
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn drains(report: &Report) -> bool {
    !report.drill.delay.is_zero()
}

fn rows(report: &Report) -> Vec<serde_json::Value> {
    let stops: Vec<f64> = report.stops.iter().map(Duration::as_secs_f64).collect();
    let row = |kind: Kind| {
        json!({"layer": report.drill.layer.as_str(), "delay_ms": report.drill.delay.as_millis(),
            "clients": kind.as_str(), "replaced": report.stops.len(), "stop_seconds": stops,
            "result": report.tallies[&kind]})
    };
    Kind::ALL.map(row).to_vec()
}

fn print(report: &Report, first: bool) {
    if first {
        say("| proxy | drain | replaced | clients | requests | failed | resumed | how |");
        say("|---|---|---|---|---|---|---|---|");
    }
    for kind in Kind::ALL {
        let tally = &report.tallies[&kind];
        let how: Vec<String> =
            tally.failures.iter().map(|(what, count)| format!("{count} × {what}")).collect();
        say(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            report.drill.layer.as_str(),
            if drains(report) { format!("{} ms", report.drill.delay.as_millis()) } else { "off".to_owned() },
            report.stops.len(),
            kind.as_str(),
            tally.requests,
            tally.failed,
            tally.resumed,
            how.join(", "),
        ));
    }
}

fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
