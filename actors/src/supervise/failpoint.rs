//! Faults on purpose, for tests and the chaos table. Compiled in only with the feature `failpoints`,
//! which no release has.
//!
//! A point is named `<actor>::<point>`. Every actor passes two without code of its own: `job` when
//! the work of a call begins, and `life` shortly after an incarnation has started and whenever the
//! point is armed. Background work passes others by [`super::Lifeline::failpoint`].
//!
//! The points are the process's, not a tree's: they are armed from outside by name.

use serde::Serialize;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The work panics, in the future of a call or in a task of the service.
    Panic,
    /// The actor's own handler panics, outside any call's work.
    Crash,
    /// The arbiter's thread is blocked for this long.
    Wedge(Duration),
    /// The actor takes nothing more out of its mailbox, though its thread runs.
    Stall,
    /// The actix context stops though nobody asked it to.
    Stop,
    /// The arbiter is stopped with all that runs on it.
    Kill,
    /// The service asks for its own replacement.
    Error,
}

/// A fault, and how often: `panic`, `panic:1000`, `wedge:5000` (milliseconds), `wedge:5000:3`, `off`;
/// without a number of times until it is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub fault: Fault,
    pub times: Option<u64>,
}

impl Plan {
    /// `None` is `off`.
    ///
    /// # Errors
    /// What the text should have been.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        let mut parts = text.trim().split(':');
        let word = parts.next().unwrap_or_default();
        let mut number = || parts.next().map(u64::from_str).transpose().map_err(|error| error.to_string());
        let fault = match word {
            "off" => return Ok(None),
            "panic" => Fault::Panic,
            "crash" => Fault::Crash,
            "wedge" => Fault::Wedge(Duration::from_millis(number()?.ok_or("wedge:MILLISECONDS")?)),
            "stall" => Fault::Stall,
            "stop" => Fault::Stop,
            "kill" => Fault::Kill,
            "error" => Fault::Error,
            _ => {
                return Err(
                    "one of panic, crash, wedge:MS, stall, stop, kill, error, each with :TIMES; or off"
                        .into(),
                );
            }
        };
        Ok(Some(Self { fault, times: number()? }))
    }
}

/// A point that was armed at least once.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    pub name: String,
    /// The plan in words; `off` when nothing is armed.
    pub armed: String,
    /// Times still to come; absent: until it is switched off.
    pub left: Option<u64>,
    /// How often it has struck in all.
    pub fired: u64,
}

#[derive(Default)]
struct State {
    plan: Option<Plan>,
    fired: u64,
}

static POINTS: Mutex<BTreeMap<String, State>> = Mutex::new(BTreeMap::new());
/// Wakes those who pass a point without being called: `life`.
static ARMED: Notify = Notify::const_new();

fn points() -> MutexGuard<'static, BTreeMap<String, State>> {
    POINTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Arms a point, or switches it off; its count of strikes goes on.
pub fn arm(name: &str, plan: Option<Plan>) {
    points().entry(name.to_owned()).or_default().plan = plan;
    ARMED.notify_waiters();
}

/// Every point that was ever armed, by name.
#[must_use]
pub fn status() -> Vec<Point> {
    let describe = |(name, state): (&String, &State)| Point {
        name: name.clone(),
        armed: state.plan.map_or_else(|| "off".to_owned(), |plan| format!("{:?}", plan.fault)),
        left: state.plan.and_then(|plan| plan.times),
        fired: state.fired,
    };
    points().iter().map(describe).collect()
}

/// The fault of this moment, counted as struck.
pub(super) fn take(actor: &str, point: &str) -> Option<Fault> {
    let mut points = points();
    let state = points.get_mut(&format!("{actor}::{point}"))?;
    let plan = state.plan.as_mut()?;
    let fault = plan.fault;
    if let Some(times) = &mut plan.times {
        *times = times.saturating_sub(1);
        if *times == 0 {
            state.plan = None;
        }
    }
    state.fired += 1;
    tracing::debug!(actor, point, ?fault, "failpoint");
    Some(fault)
}

/// The part of a fault that happens inside the work itself.
pub(super) fn strike(fault: Option<Fault>) {
    match fault {
        Some(Fault::Panic) => panic!("failpoint"),
        Some(Fault::Wedge(time)) => std::thread::sleep(time),
        Some(Fault::Crash | Fault::Stall | Fault::Stop | Fault::Kill | Fault::Error) | None => {}
    }
}

/// Resolves when `life` of the actor is to strike.
pub(super) async fn life(actor: &str) -> Fault {
    // Long enough for an incarnation to answer some calls between two strikes.
    tokio::time::sleep(Duration::from_millis(10)).await;
    loop {
        let armed = std::pin::pin!(ARMED.notified());
        if let Some(fault) = take(actor, "life") {
            return fault;
        }
        armed.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_from_a_word_a_time_and_a_number_of_times() {
        let plan = |fault, times| Ok(Some(Plan { fault, times }));
        assert_eq!(Plan::parse("panic:1000"), plan(Fault::Panic, Some(1000)));
        assert_eq!(Plan::parse("stop\n"), plan(Fault::Stop, None));
        assert_eq!(Plan::parse("wedge:50:3"), plan(Fault::Wedge(Duration::from_millis(50)), Some(3)));
        assert_eq!(Plan::parse("off"), Ok(None));
        for wrong in ["", "wedge", "panic:often", "explode"] {
            assert!(Plan::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_point_strikes_as_often_as_it_was_armed_for_and_counts() {
        arm("unit::job", Plan::parse("error:2").unwrap());
        assert_eq!(
            [take("unit", "job"), take("unit", "job"), take("unit", "job")],
            [Some(Fault::Error), Some(Fault::Error), None]
        );
        let point = status().into_iter().find(|point| point.name == "unit::job").unwrap();
        assert_eq!((point.fired, point.armed.as_str()), (2, "off"));
    }
}
