//! The load: closed-loop clients on one keep-alive connection each.
//!
//! They share the cores with the server, as pgbench's clients do, so they do as little as those: a
//! blocking socket, a prepared body, a look at the status and at the end of the answer.

use super::requests::unique;
use anyhow::{Context, Result, bail, ensure};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(30);
/// Numbers that no earlier request of the process had; 0 is for those outside this file.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What a cell of the table shows.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub(super) struct Measured {
    pub(super) qps: f64,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
}

impl Measured {
    pub(super) fn of(mut millis: Vec<f64>, seconds: f64) -> Self {
        millis.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (millis.len() as f64 * share).ceil() as usize;
            millis.get(place.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { qps: millis.len() as f64 / seconds, p50_ms: at(0.5), p95_ms: at(0.95) }
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
}

impl Expect {
    fn close(self, open: &str) -> String {
        match self {
            Self::Fresh => unique(open, NEXT.fetch_add(1, Ordering::Relaxed)),
            Self::Cached => open.to_owned(),
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
    let stop = Stop(Arc::default());
    let from = Instant::now() + warm_up;
    let client = |number: usize| {
        let (address, bodies, stop) = (address.to_owned(), Arc::clone(bodies), Arc::clone(&stop.0));
        tokio::task::spawn_blocking(move || {
            ask_until(&address, &bodies, expect, number, from..from + measured, &stop)
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

fn ask_until(
    address: &str,
    bodies: &[String],
    expect: Expect,
    client: usize,
    counted: std::ops::Range<Instant>,
    stop: &AtomicBool,
) -> Result<Vec<f64>> {
    let mut connection = Connection::open(address)?;
    let mut millis = Vec::new();
    let mut at = client * 37; // no two clients ask the same at once
    while !stop.load(Ordering::Relaxed) {
        let body = expect.close(&bodies[at % bodies.len()]);
        at += 1;
        let began = Instant::now();
        connection.search(&body, expect)?;
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

struct Connection {
    stream: TcpStream,
    head: String,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("no answer from {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let head =
            format!("POST /v1/search HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
        Ok(Self { stream, head, buffer: vec![0; 1 << 20] })
    }

    fn search(&mut self, body: &str, expect: Expect) -> Result<()> {
        let request = format!("{}content-length: {}\r\n\r\n{body}", self.head, body.len());
        self.stream.write_all(request.as_bytes())?;
        let mut filled = 0;
        let mut whole = None;
        while whole.is_none_or(|length| filled < length) {
            let read = self.stream.read(&mut self.buffer[filled..])?;
            ensure!(read > 0, "the server closed the connection, or its answer is too long");
            filled += read;
            if whole.is_none() {
                whole = length_of(&self.buffer[..filled])?;
            }
        }
        check(&self.buffer[..filled], expect)
    }
}

/// The length of head and body together, once the head is complete.
fn length_of(answer: &[u8]) -> Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end]).context("the answer's head is not text")?;
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok(Some(end + 4 + value.trim().parse::<usize>()?));
        }
    }
    bail!("an answer without its length")
}

/// Only full answers of the expected kind count: those of a fallback would flatter.
fn check(answer: &[u8], expect: Expect) -> Result<()> {
    ensure!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer[..answer.len().min(400)])
    );
    let tail = String::from_utf8_lossy(&answer[answer.len().saturating_sub(400)..]);
    match expect {
        Expect::Fresh => ensure!(tail.contains("\"cached\":false"), "an answer came from the cache"),
        Expect::Cached => ensure!(tail.contains("\"cached\":true"), "an answer did not come from the cache"),
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
    fn an_answers_length_is_known_once_its_head_is_complete() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(length_of(&answer[..20]).unwrap(), None);
        assert_eq!(length_of(answer).unwrap(), Some(answer.len()));
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
