//! `make drills`: rolling deploy, canary, blue-green and N-1 behind a real Envoy, by the numbers of the manifests.

use anyhow::Result;
use clap::Parser;
use mcp_rag_chaos::rollout::manifest::Manifests;
use mcp_rag_chaos::rollout::{Build, Drill, Ground, Report, Verdict};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Change releases under load and count what a strict client loses.
#[derive(Debug, Parser)]
struct Arguments {
    /// The server to drill.
    #[arg(long, default_value = "target/release/mcp-rag")]
    binary: PathBuf,
    /// Rendered manifests: a Deployment, its ConfigMap, a Canary.
    #[arg(long)]
    manifests: PathBuf,
    /// Only drills whose name has this in it; may be given several times.
    #[arg(long)]
    only: Vec<String>,
    /// All pauses of the manifests times this.
    #[arg(long, default_value_t = 1.0)]
    pace: f64,
    /// Between two checks of a canary, in place of the manifest's.
    #[arg(long, default_value_t = 5)]
    interval: u64,
    /// The program of the migration before this one, for the drill `previous`.
    #[arg(long)]
    previous: Option<PathBuf>,
}

/// A drill and what must come of it.
struct Row {
    name: &'static str,
    drill: Drill,
    holds: fn(&Report) -> bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let manifests = Manifests::read(&arguments.manifests)?;
    let timings = manifests.timings()?;
    say(&format!(
        "preStop {:?}, drain {:?}, readiness every {:?}, minReadySeconds {:?}, grace {:?}; pace {}",
        timings.pre_stop,
        timings.drain,
        timings.readiness.period,
        timings.min_ready,
        timings.grace,
        arguments.pace
    ));
    let rows: Vec<Row> = rows(&arguments, &manifests)?;
    let binary = arguments.binary.canonicalize()?;
    let pace = arguments.pace;
    let ground = tokio::task::spawn_blocking(move || Ground::prepare(binary, &timings, pace)).await?;
    say("| drill | requests | failed | of them canary | pods ended, slowest | took | verdict | held |");
    say("|---|---|---|---|---|---|---|---|");
    let mut held = true;
    let wanted = |row: &&Row| {
        arguments.only.is_empty() || arguments.only.iter().any(|name| row.name.contains(name.as_str()))
    };
    for row in rows.iter().filter(wanted) {
        let report = ground.run(&row.drill).await?;
        let holds = (row.holds)(&report);
        held &= holds;
        print(row.name, &report, holds);
    }
    // Dropping a cluster waits for it, which an async thread must not.
    tokio::task::spawn_blocking(move || drop(ground)).await?;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn rows(arguments: &Arguments, manifests: &Manifests) -> Result<Vec<Row>> {
    let nothing_lost: fn(&Report) -> bool = |report| report.failed() == 0;
    let mut rows = vec![
        Row { name: "rolling", drill: Drill::Rolling { drained: true }, holds: nothing_lost },
        Row {
            name: "rolling without drain",
            drill: Drill::Rolling { drained: false },
            holds: |report| report.failed() > 0,
        },
        Row { name: "blue-green", drill: Drill::BlueGreen, holds: nothing_lost },
    ];
    let analysis = manifests.analysis()?;
    say(&format!(
        "canary: {:?} % every {:?} (here {} s), back after {} checks beyond {:?}",
        analysis.weights, analysis.interval, arguments.interval, analysis.threshold, analysis.limits
    ));
    let interval = Duration::from_secs(arguments.interval);
    let canary = |build| Drill::Canary { build, analysis: analysis.clone(), interval };
    let promoted: fn(&Report) -> bool =
        |report| report.failed() == 0 && report.verdict == Some(Verdict::Promoted);
    // Only what the canary answered may have failed.
    let back: fn(&Report) -> bool = |report| {
        let (_, of_canary) = report.of_track("canary");
        report.failed() == of_canary && matches!(report.verdict, Some(Verdict::RolledBack { .. }))
    };
    rows.push(Row { name: "canary, good", drill: canary(Build::Good), holds: promoted });
    rows.push(Row { name: "canary, failing", drill: canary(Build::Failing), holds: back });
    rows.push(Row { name: "canary, slow", drill: canary(Build::Slow), holds: back });
    match &arguments.previous {
        Some(binary) => {
            let drill = Drill::Previous(binary.canonicalize()?);
            rows.push(Row { name: "previous", drill, holds: nothing_lost });
        }
        None => say("previous: skipped: no --previous program (scripts/previous.sh)"),
    }
    Ok(rows)
}

fn print(name: &str, report: &Report, holds: bool) {
    let (of_canary, failed_there) = report.of_track("canary");
    let slowest = report.stops.iter().max().copied().unwrap_or_default();
    let verdict = match &report.verdict {
        None => String::new(),
        Some(Verdict::Promoted) => "promoted".to_owned(),
        Some(Verdict::RolledBack { weight, reason }) => format!("rolled back at {weight} %: {reason}"),
    };
    say(&format!(
        "| {name} | {} | {} | {failed_there} of {of_canary} | {}, {:.1} s | {:.0} s | {verdict} | {} |",
        report.requests(),
        report.failed(),
        report.stops.len(),
        slowest.as_secs_f64(),
        report.took.as_secs_f64(),
        if holds { "yes" } else { "NO" },
    ));
    for (kind, tally) in report.tallies.iter().filter(|(_, tally)| tally.failed > 0) {
        for (what, count) in &tally.failures {
            say(&format!("  {}: {count} × {what}", kind.as_str()));
        }
    }
}

fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
