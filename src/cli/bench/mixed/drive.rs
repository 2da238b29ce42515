//! The open loop: a request is sent when it is due, by the next connection that is free.

use super::plan::{Class, Plan};
use crate::cli::bench::wire::{Connection, status_of};
use anyhow::{Context, Result};
use indicatif::ProgressBar;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Whole,
    Cached,
    /// Answered with less than all stages.
    Degraded,
    /// No answer, or one that is an error: its status, 0 where there is none.
    Failed(u16),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// Its place in the plan.
    pub(super) request: usize,
    /// From when it was due until its answer was whole.
    pub(super) millis: f32,
    pub(super) outcome: Outcome,
}

impl Call {
    pub(super) fn good(&self) -> bool {
        !matches!(self.outcome, Outcome::Failed(_))
    }
}

/// Stops the connections when the one who waits for them has gone.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends all of the plan; the calls in no particular order.
pub(super) async fn drive(
    address: &str,
    plan: &Arc<Plan>,
    connections: usize,
    bar: &ProgressBar,
) -> Result<Vec<Call>> {
    let stop = Stop(Arc::default());
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now() + Duration::from_millis(200);
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let (address, plan, next) = (address.to_owned(), Arc::clone(plan), Arc::clone(&next));
            let (stop, bar) = (Arc::clone(&stop.0), bar.clone());
            tokio::task::spawn_blocking(move || send_all(&address, &plan, &next, start, &stop, &bar))
        })
        .collect();
    let mut calls = Vec::with_capacity(plan.len());
    for task in tasks {
        calls.extend(task.await.context("a connection's thread panicked")?);
    }
    Ok(calls)
}

fn send_all(
    address: &str,
    plan: &Plan,
    next: &AtomicUsize,
    start: Instant,
    stop: &AtomicBool,
    bar: &ProgressBar,
) -> Vec<Call> {
    let mut connection = Connection::open(address).ok();
    let mut calls = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some((due, class)) = plan.due(number) else { break };
        let request = plan.request(number);
        let due = start + Duration::from_secs_f64(due);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if connection.is_none() {
            connection = Connection::open(address).ok();
        }
        let answer = connection.as_mut().map(|one| one.ask(request.method, &request.path, &request.body));
        let outcome = match answer {
            Some(Ok(answer)) => read(answer, class),
            Some(Err(_)) | None => Outcome::Failed(0),
        };
        if outcome == Outcome::Failed(0) {
            connection = None;
        }
        calls.push(Call { request: number, millis: due.elapsed().as_secs_f32() * 1e3, outcome });
        if number.is_multiple_of(1000) {
            bar.set_position(number as u64);
        }
    }
    calls
}

/// Answers and their searches have `degraded` and `cached` at their end, after the texts.
fn read(answer: &[u8], class: Class) -> Outcome {
    let status = status_of(answer);
    if !(200..300).contains(&status) {
        return Outcome::Failed(status);
    }
    let tail = String::from_utf8_lossy(&answer[answer.len().saturating_sub(500)..]);
    match class {
        Class::Read | Class::Write => Outcome::Whole,
        _ if !tail.contains("\"degraded\":[]") => Outcome::Degraded,
        _ if tail.contains("\"cached\":true") => Outcome::Cached,
        _ => Outcome::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_by_its_status_and_by_what_it_says_of_itself() {
        let whole = b"HTTP/1.1 200 OK\r\n\r\n{\"degraded\":[],\"cached\":false}";
        let cached = b"HTTP/1.1 200 OK\r\n\r\n{\"degraded\":[],\"cached\":true}";
        let less = b"HTTP/1.1 200 OK\r\n\r\n{\"degraded\":[{}],\"cached\":true}";
        let refused = b"HTTP/1.1 503 Service Unavailable\r\n\r\n{}";
        assert_eq!(read(whole, Class::New), Outcome::Whole);
        assert_eq!(read(cached, Class::New), Outcome::Cached);
        assert_eq!(read(less, Class::New), Outcome::Degraded);
        assert_eq!(read(refused, Class::Write), Outcome::Failed(503));
    }
}
