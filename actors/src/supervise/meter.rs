use super::handle::CallError;
use super::load::Load;
use super::priority::Priority;
use super::status::{ActorState, ActorStatus, Cause, RestartCounts};
use arc_swap::ArcSwap;
use metrics::Counter;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Live counters behind [`ActorStatus`] and the metrics; they outlive every incarnation.
pub(super) struct Meter {
    name: &'static str,
    phase: Mutex<Phase>,
    restarts: [AtomicU64; 5],
    /// Threads given up that have not ended yet.
    abandoned: AtomicUsize,
    load: ArcSwap<Load>,
    // Registered once: a look-up by labels would cost as much as the hop itself.
    calls: [Counter; 7],
    shed: [Counter; 3],
    late: Counter,
    repeats: Counter,
}

#[derive(Debug)]
struct Phase {
    state: ActorState,
    last_error: Option<String>,
    retry_in: Duration,
}

/// Index and name of an outcome in `mcp_rag_actor_calls_total`.
fn outcome(error: Option<CallError>) -> (usize, &'static str) {
    match error {
        None => (0, "ok"),
        Some(CallError::Down { .. }) => (1, "down"),
        Some(CallError::Overloaded) => (2, "overloaded"),
        Some(CallError::Draining) => (3, "draining"),
        Some(CallError::NotStarted) => (4, "not_started"),
        Some(CallError::Lost) => (5, "lost"),
        Some(CallError::Timeout) => (6, "timeout"),
    }
}

impl Meter {
    pub(super) fn new(name: &'static str) -> Self {
        let every = [
            None,
            Some(CallError::Down { retry_in: Duration::ZERO }),
            Some(CallError::Overloaded),
            Some(CallError::Draining),
            Some(CallError::NotStarted),
            Some(CallError::Lost),
            Some(CallError::Timeout),
        ];
        let calls = every.map(|error| {
            metrics::counter!("mcp_rag_actor_calls_total", "actor" => name, "outcome" => outcome(error).1)
        });
        let shed = Priority::ALL.map(|priority| {
            let priority = priority.as_str();
            metrics::counter!("mcp_rag_actor_shed_total", "actor" => name, "priority" => priority)
        });
        // There from the start: a counter that appears with its first restart never shows an increase.
        for cause in Cause::ALL {
            metrics::counter!("mcp_rag_actor_restarts_total", "actor" => name, "cause" => cause.as_str())
                .absolute(0);
        }
        let state = ActorState::Starting;
        Self {
            name,
            phase: Mutex::new(Phase { state, last_error: None, retry_in: Duration::ZERO }),
            restarts: Default::default(),
            abandoned: AtomicUsize::new(0),
            load: ArcSwap::default(),
            calls,
            shed,
            late: metrics::counter!("mcp_rag_actor_deadline_exceeded_total", "actor" => name),
            repeats: metrics::counter!("mcp_rag_actor_repeats_total", "actor" => name),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
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

    /// How long the next start is off; zero while one is under way.
    pub(super) fn retry_in(&self) -> Duration {
        let phase = self.phase();
        if phase.state == ActorState::Down { phase.retry_in } else { Duration::ZERO }
    }

    pub(super) fn load(&self) -> Arc<Load> {
        self.load.load_full()
    }

    /// The jobs on an abandoned thread keep their places for as long as it is blocked: they must not
    /// keep them from others.
    pub(super) fn forget_load(&self) {
        self.load.store(Arc::default());
    }

    pub(super) fn abandon(&self) {
        self.abandoned.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn abandoned_ended(&self) {
        self.abandoned.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn abandoned(&self) -> usize {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// A call is over.
    pub(super) fn called(&self, error: Option<CallError>, priority: Priority) {
        self.calls[outcome(error).0].increment(1);
        match error {
            Some(CallError::Overloaded) => self.shed[priority as usize].increment(1),
            Some(CallError::Timeout) => self.late.increment(1),
            None
            | Some(CallError::Down { .. } | CallError::Draining | CallError::NotStarted | CallError::Lost) => {
            }
        }
    }

    pub(super) fn repeated(&self) {
        self.repeats.increment(1);
    }

    pub(super) fn snapshot(&self) -> ActorStatus {
        let [panic, error, stop, kill, wedge] =
            Cause::ALL.map(|cause| self.restarts[cause as usize].load(Ordering::Relaxed));
        let (mailbox, in_flight) = self.load.load().now();
        let phase = self.phase();
        ActorStatus {
            name: self.name,
            state: phase.state,
            restarts: panic + error + stop + kill + wedge,
            restarts_by_cause: RestartCounts { panic, error, stop, kill, wedge },
            abandoned: self.abandoned(),
            mailbox,
            in_flight,
            last_error: phase.last_error.clone(),
        }
    }
}
