//! What a row showed, and whether it kept the promises.

use super::row::Row;
use crate::load::{Kind, Outcome, Phase, Receipts, Tally, percentile};
use crate::world::Usage;
use serde::Serialize;
use std::time::Duration;

/// Of searches and answers, while a dependency that is not PostgreSQL is away.
const ANSWERED: f64 = 0.999;
const SLOWER: f64 = 1.5;
/// Below this the percentiles of a short run say more about the machine.
const SLACK: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Default, Serialize)]
pub struct Verdict {
    pub fault: String,
    pub sent: usize,
    pub answered: usize,
    pub degraded: usize,
    pub failed: Vec<(String, usize)>,
    /// Requests of the load that could not even be sent, because too many were under way.
    pub skipped: usize,
    pub recoveries: usize,
    pub recovery_p50_ms: Option<f64>,
    pub recovery_p99_ms: Option<f64>,
    pub hung: usize,
    pub wrong: usize,
    pub wrong_examples: Vec<String>,
    pub acknowledged: usize,
    pub lost: Vec<String>,
    pub memory_before_mb: f64,
    pub memory_after_mb: f64,
    pub threads_before: usize,
    pub threads_after: usize,
    /// Milliseconds: healthy, during the fault.
    pub search_p95_ms: [Option<f64>; 2],
    pub answer_p95_ms: [Option<f64>; 2],
    /// Searches and answers during the fault.
    pub answered_share: Option<f64>,
    pub notes: Vec<String>,
    /// Why the row could not be run to its end.
    pub problem: Option<String>,
    /// Promises beyond the zeros that were missed.
    pub missed: Vec<String>,
    /// The world can be used for another row.
    #[serde(skip)]
    pub intact: bool,
}

impl Verdict {
    pub(super) fn not_run(row: &Row, why: &str) -> Self {
        Self { fault: row.fault.to_string(), problem: Some(why.to_owned()), ..Self::default() }
    }

    pub(super) fn reach(
        row: &Row,
        tally: &Tally,
        recoveries: Vec<Duration>,
        notes: Vec<String>,
        receipts: Option<Receipts>,
        (before, after): (Usage, Usage),
        problem: Option<String>,
    ) -> Self {
        let receipts = receipts.unwrap_or_default();
        let p95 = |kind| [Phase::Healthy, Phase::Fault].map(|phase| tally.p95(kind, phase).map(ms));
        let wrong: Vec<String> = tally.wrong().into_iter().take(3).map(str::to_owned).collect();
        let mut verdict = Self {
            fault: row.fault.to_string(),
            sent: tally.samples.len(),
            answered: tally.count(|sample| sample.outcome == Outcome::Good),
            degraded: tally.count(|sample| sample.outcome == Outcome::Degraded),
            failed: tally.failures(),
            skipped: tally.skipped,
            recoveries: recoveries.len(),
            recovery_p50_ms: percentile(recoveries.clone(), 0.5).map(ms),
            recovery_p99_ms: percentile(recoveries, 0.99).map(ms),
            hung: tally.count(|sample| sample.outcome == Outcome::Hung),
            wrong: tally.count(|sample| matches!(sample.outcome, Outcome::Wrong(_))),
            wrong_examples: wrong,
            acknowledged: receipts.acknowledged,
            lost: receipts.lost,
            memory_before_mb: mb(before),
            memory_after_mb: mb(after),
            threads_before: before.threads,
            threads_after: after.threads,
            search_p95_ms: p95(Kind::Search),
            answer_p95_ms: p95(Kind::Answer),
            answered_share: tally.answered(Phase::Fault),
            notes,
            intact: problem.is_none(),
            problem,
            missed: Vec::new(),
        };
        if row.fault.costs_nothing() {
            verdict.missed = verdict.costs();
        }
        verdict
    }

    /// What a dead dependency cost though it should cost nothing.
    fn costs(&self) -> Vec<String> {
        let mut missed = Vec::new();
        if let Some(share) = self.answered_share.filter(|share| *share < ANSWERED) {
            missed.push(format!("{:.2} % of searches and answers", share * 100.0));
        }
        for (name, [healthy, fault]) in [("search", self.search_p95_ms), ("answer", self.answer_p95_ms)] {
            if let (Some(healthy), Some(fault)) = (healthy, fault)
                && fault > healthy * SLOWER
                && fault > healthy + ms(SLACK)
            {
                missed.push(format!("{name} p95 × {:.1}", fault / healthy));
            }
        }
        missed
    }

    /// Run to its end, and every number that must be zero is.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.problem.is_none() && self.hung == 0 && self.wrong == 0 && self.lost.is_empty()
    }
}

fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 1e2
}

fn mb(usage: Usage) -> f64 {
    (usage.memory_bytes as f64 / 1e5).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::Verdict;
    use crate::load::{Kind, Outcome, Phase, Receipts, Sample, Tally};
    use crate::table::row::{Fault, Row};
    use crate::world::{Needs, Usage};
    use std::time::Duration;

    fn sample(phase: Phase, took: u64, outcome: Outcome) -> Sample {
        Sample { kind: Kind::Search, phase, at: Duration::ZERO, took: Duration::from_millis(took), outcome }
    }

    fn verdict(samples: Vec<Sample>, lost: Vec<String>) -> Verdict {
        let row = Row { fault: Fault::RedisKilled, needs: Needs::default() };
        let receipts = Some(Receipts { acknowledged: 3, lost });
        let tally = Tally { samples, skipped: 0 };
        Verdict::reach(&row, &tally, vec![], vec![], receipts, (Usage::default(), Usage::default()), None)
    }

    #[test]
    fn whatever_must_be_zero_fails_the_row_when_it_is_not() {
        let one = |outcome| verdict(vec![sample(Phase::Fault, 1, outcome)], vec![]);
        assert!(one(Outcome::Good).holds() && one(Outcome::Degraded).holds());
        assert!(one(Outcome::Refused("503 unavailable".to_owned())).holds(), "an error is no lie");
        assert!(!one(Outcome::Hung).holds());
        assert!(!one(Outcome::Wrong("why".to_owned())).holds());
        assert!(!verdict(vec![], vec!["w-1".to_owned()]).holds());
    }

    #[test]
    fn a_dead_dependency_that_costs_time_or_answers_is_a_missed_promise() {
        let run = |took, outcome: Outcome| {
            let healthy = (0..50).map(|_| sample(Phase::Healthy, 40, Outcome::Good));
            verdict(
                healthy.chain((0..50).map(|_| sample(Phase::Fault, took, outcome.clone()))).collect(),
                vec![],
            )
        };
        assert!(run(55, Outcome::Degraded).missed.is_empty());
        assert!(run(90, Outcome::Degraded).missed[0].contains("p95"));
        assert!(run(40, Outcome::Broken("reset".to_owned())).missed[0].contains('%'));
    }
}
