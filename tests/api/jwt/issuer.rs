//! Whoever publishes keys, over real HTTP, in every mood.

use super::sign::Signer;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Debug, Clone)]
pub(super) enum Mood {
    /// Publishes these bytes, good for so many seconds.
    Keys {
        body: String,
        max_age: Option<u64>,
    },
    Status(u16),
    /// Accepts a connection, and says nothing for so long.
    Silent(Duration),
    /// Sends more and more.
    Endless,
    Garbage,
    /// Says that the keys are elsewhere.
    Redirect(String),
}

struct Inner {
    mood: Mood,
    fetches: usize,
}

pub(super) struct Issuer {
    pub(super) url: String,
    inner: Arc<Mutex<Inner>>,
}

impl Issuer {
    pub(super) fn start(signers: &[&Signer]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let url = format!("http://{}/jwks.json", listener.local_addr().expect("its address"));
        let inner = Arc::new(Mutex::new(Inner { mood: keys(signers, None), fetches: 0 }));
        let shared = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || answer(&stream, &shared));
            }
        });
        Self { url, inner }
    }

    pub(super) fn publish(&self, signers: &[&Signer]) {
        self.be(keys(signers, None));
    }

    pub(super) fn publish_for(&self, signers: &[&Signer], max_age: u64) {
        self.be(keys(signers, Some(max_age)));
    }

    pub(super) fn be(&self, mood: Mood) {
        self.inner.lock().expect("no panic").mood = mood;
    }

    pub(super) fn fetches(&self) -> usize {
        self.inner.lock().expect("no panic").fetches
    }
}

fn keys(signers: &[&Signer], max_age: Option<u64>) -> Mood {
    let keys: Vec<_> = signers.iter().map(|one| one.jwk()).collect();
    Mood::Keys { body: json!({ "keys": keys }).to_string(), max_age }
}

/// One request of a connection; the client may hang up at any time.
fn answer(stream: &TcpStream, shared: &Mutex<Inner>) {
    let (mut reader, mut line) = (BufReader::new(stream), String::new());
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let mood = {
        let mut inner = shared.lock().expect("no panic");
        inner.fetches += 1;
        inner.mood.clone()
    };
    let whole = |status: &str, header: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\n{header}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let text = match mood {
        Mood::Keys { body, max_age } => {
            let header =
                max_age.map(|age| format!("cache-control: public, max-age={age}\r\n")).unwrap_or_default();
            whole("200 OK", &header, &body)
        }
        Mood::Status(status) => whole(&format!("{status} x"), "", ""),
        Mood::Silent(time) => {
            std::thread::sleep(time);
            return;
        }
        Mood::Endless => {
            let mut stream = stream;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"keys\":[");
            while stream.write_all(&[b' '; 65_536]).is_ok() {}
            return;
        }
        Mood::Garbage => whole("200 OK", "content-type: text/html\r\n", "<html>Sign in</html>"),
        Mood::Redirect(to) => whole("302 Found", &format!("location: {to}\r\n"), ""),
    };
    let mut stream = stream;
    let _ = stream.write_all(text.as_bytes());
}
