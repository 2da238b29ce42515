//! The load: closed-loop clients on one keep-alive connection each.
//!
//! They look at the status and at the end of each answer.

use super::requests::{closed, numbered, takes_number, unique};
use super::wire::Connection;
use anyhow::{Context, Result, ensure};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SEARCH: &str = "/v1/search";
/// Numbers that no earlier request of the process had; 0 is for those outside this file.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What a cell of the table shows.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub(super) struct Measured {
    pub(super) qps: f64,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
}

impl Measured {
    pub(super) fn of(mut millis: Vec<f64>, seconds: f64) -> Self {
        millis.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (millis.len() as f64 * share).ceil() as usize;
            millis.get(place.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { qps: millis.len() as f64 / seconds, p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99) }
    }
}

/// Stops the clients when the one who waits for them has gone.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Which answers count: those of a cache would flatter where it is not meant, and the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// Each request is new to the cache; bodies lack their closing brace.
    Fresh,
    /// Each body has been asked before.
    Cached,
    /// Each request is new, as its number makes it; bodies lack their closing brace. The answer is of another kind.
    Numbered,
    /// Another server's answer to its own kind of request.
    Foreign,
}

/// One that no earlier request had.
pub(super) fn number() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Expect {
    /// `with_number`: these bodies take a number.
    fn close(self, open: &str, with_number: bool) -> String {
        match self {
            Self::Fresh if with_number => unique(open, number()),
            Self::Fresh => closed(open, number()),
            Self::Numbered => numbered(open, number()) + "}",
            Self::Cached | Self::Foreign => open.to_owned(),
        }
    }
}

/// Asks for `warm_up` without counting and for `measured` with.
pub(super) async fn drive(
    address: &str,
    bodies: &Arc<Vec<String>>,
    expect: Expect,
    clients: usize,
    warm_up: Duration,
    measured: Duration,
) -> Result<Measured> {
    drive_at(address, SEARCH, bodies, expect, clients, warm_up, measured).await
}

/// The same at another path.
pub(super) async fn drive_at(
    address: &str,
    path: &str,
    bodies: &Arc<Vec<String>>,
    expect: Expect,
    clients: usize,
    warm_up: Duration,
    measured: Duration,
) -> Result<Measured> {
    let stop = Stop(Arc::default());
    let from = Instant::now() + warm_up;
    let client = |number: usize| {
        let (address, path) = (address.to_owned(), path.to_owned());
        let (bodies, stop) = (Arc::clone(bodies), Arc::clone(&stop.0));
        tokio::task::spawn_blocking(move || {
            let connection = Connection::open(&address)?;
            ask_until(connection, &path, &bodies, expect, number, from..from + measured, &stop)
        })
    };
    let tasks: Vec<_> = (0..clients).map(client).collect();
    let mut millis = Vec::new();
    for task in tasks {
        millis.extend(task.await.context("a client panicked")??);
    }
    ensure!(!millis.is_empty(), "no search was answered in time");
    Ok(Measured::of(millis, measured.as_secs_f64()))
}

/// The times of `count` searches, one after the other.
pub(super) fn one_by_one(address: &str, bodies: &[String], count: usize) -> Result<Vec<f64>> {
    let mut connection = Connection::open(address)?;
    let mut millis = Vec::new();
    for open in bodies.iter().take(count) {
        let body = Expect::Fresh.close(open, takes_number(open));
        let began = Instant::now();
        check(connection.ask("POST", SEARCH, &body)?, Expect::Fresh)?;
        millis.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(millis)
}

fn ask_until(
    mut connection: Connection,
    path: &str,
    bodies: &[String],
    expect: Expect,
    client: usize,
    counted: std::ops::Range<Instant>,
    stop: &AtomicBool,
) -> Result<Vec<f64>> {
    let mut millis = Vec::new();
    let mut at = client * 37; // no two clients ask the same at once
    let with_number = bodies.iter().any(|open| takes_number(open));
    while !stop.load(Ordering::Relaxed) {
        let body = expect.close(&bodies[at % bodies.len()], with_number);
        at += 1;
        let began = Instant::now();
        check(connection.ask("POST", path, &body)?, expect)?;
        let ended = Instant::now();
        if ended > counted.end {
            break;
        }
        if began >= counted.start {
            millis.push((ended - began).as_secs_f64() * 1e3);
        }
    }
    Ok(millis)
}

/// Only full answers of the expected kind count: those of a fallback would flatter.
fn check(answer: &[u8], expect: Expect) -> Result<()> {
    ensure!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer[..answer.len().min(400)])
    );
    if matches!(expect, Expect::Foreign | Expect::Numbered) {
        return Ok(());
    }
    let tail = String::from_utf8_lossy(&answer[answer.len().saturating_sub(400)..]);
    match expect {
        Expect::Fresh => ensure!(tail.contains("\"cached\":false"), "an answer came from the cache"),
        Expect::Cached => ensure!(tail.contains("\"cached\":true"), "an answer did not come from the cache"),
        Expect::Foreign | Expect::Numbered => {}
    }
    ensure!(tail.contains("\"degraded\":[]"), "an answer was degraded");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let measured = Measured::of((1..=100).rev().map(f64::from).collect(), 2.0);
        assert!((measured.qps - 50.0).abs() < 1e-9);
        assert!((measured.p50_ms - 50.0).abs() < 1e-9 && (measured.p95_ms - 95.0).abs() < 1e-9);
    }

    #[test]
    fn answers_that_are_errors_cached_or_degraded_do_not_count() {
        let good = b"HTTP/1.1 200 OK\r\n\r\n{\"degraded\":[],\"cached\":false}";
        assert!(check(good, Expect::Fresh).is_ok());
        assert!(check(good, Expect::Cached).is_err());
        for bad in [
            &b"HTTP/1.1 503 Service Unavailable\r\n\r\n{\"degraded\":[],\"cached\":false}"[..],
            b"HTTP/1.1 200 OK\r\n\r\n{\"degraded\":[],\"cached\":true}",
            b"HTTP/1.1 200 OK\r\n\r\n{\"degraded\":[{}],\"cached\":false}",
        ] {
            assert!(check(bad, Expect::Fresh).is_err());
        }
    }
}
