//! What the server holds at a moment, and whether it holds ever more.

use super::{is_degraded, is_failure};
use crate::load::{Outcome, Receipts, Sample, Tally};
use crate::world::World;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// The first part of a run fills pools and caches.
const WARM_UP: f64 = 0.2;
/// Growth of the trend over a whole run that is still flat.
const FLAT_SHARE: f64 = 0.08;
const FLAT_MB: f64 = 10.0;
/// Threads come and go with restarts; files with connections.
const SPARE_THREADS: usize = 4;
const SPARE_CONNECTIONS: i64 = 2;

#[derive(Debug, Clone, Serialize)]
pub struct Moment {
    pub seconds: f64,
    pub memory_mb: f64,
    pub threads: usize,
    pub files: usize,
    /// Connections to PostgreSQL; none while it cannot be asked.
    pub connections: Option<i64>,
    pub sent: usize,
    pub degraded: usize,
    pub failed: usize,
    pub faults: usize,
}

impl Moment {
    pub(super) const HEAD: &'static str = "| s | memory MB | threads | files | connections | sent | degraded | failed | faults |\n|---|---|---|---|---|---|---|---|---|";

    pub(super) async fn of(world: &World, at: Duration, samples: &[Sample], faults: usize) -> Self {
        let usage = world.server.usage();
        Self {
            seconds: at.as_secs_f64(),
            memory_mb: usage.memory_bytes as f64 / 1e6,
            threads: usage.threads,
            files: usage.files,
            connections: number(
                world,
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mcp-rag'",
            )
            .await
            .ok(),
            sent: samples.len(),
            degraded: samples.iter().filter(|sample| is_degraded(sample)).count(),
            failed: samples.iter().filter(|sample| is_failure(sample)).count(),
            faults,
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connections = self.connections.map_or_else(|| "–".to_owned(), |number| number.to_string());
        write!(
            f,
            "| {:.0} | {:.1} | {} | {} | {connections} | {} | {} | {} | {} |",
            self.seconds,
            self.memory_mb,
            self.threads,
            self.files,
            self.sent,
            self.degraded,
            self.failed,
            self.faults
        )
    }
}

/// Jobs that somebody works on although nobody asked for anything any more.
pub(super) async fn orphaned_leases(world: &World) -> Result<i64> {
    number(world, "SELECT count(*) FROM jobs WHERE status NOT IN ('succeeded', 'failed', 'cancelled')").await
}

async fn number(world: &World, sql: &'static str) -> Result<i64> {
    let config = world.cluster.as_ref().context("this world has a cluster")?.superuser("rag");
    let rows = tokio::task::spawn_blocking(move || crate::postgres::rows(&config, sql)).await??;
    Ok(rows.first().context("a row")?.try_get(0)?)
}

#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    pub sent: usize,
    pub answered_share: f64,
    pub hung: usize,
    pub wrong: usize,
    pub acknowledged: usize,
    pub lost: Vec<String>,
    /// Trend of the memory after the warm-up.
    pub memory_mb_per_hour: f64,
    pub orphaned_leases: i64,
    /// What was not as it must be; empty when all is well.
    pub broken: Vec<String>,
}

