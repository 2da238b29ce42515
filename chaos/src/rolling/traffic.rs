//! The clients of the drill, one kind per way in which a replacement can lose a request.

use super::client::{Connection, Failure, Request};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

pub(crate) const COLLECTION: &str = "drill";
/// Enough that a job is under way for a while.
const DOCUMENTS: usize = 120;
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// How a client uses its connection and what it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One connection, request after request.
    KeepAlive,
    /// A connection per request.
    Fresh,
    /// One connection that is idle most of the time.
    Thinking,
    /// Answers streamed from a chat model that takes its time.
    AnswerStream,
    /// Bulk uploads whose job is followed to its end by its events, on whichever replica.
    JobStream,
}

impl Kind {
    pub const ALL: [Self; 5] =
        [Self::KeepAlive, Self::Fresh, Self::Thinking, Self::AnswerStream, Self::JobStream];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeepAlive => "keep-alive",
            Self::Fresh => "fresh connections",
            Self::Thinking => "think time",
            Self::AnswerStream => "answer streams",
            Self::JobStream => "job streams",
        }
    }

    fn clients(self) -> usize {
        match self {
            Self::KeepAlive => 12,
            Self::Fresh => 6,
            Self::Thinking => 60,
            Self::AnswerStream => 10,
            Self::JobStream => 2,
        }
    }
}

/// What became of one kind's requests.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Tally {
    pub requests: u64,
    pub failed: u64,
    /// Streams that were told to come back, did, and went on where they were.
    pub resumed: u64,
    /// Of those that a release behind a proxy answered: by its name, how many, and how many with a failure.
    pub tracks: BTreeMap<String, (u64, u64)>,
    /// The different ways to fail, each with how often.
    pub failures: BTreeMap<String, u64>,
}

/// All clients at work.
pub(crate) struct Traffic {
    over: Arc<AtomicBool>,
    tallies: Arc<[Mutex<Tally>; 5]>,
    clients: JoinSet<()>,
}

#[derive(Clone)]
struct Client {
    kind: Kind,
    number: usize,
    port: u16,
    over: Arc<AtomicBool>,
    tallies: Arc<[Mutex<Tally>; 5]>,
    degrade: &'static str,
}

impl Traffic {
    pub(crate) fn start(port: u16) -> Self {
        Self::of(port, &Kind::ALL, "allow")
    }

    /// Of some kinds of clients alone; with `degrade` as their requests have it.
    pub(crate) fn of(port: u16, kinds: &[Kind], degrade: &'static str) -> Self {
        let (over, tallies) = (Arc::<AtomicBool>::default(), Arc::<[Mutex<Tally>; 5]>::default());
        let mut clients = JoinSet::new();
        for &kind in kinds {
            for number in 0..kind.clients() {
                let (over, tallies) = (Arc::clone(&over), Arc::clone(&tallies));
                clients.spawn(Client { kind, number, port, over, tallies, degrade }.run());
            }
        }
        Self { over, tallies, clients }
    }

    /// Lets every client finish what it is at.
    pub(crate) async fn finish(mut self) -> BTreeMap<Kind, Tally> {
        self.over.store(true, Ordering::Relaxed);
        while self.clients.join_next().await.is_some() {}
        let tally =
            |kind: Kind| self.tallies[kind as usize].lock().unwrap_or_else(PoisonError::into_inner).clone();
        Kind::ALL.into_iter().map(|kind| (kind, tally(kind))).collect()
    }
}

impl Client {
    async fn run(self) {
        let mut connection = Connection::to(self.port);
        let mut round = self.number;
        while !self.over.load(Ordering::Relaxed) {
            round += 1;
            match self.kind {
                Kind::KeepAlive => self.one(&mut connection, round, Duration::from_millis(10)).await,
                Kind::Fresh => {
                    connection.close();
                    self.one(&mut connection, round, Duration::from_millis(20)).await;
                }
                Kind::Thinking => {
                    let pause = 100 + u64::try_from(round * 7919 % 1400).unwrap_or(0);
                    self.one(&mut connection, round, Duration::from_millis(pause)).await;
                }
                Kind::AnswerStream => self.answer(&mut connection, round).await,
                Kind::JobStream => self.job(&mut connection).await,
            }
        }
    }

