//! Redis as the second level of the cache: shared between processes, never needed.

use crate::support::{Server, eventually};
use crate::tools::{document, free_port, signal};
use nix::sys::signal::Signal;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

struct Redis {
    child: Child,
    port: u16,
    home: TempDir,
}

impl Redis {
    fn start() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let port = free_port();
        Self { child: spawn(port, home.path()), port, home }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn signal(&self, what: Signal) {
        signal(self.child.id(), what);
    }

    fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// On the same port, with nothing in it.
    fn restart(&mut self) {
        self.child = spawn(self.port, self.home.path());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, home: &Path) -> Child {
    let local = Path::new(env!("CARGO_MANIFEST_DIR")).join(".local/redis/bin/redis-server");
    let program = if local.exists() { local } else { PathBuf::from("redis-server") };
    let mut command = Command::new(program);
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()]);
    command.current_dir(home).stdin(Stdio::null()).stdout(Stdio::null());
    let child = command.spawn().expect("redis-server runs: scripts/setup.sh --test brings it");
    eventually("Redis listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    child
}

fn query(text: &str) -> serde_json::Value {
    json!({"query": text, "collections": ["kept"]})
}

#[track_caller]
fn health(server: &Server, expected: &str) {
    eventually(&format!("health says {expected}"), || {
        let reply = server.get("/health");
        assert_eq!(reply.status, 200, "without its cache a server is still ready: {}", reply.text());
        reply.json()["status"] == expected
    });
}

/// Searches that nobody made before must be answered fully and without a wait to speak of.
#[track_caller]
fn search_quickly(server: &Server, phase: &str) {
    for n in 0..5 {
        let began = Instant::now();
        let found = server.search(&query(&format!("the violin repairs varnish, {phase} {n}")));
        let took = began.elapsed();
        // A read and a write that wait for redis.timeout_ms (50) each, and the search itself.
        assert!(took < Duration::from_millis(1000), "{phase}: {took:?}");
        assert!(!found["results"].as_array().expect("results").is_empty());
        assert_eq!((&found["degraded"], &found["cached"]), (&json!([]), &json!(false)));
    }
}

#[test]
fn what_one_process_found_the_next_one_answers_from_redis() {
    let redis = Redis::start();
    let mut server = Server::builder().env("MCP_RAG__REDIS__URL", redis.url()).start();
    server.create("kept");
    server.ingest_json("kept", &(0..20).map(|n| document(n, 0)).collect::<Vec<_>>());
    let first = server.search(&query("the violin repairs varnish"));
    assert_eq!(first["cached"], false);
    server.restart();
    let again = server.search(&query("the violin repairs varnish"));
    assert_eq!((&again["cached"], &again["results"]), (&json!(true), &first["results"]));
    // What changes the collection makes everything found before outdated.
    server.ingest_json("kept", &[document(100, 0)]);
    assert_eq!(server.search(&query("the violin repairs varnish"))["cached"], false);
    server.stop();
}

#[test]
fn a_redis_that_hangs_dies_and_comes_back_costs_a_little_time_and_no_answer() {
    let mut redis = Redis::start();
    let mut server = Server::builder().env("MCP_RAG__REDIS__URL", redis.url()).start();
    server.create("kept");
    server.ingest_json("kept", &(0..20).map(|n| document(n, 0)).collect::<Vec<_>>());
    health(&server, "ok");
    search_quickly(&server, "well");

    redis.signal(Signal::SIGSTOP);
    search_quickly(&server, "hanging");
    health(&server, "degraded");
    redis.signal(Signal::SIGCONT);
    health(&server, "ok");
    search_quickly(&server, "continued");

    redis.kill();
    search_quickly(&server, "dead");
    health(&server, "degraded");
    redis.restart();
    health(&server, "ok");
    search_quickly(&server, "back");
    let found = server.search(&query("shared again"));
    assert_eq!(found["cached"], false);
    let actors = server.get("/v1/system").ok(200)["actors"].clone();
    let restarts = actors.as_array().unwrap().iter().map(|actor| actor["restarts"].as_u64().unwrap());
    assert_eq!(restarts.sum::<u64>(), 0, "{actors}");
    server.restart();
    assert_eq!(server.search(&query("shared again"))["cached"], true);
    server.stop();
}

#[test]
fn a_server_starts_while_redis_is_away() {
    let port = free_port();
    let mut server =
        Server::builder().env("MCP_RAG__REDIS__URL", format!("redis://127.0.0.1:{port}")).start();
    server.create("kept");
    server.ingest_json("kept", &(0..3).map(|n| document(n, 0)).collect::<Vec<_>>());
    health(&server, "degraded");
    search_quickly(&server, "without");
    server.stop();
}
