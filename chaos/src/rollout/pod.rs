//! One server as a kubelet runs it: probed, told to stop, and killed when its grace is over.

use super::envoy::Mesh;
use super::manifest::{Probe, Timings};
use crate::rolling::wait_for;
use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// What all pods of one release have in common.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub(super) binary: PathBuf,
    pub(super) database: String,
    pub(super) timings: Timings,
    /// `key=value`
    pub(super) settings: Vec<String>,
}

pub(super) struct Pod {
    pub(super) port: u16,
    pub(super) admin: u16,
    pub(super) track: &'static str,
    timings: Timings,
    mesh: Arc<Mesh>,
    home: TempDir,
    child: Child,
    kubelet: Option<AbortHandle>,
}

impl Pod {
    /// Ready, and told to Envoy.
    pub(super) async fn start(template: &Template, track: &'static str, mesh: &Arc<Mesh>) -> Result<Self> {
        let (home, port, admin) = (tempfile::tempdir()?, crate::free_port(), crate::free_port());
        let child = spawn(template, "serve", &home, port, admin)?;
        let (timings, mesh) = (template.timings.clone(), Arc::clone(mesh));
        let mut pod = Self { port, admin, track, timings, mesh, home, child, kubelet: None };
        pod.started().await?;
        pod.kubelet = Some(
            tokio::spawn(readiness(admin, port, track, pod.timings.readiness.clone(), Arc::clone(&pod.mesh)))
                .abort_handle(),
        );
        pod.mesh.set(track, port, true);
        Ok(pod)
    }

    async fn started(&mut self) -> Result<()> {
        let probe = self.timings.startup.clone();
        for _ in 0..probe.failures {
            if passes(self.admin, &probe).await {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("a pod ended with {status} instead of starting\n{}", self.log());
            }
            tokio::time::sleep(probe.period).await;
        }
        bail!("a pod does not start\n{}", self.log())
    }

    /// As Kubernetes ends a pod: its endpoint goes at once, which takes a while to be known; meanwhile preStop, then
    /// SIGTERM, and SIGKILL at the end of the grace period. How long it took; to be killed is an error.
    pub(super) async fn terminate(mut self) -> Result<Duration> {
        let began = Instant::now();
        if let Some(kubelet) = self.kubelet.take() {
            kubelet.abort();
        }
        self.mesh.set(self.track, self.port, false);
        tokio::time::sleep(self.timings.pre_stop).await;
        kill(Pid::from_raw(self.child.id().try_into()?), Signal::SIGTERM)?;
        let mut status = None;
        let left = self.timings.grace.saturating_sub(began.elapsed());
        let ended = wait_for("a pod ends", || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        if tokio::time::timeout(left, ended).await.is_err() {
            bail!("a pod was killed: its grace of {:?} was over\n{}", self.timings.grace, self.log());
        }
        ensure!(status.is_some_and(|status| status.success()), "a pod ended with {status:?}\n{}", self.log());
        Ok(began.elapsed())
    }

    pub(super) async fn metrics(&self) -> Result<String> {
        get(self.admin, "/metrics").await.context("a pod's metrics")
    }

    fn log(&self) -> String {
        tail(&self.home)
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if let Some(kubelet) = self.kubelet.take() {
            kubelet.abort();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that works on the queue, or does one thing and ends.
pub(super) struct Errand {
    child: Child,
    home: TempDir,
}

impl Errand {
    pub(super) fn start(template: &Template, command: &str) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let child = spawn(template, command, &home, 0, crate::free_port())?;
        Ok(Self { child, home })
    }

    pub(super) async fn succeeds(mut self) -> Result<()> {
        let mut status = None;
        wait_for("an errand ends", || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        })
        .await?;
        ensure!(
            status.is_some_and(|status| status.success()),
            "it ended with {status:?}\n{}",
            tail(&self.home)
        );
        Ok(())
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks for as long as the pod is there.
async fn readiness(admin: u16, port: u16, track: &'static str, probe: Probe, mesh: Arc<Mesh>) {
    let mut failures = 0;
    loop {
        tokio::time::sleep(probe.period).await;
        failures = if passes(admin, &probe).await { 0 } else { failures + 1 };
        if failures == 0 || failures >= probe.failures {
            mesh.set(track, port, failures == 0);
        }
    }
}

async fn passes(admin: u16, probe: &Probe) -> bool {
    matches!(tokio::time::timeout(probe.timeout, get(admin, &probe.path)).await, Ok(Ok(_)))
}

/// The body of a 200.
async fn get(port: u16, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n").as_bytes()).await?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await?;
    let (head, body) = reply.split_once("\r\n\r\n").context("no HTTP")?;
    ensure!(head.split(' ').nth(1) == Some("200"), "{}", head.lines().next().unwrap_or_default());
    Ok(body.to_owned())
}

fn tail(home: &TempDir) -> String {
    let log = std::fs::read_to_string(home.path().join("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

fn spawn(template: &Template, subcommand: &str, home: &TempDir, port: u16, admin: u16) -> Result<Child> {
    let mut command = Command::new(&template.binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MCP_RAG") {
            command.env_remove(name);
        }
    }
    command.arg(subcommand).current_dir(home.path()).stdin(Stdio::null()).stdout(Stdio::null());
    let own = [
        format!("server.port={port}"),
        format!("admin.port={admin}"),
        format!("server.drain_delay_ms={}", template.timings.drain.as_millis()),
        "server.workers=2".to_owned(),
        // The drill is about changing releases, not about overload.
        "server.max_in_flight=1000".to_owned(),
        "embedder.threads=1".to_owned(),
        "ingest.worker=false".to_owned(),
    ];
    for set in own.iter().chain(&template.settings) {
        command.args(["--set", set]);
    }
    command
        .env("MCP_RAG__DATABASE__URL", &template.database)
        .env("MCP_RAG__DATA_DIR", home.path().join("data"))
        .env("MCP_RAG__SECRETS_DIR", home.path().join("secrets"))
        .env("MCP_RAG__EMBEDDER__MODEL_DIR", crate::workspace().join(".local/model"))
        .stderr(File::create(home.path().join("log"))?);
    command.spawn().with_context(|| template.binary.display().to_string())
}
