//! What an earlier run left: a server that outlived its parent, orphaned backends, lock files.
//!
//! The caller holds the data directory's lock, so any PostgreSQL on this cluster has no server of
//! ours behind it and is stopped. PostgreSQL itself refuses to start when the pid in a stale
//! `postmaster.pid` was taken over by another program (usual in containers, where pids are few);
//! that file is removed, but only after no process of the cluster is left.
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::{Doing, PostgresError};
use super::{cluster, socket};

/// Each step waits this long for the one before. The first is a regular shutdown.
const STEPS: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(30)),
    (Signal::SIGQUIT, Duration::from_secs(5)),
    (Signal::SIGKILL, Duration::from_secs(5)),
];
const POLL: Duration = Duration::from_millis(10);

/// Blocks until the cluster is nobody's. `uid` is whom its processes belong to.
pub(super) fn clear(cluster: &Path, socket_dir: &Path, uid: u32) -> Result<(), PostgresError> {
    let mut left = processes_of(cluster, uid);
    let recorded = recorded_pid(cluster);
    for (signal, patience) in STEPS {
        if left.is_empty() {
            break;
        }
        tracing::warn!(pids = ?left, %signal, "ending a PostgreSQL left over from an earlier run");
        let postmaster = recorded.filter(|pid| left.contains(pid));
        match postmaster {
            // It ends its backends; killing them one by one would make it recover from a crash.
            Some(pid) if signal == Signal::SIGINT => send(pid, signal),
            // Orphaned backends: SIGINT would only cancel a query.
            _ if signal == Signal::SIGINT => left.iter().for_each(|pid| send(*pid, Signal::SIGTERM)),
            _ => left.iter().for_each(|pid| send(*pid, signal)),
        }
        let began = Instant::now();
        let patience = if postmaster.is_none() { patience.min(Duration::from_secs(2)) } else { patience };
        while !left.is_empty() && began.elapsed() < patience {
            std::thread::sleep(POLL);
            left = processes_of(cluster, uid);
        }
    }
    if let Some(pid) = left.first() {
        return Err(PostgresError::LeftOver { cluster: cluster.to_owned(), pid: *pid });
    }
    let socket = socket_dir.join(format!(".s.PGSQL.{}", socket::PORT));
    let socket_lock = socket_dir.join(format!(".s.PGSQL.{}.lock", socket::PORT));
    for stale in [cluster.join("postmaster.pid"), socket, socket_lock] {
        match fs::remove_file(&stale) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).doing("removing", &stale);
            }
            _ => {}
        }
    }
    Ok(())
}

fn recorded_pid(cluster: &Path) -> Option<u32> {
    fs::read_to_string(cluster.join("postmaster.pid")).ok()?.lines().next()?.trim().parse().ok()
}

fn send(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        // It may have ended meanwhile.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Processes of this user whose command line is this cluster's: the server's own
/// (`postgres -D <cluster>`) or a backend's title (`postgres: <cluster name>: …`).
/// Command lines are readable where `/proc/<pid>/cwd` is not (a root without ptrace rights).
fn processes_of(cluster: &Path, uid: u32) -> Vec<u32> {
    let title = format!("postgres: {}: ", cluster::name(cluster));
    let server = format!("postgres\0-D\0{}", cluster.display());
    command_lines(uid)
        .into_iter()
        .filter(|(_, line)| {
            let line = line.trim_end_matches('\0');
            line.starts_with(&title) || line == server || line.ends_with(&format!("/{server}"))
        })
        .map(|(pid, _)| pid)
        .collect()
}

#[cfg(target_os = "linux")]
fn command_lines(uid: u32) -> Vec<(u32, String)> {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            (entry.metadata().ok()?.uid() == uid).then_some(())?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            Some((pid, String::from_utf8_lossy(&line).into_owned()))
        })
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn command_lines(uid: u32) -> Vec<(u32, String)> {
    let uid = uid.to_string();
    let output = std::process::Command::new("ps").args(["-ww", "-U", &uid, "-o", "pid=,command="]).output();
    let Ok(output) = output else { return Vec::new() };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let (pid, command) = line.trim().split_once(' ')?;
            // Arguments come separated by spaces here, by NUL on Linux.
            let command = command.trim().replacen(" -D ", "\0-D\0", 1);
            Some((pid.parse().ok()?, command))
        })
        .collect()
}
