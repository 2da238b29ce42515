//! A real server for a test: the built binary as a child process with its own data directory, its own
//! managed PostgreSQL and ports chosen by the system.
//!
//! Used with `#[path = "../support/mod.rs"] mod support;`. The calls a test makes most:
//!
//! * [`Server::start`], or [`Server::builder`] with `set`, `env` and `token`;
//! * `get`, `post`, `put`, `patch`, `delete`, `send` and `request` on the API's port, `admin` on the
//!   other; each answers with a [`Reply`], of which `ok(status)` is the body as JSON;
//! * `create`, `ingest`, `put_document`, `search`, `search_in` for the common steps;
//! * `stop` (SIGTERM, must end with 0 and leave nothing behind), `kill9`, `restart` on the same data;
//! * `log` for what the server wrote, `postgres_pid` and `socket_dir` for its database.
//!
//! Ownership: the server ends with its `Server`, whichever way a test ends, and its PostgreSQL with
//! it. A log with a panic in it fails the test, unless `allow_panics` was asked for.

pub(crate) mod calls;
mod database;
mod log;
mod process;
mod reply;
pub(crate) mod secrets;
pub(crate) mod sse;
mod template;

pub(crate) use calls::ids;
pub(crate) use log::{Line, Log};
pub(crate) use process::{alive, eventually};
pub(crate) use reply::Reply;

use process::{Exit, MODEL_DIR, Running};
use reqwest::Certificate;
use reqwest::blocking::Client;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// How long anything a test waits for may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a server is started with.
#[derive(Default)]
pub(crate) struct Builder {
    sets: Vec<String>,
    envs: Vec<(String, String)>,
    token: Option<String>,
    allow_panics: bool,
    trusted: Option<PathBuf>,
}

