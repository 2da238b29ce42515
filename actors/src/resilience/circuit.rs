use super::breaker::{Breaker, Outcome, Ticket};
use super::{BreakerSettings, BreakerState, random};
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The call was not made: the dependency is given time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the circuit is open")]
pub struct Open {
    pub retry_in: Duration,
}

/// A breaker shared by all who call one dependency.
///
/// It lives beside the dependency's handle and so outlives the incarnations behind it: callers fail fast
/// without a hop. Costs one short lock when admitting and one when a call ends.
#[derive(Debug, Clone)]
pub struct Circuit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    state: Mutex<Tracked>,
    /// Told when it opens.
    opened: Notify,
}

#[derive(Debug)]
struct Tracked {
    breaker: Breaker,
    /// When it last left `Closed`, for people; the breaker itself knows no calendar.
    opened_at: Option<OffsetDateTime>,
}

/// A snapshot for `GET /v1/system`.
#[derive(Debug, Clone, Serialize)]
pub struct BreakerStatus {
    pub name: &'static str,
    pub state: BreakerState,
    /// In the last ten seconds while closed; since the last success otherwise.
    pub failures: u32,
    /// RFC 3339; null while closed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub opened_at: Option<OffsetDateTime>,
    /// Milliseconds until a probe is admitted; null unless open.
    pub retry_in_ms: Option<u64>,
}

impl Circuit {
    #[must_use]
    pub fn new(name: &'static str, settings: BreakerSettings) -> Self {
        let state = Mutex::new(Tracked { breaker: Breaker::new(settings), opened_at: None });
        show(name, BreakerState::Closed);
        for to in [BreakerState::Closed, BreakerState::HalfOpen, BreakerState::Open] {
            moved(name, to).absolute(0);
        }
        Self(Arc::new(Inner { name, state, opened: Notify::new() }))
    }

    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Leave to make one call; end it with one of the pass's methods.
    pub fn admit(&self) -> Result<Pass, Open> {
        let now = Instant::now();
        let (admitted, state) = self.change(|breaker| (breaker.admit(now), breaker.entered()));
        let ticket = admitted.map_err(|retry_in| Open { retry_in })?;
        let probe = state == BreakerState::HalfOpen;
        Ok(Pass { circuit: self.clone(), ticket: Some(ticket), probe })
    }

