//! Starts, restarts and ends of the process itself, as a terminal, an orchestrator or a person cause them.

use crate::support::{Server, alive, binary, eventually};
use crate::tools::{document, signal};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::json;
use std::fs::File;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A server like [`Server`], whose end and process group are the test's own business.
struct Process {
    child: Child,
    home: TempDir,
}

impl Process {
    fn spawn() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let mut command = binary(home.path());
        command.args(["serve", "--set", "server.port=0", "--set", "admin.port=0"]);
        command.args(["--set", "database.embedded.memory_mb=512"]);
        let log = File::create(home.path().join("log")).expect("a file for the log");
        let child = command.process_group(0).stdin(Stdio::null()).stderr(log).spawn().expect("it runs");
        Self { child, home }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).expect("its log")
    }

    fn await_log(&self, text: &str) {
        eventually(text, || self.log().contains(text));
    }

    /// What a terminal does on Ctrl-C: SIGINT to every process of the group.
    fn ctrl_c(&self) {
        killpg(Pid::from_raw(self.child.id().try_into().expect("a pid")), Signal::SIGINT).expect("it runs");
    }

    fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("it ends", || {
            status = self.child.try_wait().expect("its state");
            status.is_some()
        });
        status.expect("it ended")
    }

    /// Processes with this server's directory on their command line.
    fn left(&self) -> Vec<String> {
        mentioning(self.home.path())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn mentioning(home: &Path) -> Vec<String> {
    let output = Command::new("ps").args(["-ww", "-A", "-o", "args="]).output();
    let listed = match output {
        Ok(output) => String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect(),
        Err(_) => command_lines(),
    };
    let home = home.display().to_string();
    listed.into_iter().filter(|line| line.contains(&home)).collect()
}

/// Where there is no `ps` there is procfs.
fn command_lines() -> Vec<String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("procfs").flatten() {
        let mut bytes = Vec::new();
        if File::open(entry.path().join("cmdline")).and_then(|mut file| file.read_to_end(&mut bytes)).is_ok()
        {
            lines.push(String::from_utf8_lossy(&bytes).replace('\0', " "));
        }
    }
    lines
}

#[test]
fn ctrl_c_ends_with_status_0_and_leaves_no_process_behind() {
    let mut server = Process::spawn();
    server.await_log("\"ready\"");
    assert!(!server.left().is_empty(), "its PostgreSQL is seen");
    let began = Instant::now();
    server.ctrl_c();
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    println!("ended after {:?}", began.elapsed());
    assert_eq!(server.left(), Vec::<String>::new());
    assert!(server.log().contains("\"stopped\"") && !server.log().contains("panicked"), "{}", server.log());
}

#[test]
fn ctrl_c_during_the_start_leaves_no_process_behind() {
    let mut server = Process::spawn();
    server.await_log("PostgreSQL is ready"); // migrations and the model come next
    server.ctrl_c();
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    eventually("nothing is left", || server.left().is_empty());
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

fn ends_at_once(again: Signal, status: i32) {
    let mut server = Process::spawn();
    server.await_log("\"ready\"");
    // A request that is under way, which an orderly stop would wait for.
    let port = api_port(&server.log());
    let mut busy = std::net::TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    let head = "POST /v1/search HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    std::io::Write::write_all(&mut busy, head.as_bytes()).expect("half a request is sent");
    signal(server.child.id(), Signal::SIGTERM);
    server.await_log("stopping: finishing what is in flight");
    let began = Instant::now();
    signal(server.child.id(), again);
    assert_eq!(server.wait().code(), Some(status), "{}", server.log());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    eventually("its PostgreSQL follows", || server.left().is_empty());
}

#[test]
fn told_twice_to_stop_a_server_ends_at_once() {
    ends_at_once(Signal::SIGTERM, 143);
}

#[test]
fn ctrl_c_after_an_orderly_stop_has_begun_ends_it_at_once() {
    ends_at_once(Signal::SIGINT, 130);
}

fn api_port(log: &str) -> u16 {
    let ready = log.lines().find(|line| line.contains("\"ready\"")).expect("it is ready");
    let line: serde_json::Value = serde_json::from_str(ready).expect("JSON");
    let url = line["fields"]["api"].as_str().expect("its address").to_owned();
    url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

#[test]
fn a_second_server_on_the_same_data_is_refused_and_the_first_goes_on() {
    let mut first = Server::start();
    let data = first.home().join("data");
    let began = Instant::now();
    let (code, said) = Server::builder().env("MCP_RAG__DATA_DIR", data.display()).start_refused();
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("using the data directory") && said.contains(&format!("pid {}", first.pid())),
        "{said}"
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(first.get("/health/ready").status, 200);
    assert!(alive(first.postgres_pid()));
    first.stop();
}

#[test]
fn a_restarted_server_is_ready_soon_and_has_the_data() {
    let mut server = Server::start();
    server.create("kept");
    server.ingest_json("kept", &(0..60).map(|n| document(n, 0)).collect::<Vec<_>>());
    let query = json!({"query": "the violin describes varnish", "collections": ["kept"]});
    let before = server.search(&query);
    server.stop();
    for how in ["after a stop", "after kill -9"] {
        let began = Instant::now();
        server.restart();
        let took = began.elapsed();
        println!("ready {took:?} {how}");
        assert!(took < Duration::from_secs(10), "{took:?} {how}");
        assert_eq!(server.get("/health/ready").ok(200)["status"], "ok");
        assert_eq!(server.get("/v1/collections/kept").ok(200)["documents"], 60);
        assert_eq!(server.search(&query)["results"], before["results"]);
        server.kill9();
    }
}