impl Verdict {
    pub(super) fn reach(
        moments: &[Moment],
        tally: &Tally,
        receipts: &Receipts,
        orphaned_leases: i64,
        unsettled: Option<&anyhow::Error>,
    ) -> Self {
        let time = moments.last().map_or(0.0, |moment| moment.seconds);
        let warm: Vec<&Moment> = moments.iter().filter(|moment| moment.seconds >= time * WARM_UP).collect();
        let slope = slope(&warm.iter().map(|moment| (moment.seconds, moment.memory_mb)).collect::<Vec<_>>());
        let grown = slope * time * (1.0 - WARM_UP);
        let mean = warm.iter().map(|moment| moment.memory_mb).sum::<f64>() / warm.len().max(1) as f64;
        let mut broken = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                broken.push(what);
            }
        };
        must(grown <= (mean * FLAT_SHARE).max(FLAT_MB), format!("memory grew by {grown:.1} MB"));
        if let (Some(first), Some(last)) = (warm.first(), warm.last()) {
            // The least of the early moments is what the server needs when nothing is restarting.
            let early = &warm[..warm.len().div_ceil(3)];
            let threads = early.iter().map(|moment| moment.threads).min().unwrap_or(first.threads);
            must(last.threads <= threads + SPARE_THREADS, format!("threads {threads} → {}", last.threads));
            let files = early.iter().map(|moment| moment.files).max().unwrap_or(first.files);
            must(last.files <= files + 8, format!("files {files} → {}", last.files));
            let most = early.iter().filter_map(|moment| moment.connections).max();
            if let (Some(most), Some(now)) = (most, last.connections) {
                must(now <= most + SPARE_CONNECTIONS, format!("connections {most} → {now}"));
            }
        }
        let count = |matches: &dyn Fn(&Outcome) -> bool| tally.count(|sample| matches(&sample.outcome));
        let hung = count(&|outcome| *outcome == Outcome::Hung);
        let wrong = count(&|outcome| matches!(outcome, Outcome::Wrong(_)));
        must(hung == 0, format!("{hung} calls hung"));
        must(wrong == 0, format!("{wrong} wrong answers: {:?}", tally.wrong()));
        must(receipts.lost.is_empty(), format!("lost: {:?}", receipts.lost));
        must(orphaned_leases == 0, format!("{orphaned_leases} jobs without an end"));
        must(unsettled.is_none(), format!("it does not settle: {unsettled:?}"));
        Self {
            sent: tally.samples.len(),
            answered_share: count(&Outcome::is_answer) as f64 / tally.samples.len().max(1) as f64,
            hung,
            wrong,
            acknowledged: receipts.acknowledged,
            lost: receipts.lost.clone(),
            memory_mb_per_hour: slope * 3600.0,
            orphaned_leases,
            broken,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} requests, {:.2} % answered, {} hung, {} wrong; {} documents acknowledged, {} lost; memory {:+.1} MB per hour; {} orphaned leases",
            self.sent,
            self.answered_share * 100.0,
            self.hung,
            self.wrong,
            self.acknowledged,
            self.lost.len(),
            self.memory_mb_per_hour,
            self.orphaned_leases
        )?;
        self.broken.iter().try_for_each(|broken| writeln!(f, "BROKEN: {broken}"))
    }
}

/// Of the least squares' line.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / n.max(1.0);
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let above: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let below: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::{Moment, Tally, Verdict, slope};
    use crate::load::Receipts;

    fn moments(memory: impl Fn(f64) -> f64, threads: impl Fn(usize) -> usize) -> Vec<Moment> {
        let moment = |n: usize| Moment {
            seconds: n as f64 * 15.0,
            memory_mb: memory(n as f64),
            threads: threads(n),
            files: 60,
            connections: Some(6),
            sent: 0,
            degraded: 0,
            failed: 0,
            faults: n,
        };
        (0..120).map(moment).collect()
    }

    fn broken(moments: &[Moment], leases: i64) -> Vec<String> {
        Verdict::reach(moments, &Tally::default(), &Receipts::default(), leases, None).broken
    }

    #[test]
    fn a_flat_run_is_well_also_when_it_warms_up_and_wavers() {
        let steady = moments(|n| 150.0 + (n * 7.0) % 5.0 - 40.0 * (1.0 - n / 20.0).max(0.0), |n| 20 + n % 3);
        assert_eq!(broken(&steady, 0), [""; 0]);
    }

    #[test]
    fn growing_memory_threads_and_leases_are_seen() {
        assert!(broken(&moments(|n| 150.0 + n / 4.0, |_| 20), 0)[0].contains("memory"));
        assert!(broken(&moments(|_| 150.0, |n| 20 + n / 10), 0)[0].contains("threads"));
        assert!(broken(&moments(|_| 150.0, |_| 20), 1)[0].contains("jobs"));
    }

    #[test]
    fn a_line_has_its_slope() {
        assert!((slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) - 2.0).abs() < 1e-9);
        assert!(slope(&[]).abs() < 1e-9);
    }
}
