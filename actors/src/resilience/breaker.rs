//! A circuit breaker as a pure state machine: time and chance are passed in.
//!
//! ```text
//!            too many failed or slow calls, or a refusal that names a time
//!   Closed ────────────────────────────────────────────────────────────────▶ Open ◀──┐
//!     ▲                                                        the time is up │      │ probe failed,
//!     │ probe succeeded                                                       ▼      │ slow or lost
//!     └───────────────────────────────────────────────────────────────── HalfOpen ───┘
//! ```
//!
//! Invariants: at most one probe is out; an outcome counts only in the state its call was admitted in, so
//! a straggler from before an outage can neither close nor re-open anything.

use super::Backoff;
use super::window::Window;
use serde::Serialize;
use std::time::{Duration, Instant};

/// When to stop calling a dependency, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerSettings {
    /// Rates are judged from this many calls in the window of ten seconds on.
    pub minimum_calls: u32,
    /// Share of failed calls that opens, 0–1.
    pub failure_rate: f64,
    /// Share of slow calls that opens, 0–1.
    pub slow_rate: f64,
    /// A call that takes this long is slow.
    pub slow_call: Duration,
    /// Failures without any success between them that open, however few the calls.
    pub consecutive_failures: u32,
    /// How long it stays open: longer after every probe that fails.
    pub open: Backoff,
    /// Of a refusal that names a time no more than this is believed.
    pub longest_refusal: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            minimum_calls: 20,
            failure_rate: 0.5,
            slow_rate: 0.5,
            slow_call: Duration::from_secs(2),
            consecutive_failures: 5,
            open: Backoff { base: Duration::from_secs(1), max: Duration::from_secs(5) },
            longest_refusal: Duration::from_secs(30),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    Closed,
    /// The next call is the probe, or the probe is out.
    HalfOpen,
    Open,
}

impl BreakerState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// How an admitted call ended, as far as the dependency is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    /// It took its time, as such a call may.
    Unhurried,
    Failure,
    /// The dependency refused and said for how long.
    Refused(Duration),
    /// It says nothing about the dependency: our overload, the client's error.
    Ignored,
    /// Nobody saw it end. Says nothing, except of a probe, which then failed.
    Lost,
}

/// The right to make one call; to be given back to [`Breaker::record`].
#[derive(Debug)]
pub(crate) struct Ticket {
    generation: u64,
    admitted: Instant,
}

#[derive(Debug)]
enum State {
    Closed(Window),
    HalfOpen { probing: bool },
    Open { until: Instant },
}

#[derive(Debug)]
pub(crate) struct Breaker {
    settings: BreakerSettings,
    state: State,
    /// Changes with every state, so that tickets of an earlier one are recognised.
    generation: u64,
    /// Failures since the last success.
    consecutive: u32,
    /// Times opened since last closed: the attempt of the backoff.
    opened: u32,
}

impl Breaker {
    pub(crate) fn new(settings: BreakerSettings) -> Self {
        Self { settings, state: State::Closed(Window::default()), generation: 0, consecutive: 0, opened: 0 }
    }

    /// The right to call, or the time until it is worth asking again.
    pub(crate) fn admit(&mut self, now: Instant) -> Result<Ticket, Duration> {
        match &mut self.state {
            State::Closed(_) => {}
            State::HalfOpen { probing } if !*probing => *probing = true,
            State::HalfOpen { .. } => return Err(self.settings.open.base),
            State::Open { until } if now < *until => return Err(*until - now),
            State::Open { .. } => self.enter(State::HalfOpen { probing: true }),
        }
        Ok(Ticket { generation: self.generation, admitted: now })
    }

    /// Takes a call's end into account. `random` is uniform in `0.0..1.0`.
    pub(crate) fn record(&mut self, ticket: &Ticket, outcome: Outcome, now: Instant, random: f64) {
        if ticket.generation != self.generation {
            return;
        }
        let took = now.saturating_duration_since(ticket.admitted);
        let slow = took >= self.settings.slow_call && outcome != Outcome::Unhurried;
        match (&mut self.state, outcome) {
            (State::Closed(_) | State::HalfOpen { .. }, Outcome::Refused(retry_after)) => {
                self.consecutive += 1;
                self.trip(now, random, retry_after);
            }
            (State::Closed(_), Outcome::Ignored | Outcome::Lost) | (State::Open { .. }, _) => {}
            (State::Closed(window), Outcome::Success | Outcome::Unhurried | Outcome::Failure) => {
                let failed = outcome == Outcome::Failure;
                window.add(now, failed, slow);
                self.consecutive = if failed { self.consecutive + 1 } else { 0 };
                if self.is_unhealthy(now) {
                    self.trip(now, random, Duration::ZERO);
                }
            }
            (State::HalfOpen { probing }, Outcome::Ignored) => *probing = false,
            (State::HalfOpen { .. }, Outcome::Success | Outcome::Unhurried) if !slow => {
                self.consecutive = 0;
                self.opened = 0;
                self.enter(State::Closed(Window::default()));
            }
            (
                State::HalfOpen { .. },
                Outcome::Success | Outcome::Unhurried | Outcome::Failure | Outcome::Lost,
            ) => {
                self.consecutive += 1;
                self.trip(now, random, Duration::ZERO);
            }
        }
    }

    fn is_unhealthy(&mut self, now: Instant) -> bool {
        let State::Closed(window) = &mut self.state else { return false };
        let seen = window.totals(now);
        let share = |count: u32| f64::from(count) / f64::from(seen.calls.max(1));
        self.consecutive >= self.settings.consecutive_failures
            || seen.calls >= self.settings.minimum_calls
                && (share(seen.failures) >= self.settings.failure_rate
                    || share(seen.slow) >= self.settings.slow_rate)
    }

    /// Opens for the backoff's delay, or for `at_least` where that is longer, as far as that is believed.
    fn trip(&mut self, now: Instant, random: f64, at_least: Duration) {
        self.opened = self.opened.saturating_add(1);
        let delay = self.settings.open.delay(self.opened, random);
        let delay = delay.max(at_least.min(self.settings.longest_refusal));
        self.enter(State::Open { until: now + delay });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
    }

    /// An open breaker whose time is up reads as half-open: its next call is the probe.
    pub(crate) fn state(&self, now: Instant) -> BreakerState {
        match self.state {
            State::Closed(_) => BreakerState::Closed,
            State::Open { until } if now < until => BreakerState::Open,
            State::Open { .. } | State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// The state entered last, whatever the time.
    pub(crate) fn entered(&self) -> BreakerState {
        match self.state {
            State::Closed(_) => BreakerState::Closed,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
            State::Open { .. } => BreakerState::Open,
        }
    }

    /// Failures in the window while closed; since the last success otherwise.
    pub(crate) fn failures(&mut self, now: Instant) -> u32 {
        match &mut self.state {
            State::Closed(window) => window.totals(now).failures,
            State::HalfOpen { .. } | State::Open { .. } => self.consecutive,
        }
    }

    /// Time until the next call is admitted; zero unless open.
    pub(crate) fn retry_in(&self, now: Instant) -> Duration {
        match self.state {
            State::Open { until } => until.saturating_duration_since(now),
            State::Closed(_) | State::HalfOpen { .. } => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests;
