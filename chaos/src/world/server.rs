//! The server under test as a process: started, looked at, stopped.

use super::PATIENCE;
use crate::workspace;
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The binary under test.
#[derive(Debug, Clone)]
pub struct Program(pub PathBuf);

/// What a process uses now.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Usage {
    pub memory_bytes: u64,
    pub threads: usize,
    pub files: usize,
}

/// Ends with its value: SIGTERM, and SIGKILL when that does not help.
pub struct Server {
    child: Child,
    pub api: String,
    pub admin: String,
    log: PathBuf,
    home: TempDir,
}

/// A directory that PostgreSQL's own user can enter, too.
pub(crate) fn home() -> Result<TempDir> {
    let home = tempfile::Builder::new().prefix("mcp-rag-chaos").tempdir()?;
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755))?;
    Ok(home)
}

impl Server {
    /// Starts it and waits until it says that it is ready.
    pub async fn start(
        program: &Program,
        home: TempDir,
        sets: Vec<(String, String)>,
        envs: Vec<(&'static str, String)>,
    ) -> Result<Self> {
        let log = home.path().join("server.log");
        let mut command = command(program, home.path(), "serve");
        let defaults = [
            ("server.port", "0"),
            ("admin.port", "0"),
            ("server.workers", "2"),
            // A third of what an answer may take by default: rows are short.
            ("server.request_timeout_ms", "10000"),
            ("database.embedded.memory_mb", "512"),
        ];
        let defaults = defaults.map(|(key, value)| (key.to_owned(), value.to_owned()));
        for (key, value) in defaults.into_iter().chain(sets) {
            // Not as a flag: a flag with a password shows in the list of processes.
            command.env(format!("MCP_RAG__{}", key.to_uppercase().replace('.', "__")), value);
        }
        command.envs(envs).process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(&log)?);
        let child = command.spawn().with_context(|| format!("{} does not run", program.0.display()))?;
        let mut server = Self { child, api: String::new(), admin: String::new(), log, home };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(ready) = server.last_line("ready") {
                server.api = text(&ready, "api");
                server.admin = text(&ready, "metrics").trim_end_matches("/metrics").to_owned();
                return Ok(server);
            }
            server.check_alive()?;
            if Instant::now() > deadline {
                bail!("the server was not ready in time\n{}", server.end_of_log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server has ended with {status}\n{}", self.end_of_log());
        }
        Ok(())
    }

    /// The managed PostgreSQL as it was started last.
    #[must_use]
    pub fn postgres_pid(&self) -> Option<u32> {
        text(&self.last_line("PostgreSQL is ready")?, "pid").parse().ok()
    }

    /// The directory of the managed PostgreSQL's socket.
    #[must_use]
    pub fn socket_dir(&self) -> Option<PathBuf> {
        Some(text(&self.last_line("PostgreSQL is ready")?, "socket_dir").into())
    }

    /// The fields of the newest line with this message.
    fn last_line(&self, message: &str) -> Option<Value> {
        let log = fs::read(&self.log).ok()?;
        let log = String::from_utf8_lossy(&log);
        let quoted = format!("\"{message}\"");
        log.lines().rev().filter(|line| line.contains(&quoted)).find_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["fields"]["message"] == message).then(|| line["fields"].clone())
        })
    }

    #[must_use]
    pub fn end_of_log(&self) -> String {
        let mut end = Vec::new();
        if let Ok(mut log) = File::open(&self.log) {
            let length = log.metadata().map_or(0, |state| state.len());
            let _ = log.seek(SeekFrom::Start(length.saturating_sub(4000)));
            let _ = log.read_to_end(&mut end);
        }
        String::from_utf8_lossy(&end).into_owned()
    }

    #[must_use]
    pub fn usage(&self) -> Usage {
        let proc = PathBuf::from(format!("/proc/{}", self.pid()));
        let status = fs::read_to_string(proc.join("status")).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap_or(0);
        let count = |name: &str| fs::read_dir(proc.join(name)).map_or(0, Iterator::count);
        Usage { memory_bytes: kib * 1024, threads: count("task"), files: count("fd") }
    }

    /// SIGTERM; how it ended.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("it does not stop\n{}", self.end_of_log());
    }

    pub fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.pid()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) && self.stop().is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// `mcp-rag worker` beside a server; killed with its value.
pub struct Worker(Child);

impl Worker {
    pub fn start(program: &Program, server: &Server, sets: &[(String, String)]) -> Result<Self> {
        let mut command = command(program, server.home(), "worker");
        for (key, value) in sets {
            command.env(format!("MCP_RAG__{}", key.to_uppercase().replace('.', "__")), value);
        }
        command
            .env("MCP_RAG__ADMIN__PORT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Self(command.process_group(0).spawn().context("a worker does not run")?))
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// None of the developer's settings, and the parts that `scripts/setup.sh` brought.
fn command(program: &Program, home: &Path, what: &str) -> Command {
    let mut command = Command::new(&program.0);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MCP_RAG") {
            command.env_remove(name);
        }
    }
    let local = workspace().join(".local");
    let given =
        |name: &str, usual: &str| std::env::var_os(name).map_or_else(|| local.join(usual), PathBuf::from);
    command
        .arg(what)
        .env("MCP_RAG_POSTGRES_DIR", given("MCP_RAG_POSTGRES_DIR", "postgres"))
        .env("MCP_RAG__EMBEDDER__MODEL_DIR", given("MCP_RAG__EMBEDDER__MODEL_DIR", "model"))
        .env("MCP_RAG__DATA_DIR", home.join("data"))
        .env("MCP_RAG__SECRETS_DIR", home.join("secrets"))
        .env("MCP_RAG__LOG__FORMAT", "json")
        .env("RUST_BACKTRACE", "0")
        .current_dir(home);
    command
}

fn text(fields: &Value, name: &str) -> String {
    match &fields[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