impl Builder {
    /// `--set key=value`.
    #[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
    pub(crate) fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.sets.push(format!("{key}={}", value.to_string()));
        self
    }

    /// A variable of the server's environment.
    #[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
    pub(crate) fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.envs.push((name.to_owned(), value.to_string()));
        self
    }

    /// `auth.token`; the helpers of [`Server`] send it too.
    pub(crate) fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self.env("MCP_RAG__AUTH__TOKEN", token)
    }

    /// The token that the helpers of [`Server`] send, of a server that has it from elsewhere.
    pub(crate) fn bearer(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Serves with this certificate; the helpers of [`Server`] trust its authority.
    pub(crate) fn tls(mut self, cert: &Path, key: &Path, authority: &Path) -> Self {
        self.trusted = Some(authority.to_owned());
        self.set("server.tls.cert_file", cert.display()).set("server.tls.key_file", key.display())
    }

    /// For tests that make the server panic: its log may say so.
    pub(crate) fn allow_panics(mut self) -> Self {
        self.allow_panics = true;
        self
    }

    /// A server that is ready.
    pub(crate) fn start(self) -> Server {
        let home = tempfile::tempdir().expect("a directory for the data");
        if self.envs.iter().all(|(name, _)| name != "MCP_RAG__DATABASE__URL") {
            template::furnish(home.path());
        }
        self.start_in(home)
    }

    /// The same on a directory that exists.
    pub(crate) fn start_in(self, home: TempDir) -> Server {
        // The library makes a client only once the process has chosen a TLS implementation.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = Client::builder().timeout(PATIENCE).no_proxy();
        if let Some(path) = &self.trusted {
            http = http.tls_certs_only(authorities(path));
        }
        let http = http.build().expect("an HTTP client");
        let log = Log::default();
        secrets::plant(home.path());
        let running = Running::spawn(self.command(home.path()), &log)
            .unwrap_or_else(|exit| panic!("the server did not start: {exit:?}\n{log}"));
        Server { builder: self, home, http, log, running: Some(running) }
    }

    /// Starts a server that must refuse to: how it ended, and what it said.
    pub(crate) fn start_refused(self) -> (Option<i32>, String) {
        let home = tempfile::tempdir().expect("a directory for the data");
        let log = Log::default();
        match Running::spawn(self.command(home.path()), &log) {
            Err(Exit { code }) => {
                let said = log.to_string();
                let told = secrets::told(&said, &secrets::of(home.path(), &self.envs));
                assert!(told.is_empty(), "{told:?} is told: {said}");
                (code, said)
            }
            Ok(_) => panic!("the server started"),
        }
    }

    fn command(&self, home: &Path) -> Command {
        let mut command = binary(home);
        command.arg("serve");
        // Small enough for several servers side by side on a small machine.
        // Without copies in memory, so that a test that is about PostgreSQL is; `tests/index` turns them on.
        let plain = ["index.memory_bytes=0"];
        let small = ["server.port=0", "admin.port=0", "server.workers=2", "database.embedded.memory_mb=512"];
        for set in small.into_iter().chain(plain) {
            command.args(["--set", set]);
        }
        for set in &self.sets {
            command.args(["--set", set]);
        }
        command.envs(self.envs.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// What a client is to trust.
pub(crate) fn authorities(path: &Path) -> Vec<Certificate> {
    Certificate::from_pem_bundle(&std::fs::read(path).expect("a file")).expect("certificates")
}

/// The binary under test with a home of its own and none of the developer's settings; what its
/// command line needs follows. Its logs are JSON.
pub(crate) fn binary(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-rag"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MCP_RAG") {
            command.env_remove(name);
        }
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
    let postgres = std::env::var_os("MCP_RAG_POSTGRES_DIR")
        .map_or_else(|| workspace.join(".local/postgres"), PathBuf::from);
    if postgres.exists() {
        command.env("MCP_RAG_POSTGRES_DIR", postgres);
    }
    let model = std::env::var_os(MODEL_DIR).map_or_else(|| workspace.join(".local/model"), PathBuf::from);
    assert!(model.exists(), "run scripts/setup.sh --test first: {} is missing", model.display());
    command
        .env(MODEL_DIR, model)
        .env("MCP_RAG__DATA_DIR", home.join("data"))
        .env("MCP_RAG__SECRETS_DIR", home.join("secrets"))
        .env("MCP_RAG__LOG__FORMAT", "json")
        .env("MCP_RAG__EMBEDDER__THREADS", "1")
        .env("RUST_BACKTRACE", "0")
        .current_dir(home);
    command
}

/// A running server, or one that was ended and can be restarted on its data.
pub(crate) struct Server {
    builder: Builder,
    home: TempDir,
    http: Client,
    log: Log,
    running: Option<Running>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::builder().start()
    }

    pub(crate) fn builder() -> Builder {
        Builder::default()
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running().pid()
    }

    /// `http://127.0.0.1:<port>`
    pub(crate) fn url(&self) -> String {
        self.running().api.clone()
    }

    pub(crate) fn port(&self) -> u16 {
        self.url().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }

    pub(crate) fn admin_url(&self) -> String {
        self.running().admin.clone()
    }

    /// The directory of this server: `data` and `secrets` are in it, and it is the current directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Everything written so far, restarts included.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// The managed PostgreSQL as it was started last.
    pub(crate) fn postgres_pid(&self) -> u32 {
        self.started_postgres().field("pid").parse().expect("a pid")
    }

    /// The directory of the managed PostgreSQL's socket.
    pub(crate) fn socket_dir(&self) -> PathBuf {
        self.started_postgres().field("socket_dir").into()
    }

    fn started_postgres(&self) -> Line {
        self.log.last("PostgreSQL is ready").expect("PostgreSQL was started")
    }

    /// SIGTERM: the server ends in order, with status 0, and leaves no process behind.
    pub(crate) fn stop(&mut self) {
        if let Ok(metrics) = self.http.get(format!("{}/metrics", self.admin_url())).send() {
            self.keeps_secrets("its metrics", &metrics.text().unwrap_or_default());
        }
        self.running().signal(nix::sys::signal::Signal::SIGTERM);
        self.await_exit();
    }

    /// The end of a server that was told to stop, in order as above.
    pub(crate) fn await_exit(&mut self) {
        let postgres = self.log.last("PostgreSQL is ready").map(|line| line.field("pid"));
        let mut running = self.running.take().expect("the server runs");
        let exit = running.wait(PATIENCE).unwrap_or_else(|| panic!("it did not stop\n{}", self.log));
        assert_eq!(exit.code, Some(0), "stopping in order ends with status 0\n{}", self.log);
        if let Some(pid) = postgres {
            let pid = pid.parse().expect("a pid");
            eventually("PostgreSQL has ended with its server", || !alive(pid));
        }
        self.check_log();
    }

    /// Waits until the server has ended by itself: its exit status.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let mut running = self.running.take().expect("the server runs");
        running.wait(PATIENCE).unwrap_or_else(|| panic!("it did not end\n{}", self.log)).code
    }

    /// SIGKILL, as the kernel does it out of memory; waits until its PostgreSQL has followed.
    pub(crate) fn kill9(&mut self) {
        let postgres = self.log.last("PostgreSQL is ready").map(|line| line.field("pid"));
        let mut running = self.running.take().expect("the server runs");
        running.signal(nix::sys::signal::Signal::SIGKILL);
        running.wait(PATIENCE).expect("SIGKILL ends it");
        if let Some(pid) = postgres.and_then(|pid| pid.parse().ok()) {
            eventually("PostgreSQL has ended with its server", || !alive(pid));
        }
    }

    /// Starts again on the same data, after `stop` or `kill9`, or else stops first. Ports change.
    pub(crate) fn restart(&mut self) {
        if self.running.is_some() {
            self.stop();
        }
        let running = Running::spawn(self.builder.command(self.home.path()), &self.log)
            .unwrap_or_else(|exit| panic!("the server did not start again: {exit:?}\n{}", self.log));
        self.running = Some(running);
    }

    /// Stops, and starts on the same data with these settings instead of the ones before.
    pub(crate) fn restarted_with(mut self, sets: &[(&str, &str)]) -> Self {
        self.stop();
        self.builder.sets = sets.iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.restart();
        self
    }

    /// The same in another environment.
    pub(crate) fn restarted_in(mut self, environment: &str, sets: &[(&str, &str)]) -> Self {
        self.builder.envs.push(("MCP_RAG_ENV".to_owned(), environment.to_owned()));
        self.restarted_with(sets)
    }

    fn check_log(&self) {
        let panicked = !self.builder.allow_panics && self.log.contains("panicked");
        assert!(!panicked, "the server panicked\n{}", self.log);
        self.keeps_secrets("its log", &self.log.whole());
        let files = secrets::on_disk(self.home(), &self.secrets());
        assert!(files.is_empty(), "a secret is in the clear in {files}");
    }

    fn secrets(&self) -> Vec<String> {
        secrets::of(self.home(), &self.builder.envs)
    }

    /// Fails the test when a text tells one of this server's secrets.
    #[track_caller]
    pub(crate) fn keeps_secrets(&self, what: &str, text: &str) {
        let told = secrets::told(text, &self.secrets());
        assert!(told.is_empty(), "{what} tells {told:?}");
    }
}

impl Drop for Server {
    #[expect(clippy::print_stderr, reason = "a failed test shows what its server said")]
    fn drop(&mut self) {
        if self.running.is_some() {
            self.kill9();
        }
        if std::thread::panicking() {
            eprintln!("the end of the server's log:\n{}", self.log);
        } else {
            self.check_log();
        }
    }
}
