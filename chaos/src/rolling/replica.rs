//! One replica of the real server, replaced in place: the same port, a new process.

use super::wait_for;
use anyhow::{Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What all replicas have in common.
#[derive(Debug, Clone)]
pub(super) struct Release {
    pub(super) binary: PathBuf,
    pub(super) database: String,
    pub(super) chat: String,
    pub(super) delay: Duration,
}

pub(super) struct Replica {
    release: Release,
    pub(super) port: u16,
    home: TempDir,
    child: Child,
}

impl Replica {
    pub(super) async fn start(release: Release) -> Result<Self> {
        let (home, port) = (tempfile::tempdir()?, crate::free_port());
        let child = spawn(&release, &home, port)?;
        let mut replica = Self { release, port, home, child };
        replica.await_ready().await?;
        Ok(replica)
    }

    /// Stops the process in order and starts another in its place; how long the stop took.
    pub(super) async fn replace(&mut self) -> Result<Duration> {
        let took = self.stop().await?;
        self.child = spawn(&self.release, &self.home, self.port)?;
        self.await_ready().await?;
        Ok(took)
    }

    async fn stop(&mut self) -> Result<Duration> {
        let began = Instant::now();
        kill(Pid::from_raw(self.child.id().try_into()?), Signal::SIGTERM)?;
        let mut status = None;
        wait_for("a replica stops", || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        })
        .await?;
        ensure!(
            status.is_some_and(|status| status.success()),
            "a stop ended with {status:?}\n{}",
            self.log()
        );
        Ok(began.elapsed())
    }

    async fn await_ready(&mut self) -> Result<()> {
        let port = self.port;
        let ready = wait_for("a replica is ready", || is_ready(port).unwrap_or(false)).await;
        if ready.is_err() {
            bail!("a replica is not ready\n{}", self.log());
        }
        ready
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_ready(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"GET /health/ready HTTP/1.0\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(answer.ends_with(b" 200"))
}

fn spawn(release: &Release, home: &TempDir, port: u16) -> Result<Child> {
    let mut command = Command::new(&release.binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MCP_RAG") {
            command.env_remove(name);
        }
    }
    command.arg("serve").current_dir(home.path()).stdin(Stdio::null()).stdout(Stdio::null());
    let sets = [
        ("server.port", port.to_string()),
        ("admin.port", "0".to_owned()),
        ("server.workers", "2".to_owned()),
        ("server.drain_delay_ms", release.delay.as_millis().to_string()),
        // The drill is about replacing, not about overload.
        ("server.max_in_flight", "1000".to_owned()),
        ("generator.kind", "openai".to_owned()),
        ("generator.base_url", release.chat.clone()),
        ("generator.model", "drill".to_owned()),
        ("embedder.threads", "1".to_owned()),
    ];
    for (key, value) in sets {
        command.args(["--set", &format!("{key}={value}")]);
    }
    let log = File::options().create(true).append(true).open(home.path().join("log"))?;
    command
        .env("MCP_RAG__DATABASE__URL", &release.database)
        .env("MCP_RAG__DATA_DIR", home.path().join("data"))
        .env("MCP_RAG__SECRETS_DIR", home.path().join("secrets"))
        .env("MCP_RAG__EMBEDDER__MODEL_DIR", crate::workspace().join(".local/model"))
        .stderr(log);
    Ok(command.spawn()?)
}
