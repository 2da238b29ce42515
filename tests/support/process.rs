//! The server as a process: started, signalled, awaited.

use super::{Log, PATIENCE};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(super) const MODEL_DIR: &str = "MCP_RAG__EMBEDDER__MODEL_DIR";
const TICK: Duration = Duration::from_millis(10);

/// How a process ended; without a code a signal ended it.
#[derive(Debug)]
pub(super) struct Exit {
    pub(super) code: Option<i32>,
}

pub(super) struct Running {
    child: Child,
    pub(super) api: String,
    pub(super) admin: String,
}

impl Running {
    /// Starts it and waits until it says that it is ready, or ends.
    pub(super) fn spawn(mut command: Command, log: &Log) -> Result<Self, Exit> {
        let before = log.len();
        // A group of its own: a Ctrl-C in the test's terminal is for the test.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let reader = log.follow(child.stderr.take().expect("its log"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(ready) = log.since(before).iter().find(|line| line.message() == "ready") {
                let admin = ready.field("metrics");
                let admin = admin.strip_suffix("/metrics").unwrap_or(&admin).to_owned();
                return Ok(Self { child, api: ready.field("api"), admin });
            }
            if let Some(status) = child.try_wait().expect("its state") {
                // Its last words may still be in the pipe.
                let _ = reader.join();
                return Err(Exit { code: status.code() });
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                panic!("the server was not ready in time\n{log}");
            }
            log.wait(TICK);
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill(pid(self.child.id()), signal);
    }

    pub(super) fn wait(&mut self, within: Duration) -> Option<Exit> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return Some(Exit { code: status.code() });
            }
            std::thread::sleep(TICK);
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.try_into().expect("a pid"))
}

/// Whether a process of this id runs, whoever it belongs to. One that has ended and waits to be reaped
/// by whoever took it over does not.
pub(crate) fn alive(id: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let ended = state.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'));
    !ended && kill(pid(id), None) != Err(Errno::ESRCH)
}

/// Waits for a condition; fails the test when it does not come true in time.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(TICK);
    }
}
