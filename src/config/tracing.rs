use serde::Deserialize;

/// Where traces go, and how many of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracingSettings {
    /// An OTLP/HTTP receiver without its path, e.g. `http://jaeger:4318`; absent: no traces.
    pub endpoint: Option<String>,
    pub service_name: String,
    /// Of the requests that bring no decision of their own, 0 to 1.
    pub sample_ratio: f64,
    /// Spans waiting to be sent; more are dropped.
    pub queue: usize,
    /// Of one delivery, and of the last one at the end.
    pub timeout_ms: u64,
}

impl TracingSettings {
    pub(super) fn validate(&self) -> Result<(), String> {
        let web = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        if !self.endpoint.as_ref().is_none_or(web) {
            return Err("tracing.endpoint is a URL, e.g. http://127.0.0.1:4318".to_owned());
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return Err("tracing.sample_ratio must be within 0..=1".to_owned());
        }
        if !(1..=65536).contains(&self.queue) {
            return Err("tracing.queue must be within 1..=65536".to_owned());
        }
        if !(1..=60_000).contains(&self.timeout_ms) {
            return Err("tracing.timeout_ms must be within 1..=60000".to_owned());
        }
        Ok(())
    }
}
