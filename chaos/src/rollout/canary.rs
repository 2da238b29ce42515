//! What Flagger does with a canary: step by step more of the requests while its metrics are within the thresholds, and back
//! to none of them once they were not for `threshold` checks.

use super::envoy::Mesh;
use super::fleet::Fleet;
use super::manifest::{Analysis, Limits};
use anyhow::Result;
use std::collections::BTreeMap;
use std::time::Duration;

/// How a canary ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Promoted,
    /// At this share of the requests, for the last of these reasons.
    RolledBack {
        weight: u32,
        reason: String,
    },
}

/// Counters of a track's pods together.
#[derive(Debug, Default, Clone)]
struct Counters {
    requests: f64,
    failed: f64,
    degraded: f64,
    /// Of searches, cumulative, by upper bound in milliseconds.
    buckets: BTreeMap<u64, f64>,
}

/// Both tracks at one moment.
#[derive(Debug, Default, Clone)]
struct Look {
    primary: Counters,
    canary: Counters,
}

pub(super) async fn analyse(
    analysis: &Analysis,
    interval: Duration,
    [primary, canary]: [&Fleet; 2],
    mesh: &Mesh,
) -> Result<Verdict> {
    let look =
        async || Ok::<_, anyhow::Error>(Look { primary: read(primary).await?, canary: read(canary).await? });
    let mut failed_checks = 0;
    let mut steps = analysis.weights.iter();
    let Some(mut weight) = steps.next().copied() else { return Ok(Verdict::Promoted) };
    mesh.route(&[100 - weight, weight])?;
    let mut before = look().await?;
    loop {
        tokio::time::sleep(interval).await;
        let now = look().await?;
        match check(&analysis.limits, &before, &now) {
            Ok(()) => match steps.next() {
                Some(next) => {
                    weight = *next;
                    mesh.route(&[100 - weight, weight])?;
                }
                None => return Ok(Verdict::Promoted),
            },
            Err(reason) => {
                failed_checks += 1;
                if failed_checks >= analysis.threshold {
                    mesh.route(&[100, 0])?;
                    return Ok(Verdict::RolledBack { weight, reason });
                }
            }
        }
        before = now;
    }
}

/// One check of what came since the last one.
fn check(limits: &Limits, before: &Look, now: &Look) -> Result<(), String> {
    let canary = now.canary.since(&before.canary);
    if canary.requests <= 0.0 {
        return Err("no requests".to_owned());
    }
    let primary = now.primary.since(&before.primary);
    let found = [
        ("percent of 5xx", 100.0 * canary.failed / canary.requests, limits.errors),
        ("seconds, 95 % of searches", canary.within(0.95), limits.p95),
        ("seconds, 99 % of searches", canary.within(0.99), limits.p99),
        ("points more of degraded responses", canary.lacking() - primary.lacking(), limits.degraded),
    ];
    match found.into_iter().find(|(_, found, most)| found > most) {
        Some((what, found, most)) => Err(format!("{found:.1} {what}; at most {most}")),
        None => Ok(()),
    }
}

async fn read(fleet: &Fleet) -> Result<Counters> {
    let mut all = Counters::default();
    for pod in &fleet.pods {
        all.add(&pod.metrics().await?);
    }
    Ok(all)
}

impl Counters {
    fn add(&mut self, metrics: &str) {
        for line in metrics.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let (name, _) = series.split_once('{').unwrap_or((series, ""));
            let value: f64 = value.parse().unwrap_or(0.0);
            let label = |name: &str| series.split_once(&format!("{name}=\""))?.1.split('"').next();
            let route = label("route").unwrap_or_default();
            match name {
                "mcp_rag_http_requests_total" if route.starts_with("/v1/") || route == "/mcp" => {
                    self.requests += value;
                    let server_error = label("status").is_some_and(|status| status.starts_with('5'));
                    self.failed += if server_error { value } else { 0.0 };
                }
                "mcp_rag_degraded_responses_total" => self.degraded += value,
                "mcp_rag_http_request_seconds_bucket" if route == "/v1/search" => {
                    let bound = match label("le") {
                        Some("+Inf") | None => u64::MAX,
                        Some(seconds) => (seconds.parse::<f64>().unwrap_or(0.0) * 1000.0) as u64,
                    };
                    *self.buckets.entry(bound).or_default() += value;
                }
                _ => {}
            }
        }
    }

    fn since(&self, before: &Self) -> Self {
        let grown =
            |(bound, count): (&u64, &f64)| (*bound, count - before.buckets.get(bound).unwrap_or(&0.0));
        Self {
            requests: self.requests - before.requests,
            failed: self.failed - before.failed,
            degraded: self.degraded - before.degraded,
            buckets: self.buckets.iter().map(grown).collect(),
        }
    }

    /// Responses without a stage, in percent.
    fn lacking(&self) -> f64 {
        100.0 * self.degraded / self.requests.max(1.0)
    }

    /// The bound in seconds of the bucket that this share of searches lies within.
    fn within(&self, share: f64) -> f64 {
        let all = self.buckets.get(&u64::MAX).copied().unwrap_or(0.0);
        match self.buckets.iter().find(|(_, count)| **count >= all * share) {
            Some((&u64::MAX, _)) => f64::INFINITY,
            Some((bound, _)) => *bound as f64 / 1000.0,
            None => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { errors: 0.1, p95: 0.5, p99: 1.0, degraded: 5.0 };

    /// A thousand requests, of which some failed, some lacked a stage and some took between half a second and a whole one.
    fn look(failed: u32, degraded: u32, slow: u32) -> Look {
        let mut canary = Counters::default();
        canary.add(&format!(
            "# HELP x\nmcp_rag_http_requests_total{{route=\"/v1/search\",status=\"200\"}} {}\n\
             mcp_rag_http_requests_total{{route=\"/v1/search\",status=\"503\"}} {failed}\n\
             mcp_rag_http_requests_total{{route=\"/health/ready\",status=\"503\"}} 99\n\
             mcp_rag_degraded_responses_total{{stage=\"embedder\"}} {degraded}\n\
             mcp_rag_http_request_seconds_bucket{{route=\"/v1/search\",le=\"0.5\"}} {}\n\
             mcp_rag_http_request_seconds_bucket{{route=\"/v1/search\",le=\"1\"}} 1000\n\
             mcp_rag_http_request_seconds_bucket{{route=\"/v1/search\",le=\"+Inf\"}} 1000\n",
            1000 - failed,
            1000 - slow
        ));
        Look { canary, primary: Counters::default() }
    }

    #[test]
    fn a_check_fails_for_errors_for_slowness_for_missing_stages_and_for_want_of_requests() {
        let zero = Look::default();
        let found = |now: &Look| check(&LIMITS, &zero, now);
        assert_eq!(found(&look(1, 50, 50)), Ok(()));
        assert!(found(&look(2, 0, 0)).is_err_and(|reason| reason.contains("5xx")));
        assert!(found(&look(0, 0, 51)).is_err_and(|reason| reason.contains("95 %")));
        assert!(found(&look(0, 51, 0)).is_err_and(|reason| reason.contains("degraded")));
        let suffered_alike = Look { primary: look(0, 60, 0).canary, ..look(0, 60, 0) };
        assert_eq!(found(&suffered_alike), Ok(()));
        assert!(check(&LIMITS, &look(0, 0, 0), &look(0, 0, 0)).is_err_and(|reason| reason == "no requests"));
    }
}
