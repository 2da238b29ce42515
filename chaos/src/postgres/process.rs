//! A server process and its children, which make process groups of their own.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

/// The server and all its children; the server first.
fn family(server: u32) -> Vec<u32> {
    let mut family = vec![server];
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // `pid (name) state parent …`; the name may hold anything.
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
        if parent == Some(server) {
            family.push(pid);
        }
    }
    family
}

/// The server first, so that it cannot start children that are missed.
pub(super) fn signal_all(server: u32, signal: Signal) {
    send(server, signal);
    for pid in family(server) {
        send(pid, signal);
    }
}

pub(super) fn send(pid: u32, signal: Signal) {
    // One that has ended meanwhile is what every caller wants of it.
    let _ = kill(Pid::from_raw(pid.try_into().expect("a pid")), signal);
}

/// SIGKILL for all at once, so that nobody gets to say goodbye.
pub(super) fn kill_all(child: &mut Child) {
    signal_all(child.id(), Signal::SIGSTOP);
    let family = family(child.id());
    for pid in family.iter().rev() {
        send(*pid, Signal::SIGKILL);
    }
    let _ = child.wait();
    let deadline = Instant::now() + Duration::from_secs(5);
    // Its shared memory is free for a successor only once they are all gone.
    while family.iter().any(|pid| fs::metadata(format!("/proc/{pid}")).is_ok()) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
}
