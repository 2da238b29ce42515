//! `make chaos` and `make soak`.

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};
use mcp_rag_chaos::kills::{self, Kills};
use mcp_rag_chaos::soak::{self, Soak};
use mcp_rag_chaos::table::{self, Plan};
use mcp_rag_chaos::world::Program;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Faults on purpose, under load, with a verdict.
#[derive(Parser)]
struct Arguments {
    /// The server under test; with failpoints, or the rows of the actors cannot be run.
    #[arg(long, env = "CHAOS_SERVER", default_value = "target/chaos/mcp-rag")]
    server: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One row per fault.
    Table {
        /// Only rows whose name contains this; may be given several times.
        #[arg(long)]
        only: Vec<String>,
        /// Every row, with fewer repetitions: some minutes in all.
        #[arg(long)]
        quick: bool,
        /// Write the table there, too, as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
        /// Fail for a missed p95 or share of answers as well.
        #[arg(long)]
        strict: bool,
        /// Print the rows' names and do nothing.
        #[arg(long)]
        list: bool,
    },
    /// `kill -9` of workers at random moments of one large ingest; nothing may be lost, doubled or done twice.
    Kills {
        #[arg(long, default_value_t = 1000)]
        kills: usize,
        /// Workers at once.
        #[arg(long, default_value_t = 3)]
        workers: usize,
    },
    /// Faults at random under a steady load; nothing may be left of them.
    Soak {
        #[arg(long, default_value_t = 30.0)]
        minutes: f64,
        /// Repeats a run's faults; chosen and printed when absent.
        #[arg(long)]
        seed: Option<u64>,
        /// Requests per second.
        #[arg(long, default_value_t = 30.0)]
        rate: f64,
        /// Draw memory, threads, connections and failures over time.
        #[arg(long)]
        svg: Option<PathBuf>,
    },
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        // Dropping the run ends its servers and their dependencies.
        tokio::select! {
            done = Box::pin(run(arguments)) => done,
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::from(130)),
            _ = terminate.recv() => Ok(ExitCode::from(143)),
        }
    })
}

async fn run(arguments: Arguments) -> Result<ExitCode> {
    let program = Program(std::path::absolute(arguments.server)?);
    match arguments.command {
        Command::Table { only, quick, json, strict, list } => {
            let mut rows = table::rows();
            if !only.is_empty() {
                rows.retain(|row| only.iter().any(|part| row.fault.to_string().contains(part.as_str())));
            }
            ensure!(!rows.is_empty(), "no row has such a name: --list shows them");
            if list {
                rows.iter().for_each(|row| println!("{}", row.fault));
                return Ok(ExitCode::SUCCESS);
            }
            let plan = if quick { Plan::quick() } else { Plan::full() };
            let verdicts = Box::pin(table::run(&program, &plan, rows)).await;
            println!("\n{}", table::markdown(&verdicts));
            if let Some(path) = json {
                std::fs::write(path, table::json(&verdicts))?;
            }
            let good =
                verdicts.iter().all(|verdict| verdict.holds() && (!strict || verdict.missed.is_empty()));
            Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Kills { kills, workers } => {
            ensure!(kills > 0 && workers > 0, "nothing to kill");
            let verdict = Box::pin(kills::run(&program, &Kills { kills, workers })).await?;
            println!("\n{verdict}");
            Ok(if verdict.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Soak { minutes, seed, rate, svg } => {
            ensure!(minutes > 0.0 && rate > 0.0, "a soak takes some time and some requests");
            let seed = seed.unwrap_or_else(|| fastrand::u64(..));
            let soak = Soak { time: Duration::from_secs_f64(minutes * 60.0), seed, rate, svg };
            let verdict = Box::pin(soak::run(&program, &soak)).await?;
            println!("\n{verdict}");
            Ok(if verdict.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}