    fn count(&self, track: &str, outcome: Result<(), &Failure>) {
        let mut tally = self.tallies[self.kind as usize].lock().unwrap_or_else(PoisonError::into_inner);
        tally.requests += 1;
        if !track.is_empty() {
            let (requests, failed) = tally.tracks.entry(track.to_owned()).or_default();
            (*requests, *failed) = (*requests + 1, *failed + u64::from(outcome.is_err()));
        }
        if let Err(failure) = outcome {
            tally.failed += 1;
            *tally.failures.entry(failure.to_string()).or_default() += 1;
        }
    }

    fn resumed(&self) {
        self.tallies[self.kind as usize].lock().unwrap_or_else(PoisonError::into_inner).resumed += 1;
    }

    async fn one(&self, connection: &mut Connection, round: usize, pause: Duration) {
        let body = json!({"query": format!("harbour number {}", round % 10), "collections": [COLLECTION],
            "degrade": self.degrade});
        let request = Request { line: "POST /v1/search", headers: JSON, body: &body.to_string() };
        let outcome = connection.ask(&request, |_| {}).await;
        self.count(&connection.track, outcome.as_ref().map(|_| ()));
        tokio::time::sleep(pause).await;
    }

    async fn answer(&self, connection: &mut Connection, round: usize) {
        let question = format!("What does the harbour number {} keep?", round % 10);
        let body = json!({"question": question, "collections": [COLLECTION], "stream": true,
            "degrade": self.degrade});
        let request = Request { line: "POST /v1/answers", headers: JSON, body: &body.to_string() };
        let streamed = connection.ask(&request, |_| {}).await;
        let whole = streamed.and_then(|events| {
            if events.contains("event: done\n") {
                Ok(())
            } else {
                Err(Failure::Cut("the answer has no end".to_owned()))
            }
        });
        self.count(&connection.track, whole.as_ref().copied());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    /// Uploads, and follows the job until every document is searchable: what was acknowledged is done.
    async fn job(&self, connection: &mut Connection) {
        static UPLOADS: AtomicU64 = AtomicU64::new(0);
        let upload = UPLOADS.fetch_add(1, Ordering::Relaxed);
        let line = format!("POST /v1/collections/{COLLECTION}/documents");
        let headers = &[("content-type", "application/x-ndjson")];
        let body = documents(&format!("c{}-", self.number), upload);
        let accepted = connection.ask(&Request { line: &line, headers, body: &body }, |_| {}).await;
        self.count(&connection.track, accepted.as_ref().map(|_| ()));
        let Ok(receipt) = accepted else { return };
        let receipt: Value = serde_json::from_str(&receipt).unwrap_or_default();
        let Some(job) = receipt["job"].as_str() else { return };
        let line = format!("GET /v1/jobs/{job}/events");
        let mut last = String::new();
        loop {
            let headers: &[(&str, &str)] = if last.is_empty() { &[] } else { &[("last-event-id", &last)] };
            let mut seen = last.clone();
            let watch = |piece: &str| {
                for id in piece.lines().filter_map(|line| line.strip_prefix("id: ")) {
                    id.clone_into(&mut seen);
                }
            };
            let streamed = connection.ask(&Request { line: &line, headers, body: "" }, watch).await;
            let resumes = !last.is_empty();
            last = seen;
            match streamed {
                Ok(events) if events.contains("event: done\n") => {
                    let all = events.contains("\"status\":\"succeeded\"");
                    let lost = Failure::Cut("the job has not succeeded".to_owned());
                    self.count(&connection.track, if all { Ok(()) } else { Err(&lost) });
                    if resumes {
                        self.resumed();
                    }
                    return;
                }
                // Told to come back; on which replica, the proxy decides.
                Ok(events) if events.contains("retry: ") => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Ok(_) => {
                    let failure = Failure::Cut("the stream just ended".to_owned());
                    return self.count(&connection.track, Err(&failure));
                }
                Err(failure) => return self.count(&connection.track, Err(&failure)),
            }
        }
    }
}

/// A bulk upload, in an edition of its own so that it is work.
pub(crate) fn documents(prefix: &str, edition: u64) -> String {
    let line = |n: usize| {
        let text =
            format!("The harbour number {} keeps its tide tables. Edition {edition} of report {n}.", n % 10);
        json!({"external_id": format!("{prefix}{n}"), "text": text}).to_string()
    };
    (0..DOCUMENTS).map(line).collect::<Vec<_>>().join("\n")
}