    /// Whether a call would be refused now. Takes no probe's place.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.refuses_now().is_err()
    }

    /// The refusal a call would meet now, for callers in front of the one who admits.
    pub fn refuses_now(&self) -> Result<(), Open> {
        let retry_in = self.0.lock().breaker.retry_in(Instant::now());
        if retry_in.is_zero() { Ok(()) } else { Err(Open { retry_in }) }
    }

    #[must_use]
    pub fn status(&self) -> BreakerStatus {
        let now = Instant::now();
        let mut tracked = self.0.lock();
        let state = tracked.breaker.state(now);
        let retry_in = tracked.breaker.retry_in(now);
        BreakerStatus {
            name: self.0.name,
            state,
            failures: tracked.breaker.failures(now),
            opened_at: tracked.opened_at,
            retry_in_ms: (state == BreakerState::Open)
                .then(|| u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// Waits until it opens the next time after this call: what waits for the dependency then waits in vain.
    pub fn opened(&self) -> Notified<'_> {
        self.0.opened.notified()
    }

    /// Applies one step and tells of the transition, if it was one: once, whoever caused it.
    fn change<T>(&self, step: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut tracked = self.0.lock();
        let before = tracked.breaker.entered();
        let result = step(&mut tracked.breaker);
        let after = tracked.breaker.entered();
        if before == after {
            return result;
        }
        match after {
            BreakerState::Open if before == BreakerState::Closed => {
                tracked.opened_at = Some(OffsetDateTime::now_utc());
                self.0.opened.notify_waiters();
            }
            BreakerState::Closed => tracked.opened_at = None,
            BreakerState::Open | BreakerState::HalfOpen => {}
        }
        // Under the lock, so that the gauge's last value is the last state's.
        show(self.0.name, after);
        let retry_in = tracked.breaker.retry_in(Instant::now());
        drop(tracked);
        let breaker = self.0.name;
        moved(breaker, after).increment(1);
        match after {
            BreakerState::Open => {
                tracing::warn!(breaker, ?retry_in, "the circuit opened: calls are not made for a while");
            }
            BreakerState::HalfOpen => tracing::info!(breaker, "the circuit is half open: one call probes"),
            BreakerState::Closed => tracing::info!(breaker, "the circuit closed: the dependency is back"),
        }
        result
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Tracked> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn moved(breaker: &'static str, to: BreakerState) -> metrics::Counter {
    metrics::counter!("mcp_rag_breaker_transitions_total", "breaker" => breaker, "to" => to.as_str())
}

fn show(breaker: &'static str, state: BreakerState) {
    let value = match state {
        BreakerState::Closed => 0.0,
        BreakerState::HalfOpen => 1.0,
        BreakerState::Open => 2.0,
    };
    metrics::gauge!("mcp_rag_breaker_state", "breaker" => breaker).set(value);
}

/// Leave for one call.
///
/// # Cancel safety
/// Dropped without a verdict (its future was cancelled) it says nothing; a probe then counts as failed, so
/// that a dependency that hangs cannot keep the circuit half open.
#[derive(Debug)]
#[must_use]
pub struct Pass {
    circuit: Circuit,
    ticket: Option<Ticket>,
    probe: bool,
}

impl Pass {
    pub fn succeed(self) {
        self.end(Outcome::Success);
    }

    /// It succeeded, and its duration says nothing: bulk work, a stream.
    pub fn succeed_unhurried(self) {
        self.end(Outcome::Unhurried);
    }

    /// Whether this is the one call that decides if a half-open circuit closes.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// The dependency failed: an error of its own, garbage, or no answer in time.
    pub fn fail(self) {
        self.end(Outcome::Failure);
    }

    /// The dependency refused for a while it named (`Retry-After`): opens at once, within the longest
    /// open time.
    pub fn refused_for(self, retry_after: Duration) {
        self.end(Outcome::Refused(retry_after));
    }

    /// The call says nothing about the dependency: our own overload, the client's error.
    pub fn ignore(self) {
        self.end(Outcome::Ignored);
    }

    fn end(mut self, outcome: Outcome) {
        self.record(outcome);
    }

    fn record(&mut self, outcome: Outcome) {
        if let Some(ticket) = self.ticket.take() {
            let (now, random) = (Instant::now(), random::uniform());
            self.circuit.change(|breaker| breaker.record(&ticket, outcome, now, random));
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.record(Outcome::Lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resilience::Backoff;

    fn circuit() -> Circuit {
        let open = Backoff { base: Duration::from_millis(20), max: Duration::from_millis(20) };
        Circuit::new("test", BreakerSettings { open, ..BreakerSettings::default() })
    }

    fn fail(circuit: &Circuit, times: usize) {
        (0..times).for_each(|_| circuit.admit().expect("admitted").fail());
    }

    fn half_opened() -> Circuit {
        let circuit = circuit();
        fail(&circuit, 5);
        while circuit.is_open() {
            std::thread::yield_now();
        }
        circuit
    }

    #[test]
    fn its_status_tells_when_it_opened_and_forgets_that_once_closed() {
        let circuit = circuit();
        assert_eq!(circuit.status().opened_at, None);
        fail(&circuit, 5);
        let status = circuit.status();
        assert_eq!((status.state, status.failures), (BreakerState::Open, 5));
        assert!(status.opened_at.is_some() && status.retry_in_ms.is_some());
        while circuit.is_open() {
            std::thread::yield_now();
        }
        let probe = circuit.admit().expect("the probe");
        assert!(probe.is_probe());
        probe.succeed();
        assert!(!circuit.admit().expect("closed").is_probe());
        let status = circuit.status();
        assert_eq!((status.state, status.opened_at), (BreakerState::Closed, None));
    }

    #[test]
    fn a_dropped_pass_says_nothing_but_a_dropped_probe_opens_it_again() {
        let circuit = circuit();
        (0..100).for_each(|_| drop(circuit.admit().expect("admitted")));
        assert_eq!(circuit.status().state, BreakerState::Closed);
        let circuit = half_opened();
        drop(circuit.admit().expect("the probe"));
        assert!(circuit.is_open());
    }

    #[test]
    fn of_many_threads_that_ask_at_once_one_gets_the_probe() {
        let circuit = half_opened();
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let circuit = circuit.clone();
                std::thread::spawn(move || circuit.admit().ok())
            })
            .collect();
        let passes: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        assert_eq!(passes.iter().flatten().count(), 1);
    }
}
