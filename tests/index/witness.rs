//! Writers that look for what they wrote, and for what they deleted, on the server that keeps copies, whatever dies meanwhile.

use crate::support::{PATIENCE, Reply, Server, ids};
use crate::world::plan;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Scope;
use std::time::{Duration, Instant};

/// What was looked for, for a test to know that something was.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    pub(crate) all: AtomicUsize,
    pub(crate) in_memory: AtomicUsize,
    /// While PostgreSQL was away.
    pub(crate) degraded: AtomicUsize,
}

/// The token of a write.
pub(crate) fn token(reply: &Value) -> String {
    reply["consistency"].as_str().unwrap_or_else(|| panic!("a token: {reply}")).to_owned()
}

/// Starts `count` of them in the collection `docs`, each with a document of its own; they end when they are told to.
pub(crate) fn start<'s>(
    scope: &'s Scope<'s, '_>,
    (hot, cold): (&'s Server, &'s Server),
    count: usize,
    stop: &'s AtomicBool,
    looks: &'s Looks,
) {
    for writer in 0..count {
        scope.spawn(move || {
            for n in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let (word, id) = (format!("wort{writer}x{n}"), format!("w{writer}"));
                let body = json!({"text": format!("The word is {word}.")});
                // By turns here and there, and here by turns with what the write answered.
                let at = if n % 2 == 0 { cold } else { hot };
                // What is not known to be written, or deleted, may be either; so may be seen what nobody brings a token of.
                let look = |reply: Reply, found| {
                    let reply = Some(reply)
                        .filter(|reply| matches!(reply.status, 200 | 201))
                        .map(|reply| reply.json());
                    let Some(reply) = reply else { return false };
                    let told = reply["consistency"].as_str().filter(|_| n % 4 != 1);
                    if told.is_some() || n % 2 == 1 {
                        let looked = finds(hot, &word, &id, told, looks);
                        assert!(looked.is_none_or(|is| is == found), "{word} of {reply}: {looked:?}");
                    }
                    true
                };
                if look(at.put_document("docs", &id, &body), true) {
                    look(at.delete(&Server::document_path("docs", &id)), false);
                }
            }
        });
    }
}

/// Whether a document's own word finds it. Nobody has to be answered at once, but whoever is gets the truth; without a token
/// none is promised while PostgreSQL is away.
fn finds(server: &Server, word: &str, id: &str, told: Option<&str>, looks: &Looks) -> Option<bool> {
    let mut asked = json!({"query": word, "collections": ["docs"], "mode": "lexical", "top_k": 100});
    if let Some(token) = told {
        asked["consistency"] = json!(token);
    }
    let began = Instant::now();
    loop {
        let reply = server.post("/v1/search", &asked);
        if reply.status == 200 {
            let found = reply.json();
            looks.all.fetch_add(1, Ordering::Relaxed);
            let degraded = found["degraded"].as_array().is_some_and(|stages| !stages.is_empty());
            looks.degraded.fetch_add(usize::from(degraded), Ordering::Relaxed);
            looks.in_memory.fetch_add(usize::from(plan(&found) == Some("hot")), Ordering::Relaxed);
            let is = ids(&found).iter().any(|found| found == id);
            if degraded && told.is_none() {
                return None;
            }
            return Some(is);
        }
        assert!(matches!(reply.status, 503 | 504), "{}", reply.text());
        assert!(began.elapsed() < PATIENCE, "never answered\n{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}
