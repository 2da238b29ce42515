//! A model server: OpenAI-shaped chat completions and embeddings, and reranking, over real HTTP.
//!
//! Healthy, it does what such a server does, simply: the chat model quotes sentences of the given
//! passages and cites them, embeddings are hashed words, the reranker counts common words. Each of
//! the three can be told at run time to misbehave, for new requests and for those that wait.
//!
//! * A script of replies ([`Model::next`]) takes precedence over the standing behaviour.
//! * Bounded: heads of 16 KiB, bodies of 8 MiB, 1,024 connections; the newest 256 requests are kept.
//! * Dropping it refuses connections from then on.

mod chat;
mod embeddings;
mod http;
mod rerank;
mod serve;

use crate::background::Background;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Numbers of an embedding.
pub const DIMENSIONS: usize = 384;
const REMEMBERED: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Chat,
    Embeddings,
    Rerank,
}

impl Endpoint {
    pub const ALL: [Self; 3] = [Self::Chat, Self::Embeddings, Self::Rerank];
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Behaviour {
    #[default]
    Healthy,
    /// An error's body; 429 comes with `Retry-After: 1`.
    Status(u16),
    /// 200 with bytes that are no JSON.
    Garbage,
    /// The beginning of a good reply, then the connection ends.
    Half,
    /// Not a byte, until the client gives up or the behaviour changes.
    Silent,
    /// A good reply that comes later by this much.
    Slow(Duration),
}

/// A scripted reply of the chat model.
#[derive(Debug, Clone)]
pub enum Reply {
    /// These deltas, then the usage and the end.
    Whole(Vec<String>),
    /// These deltas, then the connection is closed in the middle of the stream.
    Cut(Vec<String>),
    /// These deltas, then silence until the client closes its connection.
    Silence(Vec<String>),
    /// No byte at all until the client closes its connection.
    Hang,
    Status(u16),
}

impl Reply {
    #[must_use]
    pub fn whole(deltas: &[&str]) -> Self {
        Self::Whole(owned(deltas))
    }

    #[must_use]
    pub fn cut(deltas: &[&str]) -> Self {
        Self::Cut(owned(deltas))
    }

    #[must_use]
    pub fn silence(deltas: &[&str]) -> Self {
        Self::Silence(owned(deltas))
    }
}

fn owned(deltas: &[&str]) -> Vec<String> {
    deltas.iter().map(|delta| (*delta).to_owned()).collect()
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub line: String,
    pub authorization: String,
    /// `traceparent` and `uber-trace-id`, as they came.
    pub traces: [String; 2],
    pub body: Value,
}

#[derive(Debug)]
struct Shared {
    behaviours: [watch::Sender<Behaviour>; 3],
    replies: Mutex<VecDeque<Reply>>,
    asked: Mutex<VecDeque<Asked>>,
    requests: [AtomicUsize; 3],
    /// How often each text was to be embedded.
    embedded: Mutex<HashMap<String, usize>>,
    /// Connections the client closed while we were still writing or silent.
    left: AtomicUsize,
    /// How long a healthy reply takes.
    pace: Pace,
}

/// How long healthy replies take: the chat model until its first word, the others in all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    pub chat: Duration,
    pub embeddings: Duration,
    pub rerank: Duration,
}

/// A running model server.
#[derive(Debug)]
pub struct Model {
    address: SocketAddr,
    shared: Arc<Shared>,
    _background: Background,
}

impl Model {
    /// One that answers as fast as it can.
    #[must_use]
    pub fn start() -> Self {
        Self::paced(Pace::default())
    }

    /// # Panics
    /// When no port of 127.0.0.1 can be bound.
    #[must_use]
    pub fn paced(pace: Pace) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            behaviours: [(); 3].map(|()| watch::Sender::default()),
            replies: Mutex::default(),
            asked: Mutex::default(),
            requests: Default::default(),
            embedded: Mutex::default(),
            left: AtomicUsize::new(0),
            pace,
        });
        let state = Arc::clone(&shared);
        let background = Background::run("chaos-model", move || async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            serve::accept(listener, state).await;
        });
        Self { address, shared, _background: background }
    }

    /// The base URL, up to and including `/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// From now on, also for requests that wait.
    pub fn set(&self, endpoint: Endpoint, behaviour: Behaviour) {
        self.shared.behaviours[endpoint as usize].send_replace(behaviour);
    }

    pub fn heal(&self) {
        for endpoint in Endpoint::ALL {
            self.set(endpoint, Behaviour::Healthy);
        }
    }

    /// Scripts the chat model's next reply.
    pub fn next(&self, reply: Reply) {
        lock(&self.shared.replies).push_back(reply);
    }

    /// The newest requests, oldest first.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).iter().cloned().collect()
    }

    /// Requests so far.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.shared.requests[endpoint as usize].load(Ordering::SeqCst)
    }

    /// Texts holding these words that were to be embedded so far: different ones, and all.
    #[must_use]
    pub fn embedded(&self, words: &str) -> (usize, usize) {
        let texts = lock(&self.shared.embedded);
        let times = texts.iter().filter(|(text, _)| text.contains(words)).map(|(_, times)| *times);
        (times.clone().count(), times.sum())
    }

    /// Connections the client closed while we were still writing or silent.
    #[must_use]
    pub fn left(&self) -> usize {
        self.shared.left.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn remember(&self, endpoint: Endpoint, asked: Asked) {
        self.requests[endpoint as usize].fetch_add(1, Ordering::SeqCst);
        for text in asked.body["input"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            *lock(&self.embedded).entry(text.to_owned()).or_default() += 1;
        }
        let mut all = lock(&self.asked);
        if all.len() == REMEMBERED {
            all.pop_front();
        }
        all.push_back(asked);
    }

    fn lost(&self) {
        self.left.fetch_add(1, Ordering::SeqCst);
    }

    fn scripted(&self) -> Option<Reply> {
        lock(&self.replies).pop_front()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The words of a text, lower case.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
#[path = "model/tests.rs"]
mod tests;
