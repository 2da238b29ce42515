use serde::Serialize;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorState {
    Starting,
    Running,
    /// Waiting for the next restart.
    Down,
    Draining,
    Stopped,
    /// Restarts exhausted; the process is about to end.
    Failed,
}

/// Why an incarnation ended. Like Unix exit statuses, each calls for another reaction, so each is
/// counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Panic,
    /// The service gave up on itself, or its factory failed.
    Error,
    /// The actor stopped though nobody asked it to.
    Stop,
    /// Its arbiter (thread) died.
    Kill,
}

impl Cause {
    pub(super) const ALL: [Self; 4] = [Self::Panic, Self::Error, Self::Stop, Self::Kill];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Error => "error",
            Self::Stop => "stop",
            Self::Kill => "kill",
        }
    }
}

/// A snapshot of one supervised service.
#[derive(Debug, Clone, Serialize)]
pub struct ActorStatus {
    pub name: &'static str,
    pub state: ActorState,
    pub restarts: u64,
    pub restarts_by_cause: RestartCounts,
    /// Calls admitted and not yet begun.
    pub mailbox: usize,
    pub in_flight: usize,
    pub last_error: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct RestartCounts {
    pub panic: u64,
    pub error: u64,
    pub stop: u64,
    pub kill: u64,
}

/// Live counters behind [`ActorStatus`]; they outlive every incarnation.
#[derive(Debug)]
pub(super) struct Meter {
    name: &'static str,
    phase: Mutex<Phase>,
    restarts: [AtomicU64; 4],
    pub(super) admitted: AtomicUsize,
    pub(super) running: AtomicUsize,
}

#[derive(Debug)]
struct Phase {
    state: ActorState,
    last_error: Option<String>,
    retry_in: Duration,
}

impl Meter {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            phase: Mutex::new(Phase {
                state: ActorState::Starting,
                last_error: None,
                retry_in: Duration::ZERO,
            }),
            restarts: Default::default(),
            admitted: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    fn phase(&self) -> std::sync::MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, state: ActorState) {
        self.phase().state = state;
    }

    pub(super) fn died(&self, cause: Cause, error: &str, retry_in: Duration) {
        {
            let mut phase = self.phase();
            phase.state = ActorState::Down;
            phase.last_error = Some(error.to_owned());
            phase.retry_in = retry_in;
        }
        self.restarts[cause as usize].fetch_add(1, Ordering::Relaxed);
        metrics::counter!("mcp_rag_actor_restarts_total", "actor" => self.name, "cause" => cause.as_str())
            .increment(1);
    }

    pub(super) fn state(&self) -> ActorState {
        self.phase().state
    }

    pub(super) fn retry_in(&self) -> Duration {
        self.phase().retry_in
    }

    pub(super) fn snapshot(&self) -> ActorStatus {
        let [panic, error, stop, kill] =
            Cause::ALL.map(|cause| self.restarts[cause as usize].load(Ordering::Relaxed));
        let admitted = self.admitted.load(Ordering::Relaxed);
        let in_flight = self.running.load(Ordering::Relaxed);
        let phase = self.phase();
        ActorStatus {
            name: self.name,
            state: phase.state,
            restarts: panic + error + stop + kill,
            restarts_by_cause: RestartCounts { panic, error, stop, kill },
            mailbox: admitted.saturating_sub(in_flight),
            in_flight,
            last_error: phase.last_error.clone(),
        }
    }
}
