//! Two evaluations of the same queries side by side; the gate of a canary.

use super::report::{Scores, Written};
use super::stats::{self, Estimate};
use crate::cli::out;
use anyhow::{Result, bail};
use console::style;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A difference that chance makes less often than this is significant.
const LEVEL: f64 = 0.05;

/// One metric of one run, before and after.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    run: String,
    metric: String,
    /// Queries that both have a score for.
    queries: usize,
    before: f64,
    after: f64,
    /// Of the difference.
    change: Estimate,
    p: f64,
    /// Whether it is gated on, and fails.
    lost: bool,
}

/// Which losses matter.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) metrics: Vec<String>,
    /// What a mean may lose.
    pub(super) tolerance: f64,
    pub(super) seed: u64,
}

pub(super) fn compare(before: &Written, after: &Written, gate: &Gate) -> Result<Vec<Row>> {
    let pairs = pairs(before, after);
    let mut rows = Vec::new();
    for (name, before, after) in pairs {
        let metrics: BTreeSet<&String> = before.values().flat_map(BTreeMap::keys).collect();
        for metric in metrics {
            let both: Vec<(f64, f64)> = before
                .iter()
                .filter_map(|(query, scores)| {
                    let after = after.get(query)?.get(metric).copied().flatten()?;
                    Some((scores.get(metric).copied().flatten()?, after))
                })
                .collect();
            let differences: Vec<f64> = both.iter().map(|(before, after)| after - before).collect();
            let Some(change) = stats::estimate(&differences, gate.seed) else { continue };
            let p = stats::randomisation(&differences, gate.seed);
            let side = |of: fn(&(f64, f64)) -> f64| stats::mean(&both.iter().map(of).collect::<Vec<_>>());
            rows.push(Row {
                run: name.clone(),
                metric: metric.clone(),
                queries: both.len(),
                before: side(|pair| pair.0),
                after: side(|pair| pair.1),
                change,
                p,
                lost: gate.metrics.contains(metric) && change.mean < -gate.tolerance && p < LEVEL,
            });
        }
    }
    if rows.is_empty() {
        bail!("the two evaluations have no run and query in common");
    }
    if let Some(missing) = gate.metrics.iter().find(|gated| rows.iter().all(|row| row.metric != **gated)) {
        bail!("neither evaluation has the metric `{missing}`: name others with --gate");
    }
    Ok(rows)
}

type Queries = BTreeMap<String, Scores>;

/// Runs of the same name; or the only run of each, whatever it is called.
fn pairs<'a>(before: &'a Written, after: &'a Written) -> Vec<(String, &'a Queries, &'a Queries)> {
    let named: Vec<_> = before
        .per_query
        .iter()
        .filter_map(|(name, run)| Some((name.clone(), run, after.per_query.get(name)?)))
        .collect();
    match (named.is_empty(), before.per_query.len(), after.per_query.len()) {
        (true, 1, 1) => before
            .per_query
            .iter()
            .zip(&after.per_query)
            .map(|((one, old), (other, new))| (format!("{one} → {other}"), old, new))
            .collect(),
        _ => named,
    }
}

/// The table, and whether anything that is gated on was lost.
pub(super) fn show(rows: &[Row], gate: &Gate, json: bool) -> Result<bool> {
    let lost = rows.iter().any(|row| row.lost);
    if json {
        let report =
            serde_json::json!({"passed": !lost, "tolerance": gate.tolerance, "level": LEVEL, "rows": rows});
        out(&serde_json::to_string_pretty(&report)?);
        return Ok(lost);
    }
    let width = rows.iter().map(|row| row.run.chars().count()).max().unwrap_or(0).max(3);
    let head = format!(
        "{:width$} {:20} {:>7} {:>8} {:>8} {:>9} {:>19} {:>7}",
        "run", "metric", "queries", "before", "after", "change", "95 % interval", "p"
    );
    out(&style(head).bold().to_string());
    for row in rows {
        let Estimate { mean, low, high } = row.change;
        let interval = format!("[{low:+.4} {high:+.4}]");
        let line = format!(
            "{:width$} {:20} {:>7} {:>8.4} {:>8.4} {mean:>+9.4} {interval:>19} {:>7.4}",
            row.run, row.metric, row.queries, row.before, row.after, row.p
        );
        out(&if row.lost { style(format!("{line}  lost")).red().to_string() } else { line });
    }
    let gated = gate.metrics.join(", ");
    out(&if lost {
        style(format!("✗ a significant loss of {gated} beyond {}", gate.tolerance)).red().to_string()
    } else {
        style(format!("✓ no significant loss of {gated} beyond {}", gate.tolerance)).green().to_string()
    });
    Ok(lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(run: &str, scores: &[f64]) -> Written {
        let queries = scores.iter().enumerate().map(|(at, score)| {
            (format!("q{at}"), Scores::from([("ndcg@10".to_owned(), Some(*score)), ("f1".to_owned(), None)]))
        });
        Written {
            dataset: "set".to_owned(),
            per_query: BTreeMap::from([(run.to_owned(), queries.collect())]),
        }
    }

    fn gate(tolerance: f64) -> Gate {
        Gate { metrics: vec!["ndcg@10".to_owned()], tolerance, seed: 1 }
    }

    #[test]
    fn only_a_significant_loss_beyond_the_tolerance_fails() {
        let good: Vec<f64> = (0..60).map(|n| 0.5 + f64::from(n % 5) / 10.0).collect();
        let worse: Vec<f64> = good.iter().map(|score| score - 0.04).collect();
        let lost = |a: &[f64], b: &[f64], tolerance: f64| {
            let rows = compare(&written("hybrid", a), &written("hybrid", b), &gate(tolerance)).expect("rows");
            assert_eq!(rows.len(), 1, "a metric that no query has is left out");
            rows[0].lost
        };
        assert!(lost(&good, &worse, 0.01));
        assert!(!lost(&good, &worse, 0.05), "within the tolerance");
        assert!(!lost(&worse, &good, 0.0), "a gain");
        assert!(!lost(&good, &good, 0.0), "no change");
        assert!(!lost(&[0.9, 0.1, 0.5], &[0.1, 0.9, 0.4], 0.0), "three queries prove nothing");
    }

    #[test]
    fn single_runs_of_different_names_are_compared_and_strangers_are_not() {
        let (one, other) = (written("hybrid", &[0.5; 8]), written("hybrid rerank=true", &[0.6; 8]));
        let rows = compare(&one, &other, &gate(0.0)).expect("rows");
        assert_eq!(rows[0].run, "hybrid → hybrid rerank=true");
        let mut strange = written("hybrid", &[]);
        strange.per_query.clear();
        assert!(compare(&one, &strange, &gate(0.0)).is_err());
        let unknown = Gate { metrics: vec!["speed".to_owned()], ..gate(0.0) };
        assert!(compare(&one, &other, &unknown).is_err_and(|error| error.to_string().contains("--gate")));
    }
}
