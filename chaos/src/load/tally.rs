//! What became of each request.

use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Search,
    Answer,
    Write,
    Health,
}

/// When a request began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Healthy,
    Fault,
    After,
}

impl From<u8> for Phase {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Healthy,
            1 => Self::Fault,
            _ => Self::After,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Answered, whole and right.
    Good,
    /// Answered rightly, and it says which stage was away.
    Degraded,
    /// A typed error of the API, by its code.
    Refused(String),
    /// A status without a typed error, a reset, a refused connection.
    Broken(String),
    /// No answer well after the deadline.
    Hung,
    /// An answer that is not true, and why.
    Wrong(String),
}

impl Outcome {
    #[must_use]
    pub fn is_good(&self) -> bool {
        *self == Self::Good
    }

    #[must_use]
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Good | Self::Degraded)
    }
}

#[derive(Debug, Clone)]
pub struct Sample {
    pub kind: Kind,
    pub phase: Phase,
    /// Since the load began.
    pub at: Duration,
    pub took: Duration,
    pub outcome: Outcome,
}

/// All requests of one row.
#[derive(Debug, Default)]
pub struct Tally {
    pub samples: Vec<Sample>,
    pub skipped: usize,
}

impl Tally {
    #[must_use]
    pub fn count(&self, matches: impl Fn(&Sample) -> bool) -> usize {
        self.samples.iter().filter(|sample| matches(sample)).count()
    }

    /// Failures by code, most frequent first.
    #[must_use]
    pub fn failures(&self) -> Vec<(String, usize)> {
        let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
        for sample in &self.samples {
            if let Outcome::Refused(code) | Outcome::Broken(code) = &sample.outcome {
                *codes.entry(code).or_default() += 1;
            }
        }
        let mut codes: Vec<_> = codes.into_iter().map(|(code, n)| (code.to_owned(), n)).collect();
        codes.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        codes
    }

    /// What was wrong, each kind of it once.
    #[must_use]
    pub fn wrong(&self) -> Vec<&str> {
        let wrong = self.samples.iter().filter_map(|sample| match &sample.outcome {
            Outcome::Wrong(why) => Some(why.as_str()),
            _ => None,
        });
        let mut wrong: Vec<_> = wrong.collect();
        wrong.sort_unstable();
        wrong.dedup();
        wrong
    }

    /// The 95th percentile of what was answered; none when there are too few to say.
    #[must_use]
    pub fn p95(&self, kind: Kind, phase: Phase) -> Option<Duration> {
        let matching = self
            .samples
            .iter()
            .filter(|sample| sample.kind == kind && sample.phase == phase && sample.outcome.is_answer());
        let took: Vec<_> = matching.map(|sample| sample.took).collect();
        if took.len() >= 5 { percentile(took, 0.95) } else { None }
    }

    /// The share of searches and answers of a phase that were answered.
    #[must_use]
    pub fn answered(&self, phase: Phase) -> Option<f64> {
        let asked =
            |sample: &Sample| sample.phase == phase && matches!(sample.kind, Kind::Search | Kind::Answer);
        let all = self.count(asked);
        let answered = self.count(|sample| asked(sample) && sample.outcome.is_answer());
        (all > 0).then(|| answered as f64 / all as f64)
    }
}

/// Nearest rank.
#[must_use]
pub fn percentile(mut values: Vec<Duration>, share: f64) -> Option<Duration> {
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    let at = (values.len() as f64 * share).ceil() as usize;
    values.get(at.saturating_sub(1).min(last)).copied()
}
