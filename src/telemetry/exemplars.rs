//! Which trace is an example of a latency: the last sampled request in each bucket of each route.
//!
//! The exporter knows no exemplars, so they are kept beside it and put on its lines ([`super::openmetrics`]).
//! Bound: routes of our own code times the histogram's buckets. Costs a request that is not sampled nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Upper bounds of every histogram in seconds; `+Inf` follows.
pub const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const BUCKETS: usize = SECONDS.len() + 1;

#[derive(Debug, Default)]
pub struct Exemplars(Mutex<HashMap<String, [Option<Exemplar>; BUCKETS]>>);

#[derive(Debug, Clone)]
struct Exemplar {
    trace_id: String,
    seconds: f64,
    /// Since 1970.
    at: Duration,
}

impl Exemplars {
    pub fn record(&self, route: &str, elapsed: Duration, trace_id: &str) {
        let seconds = elapsed.as_secs_f64();
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let exemplar = Exemplar { trace_id: trace_id.to_owned(), seconds, at };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains_key(route) {
            kept.insert(route.to_owned(), [const { None }; BUCKETS]);
        }
        if let Some(buckets) = kept.get_mut(route) {
            buckets[SECONDS.partition_point(|bound| *bound < seconds)] = Some(exemplar);
        }
    }

    /// As OpenMetrics writes it behind the value of the bucket with this upper bound.
    pub(super) fn behind(&self, route: &str, bound: &str) -> Option<String> {
        let bucket = match bound.parse::<f64>().ok().filter(|bound| bound.is_finite()) {
            Some(bound) => SECONDS.iter().position(|known| (known - bound).abs() < 1e-9)?,
            None => SECONDS.len(),
        };
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Exemplar { trace_id, seconds, at } = kept.get(route)?[bucket].as_ref()?;
        Some(format!(" # {{trace_id=\"{trace_id}\"}} {seconds} {:.3}", at.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_names_the_last_request_that_fell_into_it_and_no_other_bucket_does() {
        let exemplars = Exemplars::default();
        exemplars.record("/v1/search", Duration::from_millis(30), "first");
        exemplars.record("/v1/search", Duration::from_millis(50), "last");
        exemplars.record("/v1/search", Duration::from_secs(60), "slow");
        let behind = exemplars.behind("/v1/search", "0.05").expect("an exemplar");
        assert!(behind.starts_with(" # {trace_id=\"last\"} 0.05 1"), "{behind}");
        assert!(exemplars.behind("/v1/search", "+Inf").is_some_and(|slow| slow.contains("\"slow\"} 60 ")));
        for (route, bound) in [("/v1/search", "0.025"), ("/v1/search", "0.1"), ("/v1/answers", "0.05")] {
            assert_eq!(exemplars.behind(route, bound), None, "{route} {bound}");
        }
    }
}
