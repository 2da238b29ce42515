//! One reading of the metrics' text: the few that the console shows, summed over the labels it does not.

use super::Requests;
use std::collections::BTreeMap;

/// Counted since the process started.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) requests: Requests,
    pub(super) search: Latencies,
    pub(super) answer: Latencies,
    pub(super) degraded: BTreeMap<String, u64>,
    pub(super) shed: u64,
}

/// A histogram: upper bound in microseconds and how many were within it, bounds ascending, the last one without.
#[derive(Debug, Clone, Default)]
pub(super) struct Latencies(BTreeMap<u64, u64>);

impl Reading {
    pub(super) fn of(text: &str) -> Self {
        let mut reading = Self {
            requests: Requests { ok: 0, refused: 0, failed: 0 },
            search: Latencies::default(),
            answer: Latencies::default(),
            degraded: BTreeMap::new(),
            shed: 0,
        };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((series, value)) = line.rsplit_once(' ')
                && let Some((name, labels)) = series.split_once('{')
                && let Ok(value) = value.parse()
            {
                reading.add(name, labels, value);
            }
        }
        reading
    }

    fn add(&mut self, name: &str, labels: &str, value: u64) {
        // Of a histogram the buckets; its sum and count keep their endings and are passed over.
        match name.strip_suffix("_bucket").unwrap_or(name) {
            "mcp_rag_http_requests_total" if is_work(label(labels, "route")) => {
                match label(labels, "status").as_bytes().first() {
                    Some(b'4') => self.requests.refused += value,
                    Some(b'5') => self.requests.failed += value,
                    Some(_) | None => self.requests.ok += value,
                }
            }
            "mcp_rag_http_request_seconds" if label(labels, "route") == "/v1/search" => {
                self.search.add(label(labels, "le"), value);
            }
            "mcp_rag_answer_seconds" => self.answer.add(label(labels, "le"), value),
            "mcp_rag_degraded_responses_total" => {
                *self.degraded.entry(label(labels, "stage").to_owned()).or_default() += value;
            }
            "mcp_rag_http_shed_total" => self.shed += value,
            _ => {}
        }
    }
}

/// Not the console's own looking.
fn is_work(route: &str) -> bool {
    route == "/mcp" || (route.starts_with("/v1/") && !route.starts_with("/v1/system"))
}

/// A label's value; those that are asked for here hold no quotation marks.
fn label<'a>(labels: &'a str, name: &str) -> &'a str {
    let named = labels.split("\",").map(|one| one.trim_end_matches(['}', '"']).split_once("=\""));
    named.flatten().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

impl Latencies {
    fn add(&mut self, bound: &str, count: u64) {
        let micros = bound.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
        let bound = micros.map_or(u64::MAX, |seconds| (seconds * 1e6).round() as u64);
        *self.0.entry(bound).or_default() += count;
    }

    pub(super) fn since(&self, earlier: &Self) -> Self {
        let before = |bound: &u64| earlier.0.get(bound).copied().unwrap_or_default();
        Self(self.0.iter().map(|(bound, count)| (*bound, count.saturating_sub(before(bound)))).collect())
    }

    pub(super) fn count(&self) -> u64 {
        self.0.last_key_value().map_or(0, |(_, count)| *count)
    }

    /// In seconds. What lies beyond the last bound is as long as the last bound: at least that.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let rank = self.count() as f64 * share;
        let (mut lower, mut within) = (0, 0);
        for (bound, count) in self.0.iter().filter(|_| rank > 0.0) {
            if *count as f64 >= rank {
                let upper = if *bound == u64::MAX { lower } else { *bound };
                let part = (rank - within as f64) / (count - within).max(1) as f64;
                return Some((lower as f64 + part * (upper - lower) as f64) / 1e6);
            }
            (lower, within) = (*bound, *count);
        }
        None
    }
}
