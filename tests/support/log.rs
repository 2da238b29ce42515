//! What a server wrote to its standard error, line by line, as it comes.

use super::PATIENCE;
use serde_json::Value;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One line; lines that are not JSON have no fields.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) raw: String,
    json: Value,
}

impl Line {
    pub(crate) fn message(&self) -> &str {
        self.json["fields"]["message"].as_str().unwrap_or_default()
    }

    /// A field as text; empty when it is absent.
    pub(crate) fn field(&self, name: &str) -> String {
        match &self.json["fields"][name] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// A field of the span it was written in, such as the request's `id`.
    pub(crate) fn span(&self, name: &str) -> String {
        self.json["span"][name].as_str().unwrap_or_default().to_owned()
    }
}

/// Shared with the thread that reads; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<(Mutex<Vec<Line>>, Condvar)>);

impl Log {
    pub(super) fn follow(&self, from: impl Read + Send + 'static) -> JoinHandle<()> {
        let log = self.clone();
        std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut bytes = Vec::new();
            while from.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
                let raw = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                let json = serde_json::from_str(&raw).unwrap_or(Value::Null);
                let (lines, news) = &*log.0;
                lines.lock().expect("the log").push(Line { raw, json });
                news.notify_all();
                bytes.clear();
            }
            log.0.1.notify_all();
        })
    }

    /// Until something is written, or the time is over.
    pub(super) fn wait(&self, at_most: Duration) {
        let (lines, news) = &*self.0;
        drop(news.wait_timeout(lines.lock().expect("the log"), at_most).expect("the log"));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.0.lock().expect("the log").len()
    }

    /// The lines from the given number on.
    pub(crate) fn since(&self, start: usize) -> Vec<Line> {
        self.0.0.lock().expect("the log")[start..].to_vec()
    }

    /// The newest line with this message.
    pub(crate) fn last(&self, message: &str) -> Option<Line> {
        self.since(0).into_iter().rev().find(|line| line.message() == message)
    }

    pub(super) fn whole(&self) -> String {
        self.since(0).into_iter().map(|line| line.raw + "\n").collect()
    }

    pub(crate) fn contains(&self, text: &str) -> bool {
        self.since(0).iter().any(|line| line.raw.contains(text))
    }

    /// Waits for a line, `start` being the log's length before what should cause it.
    #[track_caller]
    pub(crate) fn await_line(&self, start: usize, matches: impl Fn(&Line) -> bool) -> Line {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.since(start).into_iter().find(&matches) {
                return line;
            }
            assert!(Instant::now() < deadline, "no such line came\n{self}");
            self.wait(Duration::from_millis(50));
        }
    }
}

/// The last lines, for a failed test's output.
impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.since(0);
        for line in &lines[lines.len().saturating_sub(40)..] {
            writeln!(f, "{}", line.raw)?;
        }
        Ok(())
    }
}
