//! A real HAProxy in front of the replicas, as connections (L4) or as requests (L7).

use super::wait_for;
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How often a replica is asked whether it is ready; two refusals take it out. A slow answer is no refusal: on a busy
/// machine both replicas would be out at once.
pub const PROBE: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Requests: connections to replicas are the proxy's own and shared by its clients.
    L7,
    /// Connections: a client stays with its replica until one of them closes.
    L4,
}

impl Layer {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::L7 => "L7",
            Self::L4 => "L4",
        }
    }

    fn mode(self) -> &'static str {
        match self {
            Self::L7 => "http",
            Self::L4 => "tcp",
        }
    }
}

/// Ends with its drop.
pub struct Haproxy {
    child: Child,
    pub port: u16,
    stats: PathBuf,
    _home: TempDir,
}

impl Haproxy {
    /// In front of replicas at these ports of this machine, who take turns.
    ///
    /// # Errors
    /// HAProxy is not there, or does not start.
    pub fn start(layer: Layer, replicas: &[u16]) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let (port, stats) = (crate::free_port(), home.path().join("stats"));
        let mode = layer.mode();
        let mut config = format!(
            // Nobody tries twice, the proxy neither: by itself it would try connections thrice.
            "global\n  maxconn 4000\n  stats socket {} mode 600 level admin\n\
             defaults\n  mode {mode}\n  retries 0\n  timeout connect 2s\n  timeout client 60s\n  timeout server 60s\n\
             \x20 timeout check 2s\n\
             \x20 option httpchk GET /health/ready\n\
             frontend api\n  bind 127.0.0.1:{port}\n  default_backend replicas\n\
             backend replicas\n  balance roundrobin\n",
            stats.display()
        );
        for (n, replica) in replicas.iter().enumerate() {
            let _ = writeln!(
                config,
                "  server r{n} 127.0.0.1:{replica} check inter {} fall 2 rise 1",
                PROBE.as_millis()
            );
        }
        let file = home.path().join("haproxy.cfg");
        std::fs::write(&file, config)?;
        let mut command = Command::new(program()?);
        command.args(["-db", "-f"]).arg(&file);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self { child: child.context("HAProxy does not start")?, port, stats, _home: home })
    }

    /// Waits until the proxy sends requests to the replica.
    ///
    /// # Errors
    /// It does not within a minute.
    pub async fn await_up(&self, replica: usize) -> Result<()> {
        wait_for(&format!("HAProxy uses replica {replica}"), || self.status(replica) == Some("UP".to_owned()))
            .await
    }

    fn status(&self, replica: usize) -> Option<String> {
        use std::io::{Read, Write};
        let mut socket = std::os::unix::net::UnixStream::connect(&self.stats).ok()?;
        socket.write_all(b"show stat\n").ok()?;
        let mut table = String::new();
        socket.read_to_string(&mut table).ok()?;
        let line = table.lines().find(|line| line.starts_with(&format!("replicas,r{replica},")))?.to_owned();
        line.split(',').nth(17).map(str::to_owned)
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        if let Ok(pid) = self.child.id().try_into() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

/// Debian keeps it where only root looks.
fn program() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join("haproxy"))
        .find(|file| Path::is_file(file));
    match found {
        Some(file) => Ok(file),
        None => bail!("HAProxy is needed: run scripts/setup.sh --test, or apt-get install haproxy"),
    }
}
