//! A real Redis that is killed, frozen and started again on the same port.

use crate::tls::Pair;
use crate::{free_port, workspace};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Ends with its value.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    port: u16,
    home: TempDir,
    tls: Option<Tls>,
}

/// A server that speaks nothing but TLS.
#[derive(Debug)]
struct Tls {
    pair: Pair,
    /// Whose clients it lets in.
    authority: PathBuf,
    /// Whether a client has to show a certificate.
    ask: bool,
}

impl Redis {
    /// # Panics
    /// When there is no redis-server: `scripts/setup.sh --test` brings it.
    #[must_use]
    pub fn start() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let port = free_port();
        Self { child: spawn(port, home.path(), None), port, home, tls: None }
    }

    /// # Panics
    /// When there is no redis-server that speaks TLS: `scripts/setup-tls.sh` brings it.
    #[must_use]
    pub fn with_tls(pair: &Pair, authority: &Path, ask: bool) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let tls = Some(Tls { pair: pair.clone(), authority: authority.to_owned(), ask });
        Self { child: spawn(port, home.path(), tls.as_ref()), port, home, tls }
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// SIGSTOP: its connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// SIGKILL; its port refuses connections from then on.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub fn kill9(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// On the same port, with nothing in it.
    pub fn restart(&mut self) {
        self.child = spawn(self.port, self.home.path(), self.tls.as_ref());
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("the process exists");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, home: &Path, tls: Option<&Tls>) -> Child {
    let local = workspace().join(match tls {
        None => ".local/redis/bin/redis-server",
        Some(_) => ".local/redis-tls/redis-server",
    });
    let program = if local.exists() { local } else { PathBuf::from("redis-server") };
    let mut command = Command::new(program);
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    let number = port.to_string();
    match tls {
        None => {
            command.args(["--port", &number]);
        }
        Some(Tls { pair, authority, ask }) => {
            command.args(["--port", "0", "--tls-port", &number]);
            command.args(["--tls-auth-clients", if *ask { "yes" } else { "no" }]);
            command.arg("--tls-ca-cert-file").arg(authority);
            command.arg("--tls-cert-file").arg(&pair.cert).arg("--tls-key-file").arg(&pair.key);
        }
    }
    command.current_dir(home).stdin(Stdio::null()).stdout(Stdio::null());
    let child = command.spawn().expect("redis-server runs: scripts/setup.sh --test brings it");
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "Redis never listens");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}
