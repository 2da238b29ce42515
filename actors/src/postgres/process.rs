//! The child process.
//!
//! One thread per child spawns it, waits for its end and reaps it. It must be one thread for the
//! child's whole life: on Linux the child is told to shut down when the *thread* that spawned it
//! ends (`PR_SET_PDEATHSIG`), which is how a server killed with SIGKILL takes its database along.
//! The child is the leader of its own process group, so Ctrl-C in a terminal reaches the server
//! only, which then stops the database last.
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child as Process, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;

use super::account::Account;
use super::error::{Doing, PostgresError};
use super::locate::Binaries;
use super::log::{self, Tail};
use super::{cluster, socket};

/// How PostgreSQL ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// It ended by itself or on request; 0 is a regular shutdown.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// Its end was not observed.
    Unknown,
}

impl std::fmt::Display for ExitReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl From<ExitStatus> for ExitReason {
    fn from(status: ExitStatus) -> Self {
        let signal = || status.signal().map(Self::Signal);
        status.code().map(Self::Code).or_else(signal).unwrap_or(Self::Unknown)
    }
}

/// A running or ended PostgreSQL. Dropping it asks for a fast shutdown and does not wait.
#[derive(Debug)]
pub(super) struct Child {
    pid: u32,
    /// Held while signalling and while reaping: a reaped pid may belong to somebody else.
    reaped: Arc<Mutex<bool>>,
    ended: watch::Receiver<Option<ExitReason>>,
    pub(super) tail: Tail,
}

impl Child {
    pub(super) fn spawn(
        binaries: &Binaries,
        cluster: &Path,
        log_dir: &Path,
        account: Option<&Account>,
    ) -> Result<Self, PostgresError> {
        let (reader, writer) = std::io::pipe().doing("making a pipe for", cluster)?;
        let tail = log::follow(reader, log_dir)?;
        let program = binaries.bin_dir.join("postgres");
        let mut command = cluster::command(&program, cluster, account);
        command.arg("-D").arg(cluster);
        command.stdout(writer.try_clone().doing("making a pipe for", cluster)?).stderr(writer);
        command.process_group(0);
        end_with_parent(&mut command);

        let reaped = Arc::new(Mutex::new(false));
        let keeper_reaped = Arc::clone(&reaped);
        let (ended_sender, ended) = watch::channel(None);
        let (started_sender, started) = std::sync::mpsc::sync_channel(1);
        std::thread::Builder::new()
            .name("postgres-child".into())
            .spawn(move || {
                let spawned = command.spawn();
                // It holds our end of the log pipe, which otherwise never closes.
                drop(command);
                let mut process = match spawned {
                    Ok(process) => process,
                    Err(error) => {
                        let _ = started_sender.send(Err(error));
                        return;
                    }
                };
                let _ = started_sender.send(Ok(process.id()));
                let reason = wait(&mut process, &keeper_reaped);
                ended_sender.send_replace(Some(reason));
            })
            .doing("starting the thread for", &program)?;
        let pid = started.recv().map_err(std::io::Error::other).flatten().doing("starting", &program)?;
        Ok(Self { pid, reaped, ended, tail })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Resolves when the child has ended; at once if it has already.
    ///
    /// # Cancel safety
    /// Yes: waiting changes nothing.
    pub(super) async fn ended(&mut self) -> ExitReason {
        match self.ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.unwrap_or(ExitReason::Unknown),
            Err(_) => ExitReason::Unknown,
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if let (false, Ok(pid)) = (*reaped, i32::try_from(self.pid)) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Fast shutdown, then immediate, then SIGKILL. A cut-short shutdown loses nothing that was
    /// acknowledged: the next start recovers from the WAL.
    pub(super) async fn stop(&mut self, within: Duration) -> ExitReason {
        let grace = Duration::from_secs(3);
        for (signal, patience) in [(Signal::SIGINT, within), (Signal::SIGQUIT, grace)] {
            self.signal(signal);
            if let Ok(reason) = tokio::time::timeout(patience, self.ended()).await {
                return reason;
            }
            tracing::warn!(pid = self.pid, %signal, "PostgreSQL did not stop in time");
        }
        self.signal(Signal::SIGKILL);
        tokio::time::timeout(grace, self.ended()).await.unwrap_or(ExitReason::Unknown)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::SIGINT);
    }
}

/// Waits without reaping, so that a signal sent meanwhile still reaches this very process.
#[cfg(target_os = "linux")]
fn wait(process: &mut Process, reaped: &Mutex<bool>) -> ExitReason {
    use nix::errno::Errno;
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    if let Ok(pid) = i32::try_from(process.id()) {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(Pid::from_raw(pid)), flags) == Err(Errno::EINTR) {}
    }
    let mut reaped = reaped.lock().unwrap_or_else(PoisonError::into_inner);
    let status = process.wait();
    *reaped = true;
    status.map_or(ExitReason::Unknown, ExitReason::from)
}

#[cfg(not(target_os = "linux"))]
fn wait(process: &mut Process, reaped: &Mutex<bool>) -> ExitReason {
    loop {
        {
            let mut reaped = reaped.lock().unwrap_or_else(PoisonError::into_inner);
            match process.try_wait() {
                Ok(None) => {}
                ended => {
                    *reaped = true;
                    return ended.ok().flatten().map_or(ExitReason::Unknown, ExitReason::from);
                }
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Elsewhere than on Linux an orphaned PostgreSQL lives on until the next start ends it.
#[cfg(not(target_os = "linux"))]
fn end_with_parent(_: &mut std::process::Command) {}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "code between fork and exec; only async-signal-safe calls in it")]
fn end_with_parent(command: &mut std::process::Command) {
    let parent = Pid::this();
    // SAFETY: the closure makes two system calls and allocates nothing. It runs after the change
    // of user, which would clear the setting.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGINT)?;
            // The parent may have ended before the call above: nothing would tell us any more.
            if Pid::parent() == parent { Ok(()) } else { Err(std::io::ErrorKind::BrokenPipe.into()) }
        });
    }
}

/// What every start fixes, whatever else is configured.
pub(super) fn fixed_parameters(cluster: &Path, socket_dir: &Path) -> [(&'static str, String); 6] {
    [
        ("listen_addresses", String::new()),
        ("unix_socket_directories", socket_dir.display().to_string()),
        ("unix_socket_permissions", "0700".into()),
        ("port", socket::PORT.to_string()),
        ("cluster_name", cluster::name(cluster)),
        ("logging_collector", "off".into()),
    ]
}
