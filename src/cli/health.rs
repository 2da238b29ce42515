//! `mcp-rag health`: what a probe asks, for images without a shell and for people. Status 0 only for a server that can
//! answer, a degraded one included.

use super::{Global, out};
use crate::config::Settings;
use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct Health {
    /// Where probes are answered; by default the admin port of these settings, on this machine.
    url: Option<String>,
    /// Ask only whether the process is there, not whether it can answer.
    #[arg(long)]
    live: bool,
    /// Seconds to wait for the reply.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

impl Health {
    pub(super) async fn run(self, global: &Global, settings: &Settings) -> Result<ExitCode> {
        let base = self.url.unwrap_or_else(|| here(&settings.admin.host, settings.admin.port));
        let path = if self.live { "/health/live" } else { "/health/ready" };
        let client = reqwest::Client::builder().timeout(Duration::from_secs(self.timeout)).build()?;
        let url = format!("{}{path}", base.trim_end_matches('/'));
        let response = client.get(&url).send().await.with_context(|| format!("no answer from {base}"))?;
        let good = response.status().is_success();
        let health: Value = response.json().await.with_context(|| format!("{url} is no probe of mcp-rag"))?;
        if global.json {
            out(&health.to_string());
        } else {
            print(&health);
        }
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A server that listens everywhere listens here.
fn here(host: &str, port: u16) -> String {
    match host {
        "0.0.0.0" => format!("http://127.0.0.1:{port}"),
        "::" => format!("http://[::1]:{port}"),
        host if host.contains(':') => format!("http://[{host}]:{port}"),
        host => format!("http://{host}:{port}"),
    }
}

fn print(health: &Value) {
    out(health["status"].as_str().unwrap_or_default());
    for (name, check) in health["checks"].as_object().into_iter().flatten() {
        let status = check["status"].as_str().unwrap_or_default();
        match check["detail"].as_str() {
            Some(detail) => out(&format!("  {name}: {status} ({detail})")),
            None => out(&format!("  {name}: {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::here;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_on_this_machine() {
        assert_eq!(here("0.0.0.0", 9090), "http://127.0.0.1:9090");
        assert_eq!(here("::", 9090), "http://[::1]:9090");
        assert_eq!(here("fd00::7", 9091), "http://[fd00::7]:9091");
        assert_eq!(here("10.0.0.7", 9090), "http://10.0.0.7:9090");
    }
}
