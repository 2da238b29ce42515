//! What the drills read out of the manifests: nothing in them is a number of the drill's own.

use anyhow::{Context, Result, ensure};
use serde::Deserialize as _;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// Of a Deployment, what decides whether a request is lost.
#[derive(Debug, Clone)]
pub struct Timings {
    pub startup: Probe,
    pub readiness: Probe,
    pub min_ready: Duration,
    pub pre_stop: Duration,
    /// `server.drain_delay_ms` of the configuration beside it.
    pub drain: Duration,
    pub grace: Duration,
}

#[derive(Debug, Clone)]
pub struct Probe {
    pub path: String,
    pub period: Duration,
    pub timeout: Duration,
    /// Failures in a row until it counts.
    pub failures: u32,
}

/// Of a Flagger Canary.
#[derive(Debug, Clone)]
pub struct Analysis {
    pub interval: Duration,
    /// Failed checks until it is rolled back.
    pub threshold: u32,
    /// The canary's share of the requests, step by step, in percent.
    pub weights: Vec<u32>,
    pub limits: Limits,
}

/// What a check of it may find at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests that ended with 5xx, in percent.
    pub errors: f64,
    /// Seconds of searches.
    pub p95: f64,
    pub p99: f64,
    /// Responses without a stage, in percentage points more than the primary's.
    pub degraded: f64,
}

/// All documents of a rendered overlay.
pub struct Manifests(Vec<Value>);

impl Manifests {
    /// # Errors
    /// A file cannot be read, or is no YAML.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let documents = serde_yaml_ng::Deserializer::from_str(&text).map(Value::deserialize);
        let documents =
            documents.collect::<Result<Vec<_>, _>>().with_context(|| file.display().to_string())?;
        Ok(Self(documents))
    }

    fn find(&self, kind: &str, holds: impl Fn(&Value) -> bool) -> Result<&Value> {
        let found = self.0.iter().find(|one| one["kind"] == kind && holds(one));
        found.with_context(|| format!("the manifests hold no such {kind}"))
    }

    /// Of the Deployment that serves.
    ///
    /// # Errors
    /// A field that a rollout without loss depends on is not there.
    pub fn timings(&self) -> Result<Timings> {
        let deployment = self.find("Deployment", |one| one["metadata"]["name"] == "mcp-backend")?;
        let update = &deployment["spec"]["strategy"]["rollingUpdate"];
        ensure!(
            update["maxUnavailable"] == 0,
            "maxUnavailable must be 0: capacity is lost while pods change"
        );
        let pod = &deployment["spec"]["template"]["spec"];
        let server = &pod["containers"][0];
        let pre_stop = &server["lifecycle"]["preStop"];
        // Absent, or a `sleep`: a command would have to be in the image.
        ensure!(
            pre_stop.is_null() || pre_stop["sleep"]["seconds"].is_u64(),
            "only preStop.sleep is understood: {pre_stop}"
        );
        let settings = self.find("ConfigMap", |one| one["data"]["default.toml"].is_string())?;
        let settings = settings["data"]["default.toml"].as_str().unwrap_or_default();
        let drain = settings.lines().find_map(|line| line.strip_prefix("drain_delay_ms = "));
        let drain = drain.and_then(|rest| rest.split('#').next()?.trim().parse().ok());
        Ok(Timings {
            startup: Probe::read(server, "startupProbe")?,
            readiness: Probe::read(server, "readinessProbe")?,
            min_ready: Duration::from_secs(deployment["spec"]["minReadySeconds"].as_u64().unwrap_or(0)),
            pre_stop: Duration::from_secs(pre_stop["sleep"]["seconds"].as_u64().unwrap_or(0)),
            drain: Duration::from_millis(drain.context("default.toml has no drain_delay_ms")?),
            grace: Duration::from_secs(
                pod["terminationGracePeriodSeconds"].as_u64().context("terminationGracePeriodSeconds")?,
            ),
        })
    }

    /// # Errors
    /// There is no Canary, or it lacks what decides.
    pub fn analysis(&self) -> Result<Analysis> {
        let analysis = &self.find("Canary", |_| true)?["spec"]["analysis"];
        let number = |value: &Value, what: &str| {
            value.as_u64().and_then(|n| u32::try_from(n).ok()).with_context(|| format!("analysis.{what}"))
        };
        let weights = match analysis["stepWeights"].as_array() {
            Some(steps) => steps.iter().map(|step| number(step, "stepWeights")).collect::<Result<_>>()?,
            None => {
                let step = number(&analysis["stepWeight"], "stepWeight")?;
                let most = number(&analysis["maxWeight"], "maxWeight")?;
                (1..).map(|n| n * step).take_while(|weight| *weight <= most).collect()
            }
        };
        let metrics = analysis["metrics"].as_array().context("analysis.metrics")?;
        let most = |name: &str| {
            let metric = metrics.iter().find(|one| one["name"] == name);
            let most = metric.and_then(|one| one["thresholdRange"]["max"].as_f64());
            most.with_context(|| format!("analysis.metrics has no maximum of `{name}`"))
        };
        Ok(Analysis {
            interval: span(analysis["interval"].as_str().context("analysis.interval")?)?,
            threshold: number(&analysis["threshold"], "threshold")?,
            weights,
            limits: Limits {
                errors: most("errors")?,
                p95: most("search-p95")?,
                p99: most("search-p99")?,
                degraded: most("degraded")?,
            },
        })
    }
}

/// `30s`, `1m`.
fn span(text: &str) -> Result<Duration> {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        _ => anyhow::bail!("not a span of time: {text}"),
    };
    Ok(Duration::from_secs(number.parse::<u64>()? * seconds))
}

impl Probe {
    fn read(container: &Value, name: &str) -> Result<Self> {
        let probe = &container[name];
        let seconds = |key: &str, default| Duration::from_secs(probe[key].as_u64().unwrap_or(default));
        ensure!(probe["httpGet"]["port"] == "admin", "{name} asks another port than admin");
        Ok(Self {
            path: probe["httpGet"]["path"].as_str().context("a probe's path")?.to_owned(),
            period: seconds("periodSeconds", 10),
            timeout: seconds("timeoutSeconds", 1),
            failures: u32::try_from(probe["failureThreshold"].as_u64().unwrap_or(3))?,
        })
    }

    fn at(&self, pace: f64) -> Self {
        Self { period: self.period.mul_f64(pace), ..self.clone() }
    }
}

impl Timings {
    /// All pauses times `pace`; what only bounds (a probe's timeout, the grace period) stays.
    #[must_use]
    pub fn at(&self, pace: f64) -> Self {
        Self {
            startup: self.startup.at(pace),
            readiness: self.readiness.at(pace),
            min_ready: self.min_ready.mul_f64(pace),
            pre_stop: self.pre_stop.mul_f64(pace),
            drain: self.drain.mul_f64(pace),
            grace: self.grace,
        }
    }

    /// As a beginner has it: nothing between the decision and the end.
    #[must_use]
    pub fn without_drain(&self) -> Self {
        Self { pre_stop: Duration::ZERO, drain: Duration::ZERO, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_are_read_as_kubernetes_writes_them() {
        assert_eq!(span("30s").ok(), Some(Duration::from_secs(30)));
        assert_eq!(span("2m").ok(), Some(Duration::from_secs(120)));
        assert!(span("2h").is_err() && span("").is_err());
    }
}
