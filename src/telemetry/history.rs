//! The last half hour of the counters and histograms, for people who look at the console: what happened in each
//! interval, as the difference of two readings of what `/metrics` shows.
//!
//! * Ownership: one per process, written by its upkeep alone, read by `GET /v1/system/metrics`.
//! * Bound: [`POINTS`] intervals; of the labels only those of our own code, never a client's.

mod reading;

use reading::{Latencies, Reading};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Half an hour at an interval of five seconds.
const POINTS: usize = 360;

#[derive(Debug, Default)]
pub struct History(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    last: Option<(Instant, Reading)>,
    points: VecDeque<Point>,
}

/// What happened in one interval.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Point {
    /// When the interval ended.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How long it was.
    pub seconds: f64,
    /// Requests under `/v1` and to `/mcp` that were answered; those about the server itself are left out.
    pub requests: Requests,
    /// Searches over HTTP, cached ones included.
    pub search: Latency,
    /// Whole answers, by whichever surface they were asked for.
    pub answer: Latency,
    /// Responses that had to do without something, by the stage that was away.
    pub degraded: BTreeMap<String, u64>,
    /// Requests that were turned away because too much was under way.
    pub shed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Requests {
    pub ok: u64,
    /// 4xx
    pub refused: u64,
    /// 5xx
    pub failed: u64,
}

/// Milliseconds, interpolated within the histogram's buckets; null when there was none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Latency {
    pub count: u64,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
}

impl History {
    /// Takes the next reading: the text that `/metrics` shows.
    pub fn read(&self, metrics: &str) {
        let (now, reading) = (Instant::now(), Reading::of(metrics));
        let mut kept = self.kept();
        if let Some((before, earlier)) = kept.last.replace((now, reading.clone())) {
            if kept.points.len() == POINTS {
                kept.points.pop_front();
            }
            let seconds = now.duration_since(before).as_secs_f64();
            kept.points.push_back(point(seconds, &earlier, &reading));
        }
    }

    /// The intervals that ended after `after`, oldest first.
    pub fn points(&self, after: Option<OffsetDateTime>) -> Vec<Point> {
        let kept = self.kept();
        kept.points.iter().filter(|point| after.is_none_or(|after| point.at > after)).cloned().collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn point(seconds: f64, earlier: &Reading, now: &Reading) -> Point {
    let since = |now: u64, before: u64| now.saturating_sub(before);
    let degraded = now.degraded.iter().map(|(stage, count)| {
        (stage.clone(), since(*count, earlier.degraded.get(stage).copied().unwrap_or_default()))
    });
    Point {
        // Whole milliseconds, as clients of every language keep a time.
        at: OffsetDateTime::now_utc().truncate_to_millisecond(),
        seconds,
        requests: Requests {
            ok: since(now.requests.ok, earlier.requests.ok),
            refused: since(now.requests.refused, earlier.requests.refused),
            failed: since(now.requests.failed, earlier.requests.failed),
        },
        search: latency(&earlier.search, &now.search),
        answer: latency(&earlier.answer, &now.answer),
        degraded: degraded.filter(|(_, count)| *count > 0).collect(),
        shed: since(now.shed, earlier.shed),
    }
}

fn latency(earlier: &Latencies, now: &Latencies) -> Latency {
    let happened = now.since(earlier);
    let ms = |share: f64| happened.quantile(share).map(|seconds| (seconds * 1e5).round() / 1e2);
    Latency { count: happened.count(), p50_ms: ms(0.5), p95_ms: ms(0.95), p99_ms: ms(0.99) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(searches: u64, slow: u64) -> String {
        format!(
            "# TYPE mcp_rag_http_request_seconds histogram\n\
             mcp_rag_http_request_seconds_bucket{{route=\"/v1/search\",le=\"0.01\"}} {searches}\n\
             mcp_rag_http_request_seconds_bucket{{route=\"/v1/search\",le=\"0.1\"}} {all}\n\
             mcp_rag_http_request_seconds_bucket{{route=\"/v1/search\",le=\"+Inf\"}} {all}\n\
             mcp_rag_http_request_seconds_bucket{{route=\"/v1/jobs/{{id}}\",le=\"+Inf\"}} 9\n\
             mcp_rag_http_requests_total{{method=\"POST\",route=\"/v1/search\",status=\"200\"}} {all}\n\
             mcp_rag_http_requests_total{{method=\"GET\",route=\"/v1/jobs/{{id}}\",status=\"404\"}} {slow}\n\
             mcp_rag_http_requests_total{{method=\"GET\",route=\"/v1/system\",status=\"200\"}} 900\n\
             mcp_rag_degraded_responses_total{{stage=\"embedder\"}} {slow}\n\
             mcp_rag_degraded_responses_total{{stage=\"cache\"}} 7\n",
            all = searches + slow
        )
    }

    #[test]
    fn a_point_says_what_happened_between_two_readings_and_nothing_of_before() {
        let history = History::default();
        history.read(&text(100, 50));
        assert!(history.points(None).is_empty(), "one reading is no interval");
        history.read(&text(190, 60));
        let points = history.points(None);
        let [point] = points.as_slice() else { panic!("{points:?}") };
        assert_eq!(point.requests, Requests { ok: 100, refused: 10, failed: 0 });
        assert_eq!(point.degraded, BTreeMap::from([("embedder".to_owned(), 10)]));
        assert_eq!(point.search.count, 100);
        // 90 of 100 within 10 ms: the median is 50/90 of the way there, the 95th is halfway from 10 to 100 ms.
        assert_eq!((point.search.p50_ms, point.search.p95_ms), (Some(5.56), Some(55.0)));
        assert_eq!((point.answer.count, point.answer.p50_ms), (0, None));
        assert!(history.points(Some(point.at)).is_empty());
    }

    #[test]
    fn what_is_older_than_half_an_hour_is_forgotten() {
        let history = History::default();
        for at in 0..=(POINTS as u64 + 10) {
            history.read(&text(at, 0));
        }
        assert_eq!(history.points(None).len(), POINTS);
    }
}
