//! The server as a process of its own, so that its memory and its processor time are its own.

use crate::cli::Global;
use crate::config::Settings;
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

const READY_WITHIN: Duration = Duration::from_secs(120);
const STOPPED_WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// Killed when it is dropped; [`Self::stop`] lets it stop cleanly.
pub(super) struct ServerProcess {
    child: Child,
    pub(super) pid: u32,
    /// `http://host:port`.
    pub(super) base: String,
    /// From its start until it was ready.
    pub(super) ready: Duration,
}

impl ServerProcess {
    pub(super) async fn start(global: &Global, settings: &Settings, log: &Path) -> Result<Self> {
        let (port, admin) = (free_port()?, free_port()?);
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").args(["--env", "development"]);
        if let Some(folder) = &global.config_dir {
            command.arg("--config-dir").arg(folder);
        }
        let own = [
            ("data_dir", settings.data_dir.display().to_string()),
            // What is in the environment's secrets is not for a benchmark.
            ("secrets_dir", settings.data_dir.join("no-secrets").display().to_string()),
            ("log.level", "warn".to_owned()),
            ("server.host", "127.0.0.1".to_owned()),
            ("server.port", port.to_string()),
            ("admin.host", "127.0.0.1".to_owned()),
            ("admin.port", admin.to_string()),
        ];
        let own = own.map(|(key, value)| (key.to_owned(), value));
        for (key, value) in global.overrides.iter().chain(&own) {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        let log = std::fs::File::create(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        command.env_remove("MCP_RAG__AUTH__TOKEN").env_remove("MCP_RAG_SERVER");
        let began = Instant::now();
        let mut child = command.spawn().context("the server cannot be started")?;
        let pid = child.id().context("the server has ended")?;
        let base = format!("http://127.0.0.1:{port}");
        let http = reqwest::Client::new();
        while began.elapsed() < READY_WITHIN {
            if let Some(status) = child.try_wait()? {
                bail!("the server ended with {status} before it was ready");
            }
            let asked = http.get(format!("{base}/health/ready")).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(Self { child, pid, base, ready: began.elapsed() });
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("the server was not ready within {READY_WITHIN:?}")
    }

    /// Its managed PostgreSQL stops with it.
    pub(super) async fn stop(mut self) -> Result<()> {
        if let Ok(pid) = i32::try_from(self.pid) {
            kill(Pid::from_raw(pid), Signal::SIGTERM)?;
        }
        tokio::time::timeout(STOPPED_WITHIN, self.child.wait())
            .await
            .context("the server did not stop")??;
        Ok(())
    }
}

/// One that nobody has at this moment.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
