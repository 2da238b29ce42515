//! As much of LaunchDarkly as its server-side SDKs need: `GET /all`, a stream of events that puts every flag and then patches
//! those that change (<https://docs.launchdarkly.com/sdk/concepts/client-side-server-side>). It is not theirs; the SDK is.

use crate::background::Background;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Lines of a request's head.
const MAX_LINES: usize = 64;

pub struct LaunchDarkly {
    port: u16,
    flags: watch::Sender<Map<String, Value>>,
    heard: Arc<Mutex<Vec<String>>>,
    _background: Background,
}

impl LaunchDarkly {
    /// Answers whoever has the key.
    ///
    /// # Panics
    /// When no port of 127.0.0.1 can be bound.
    #[must_use]
    pub fn start(key: &str) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let port = listener.local_addr().expect("its address").port();
        let (flags, told) = watch::channel(Map::new());
        let (key, heard) = (key.to_owned(), Arc::<Mutex<Vec<String>>>::default());
        let noted = Arc::clone(&heard);
        let background = Background::run("launchdarkly", move || async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                let (told, key, noted) = (told.clone(), key.clone(), Arc::clone(&noted));
                tokio::spawn(async move { drop(serve(stream, told, &key, &noted).await) });
            }
        });
        Self { port, flags, heard, _background: background }
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// First lines of all requests.
    #[must_use]
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Turns a flag for everybody but those contexts (kind and key) that have it the other way.
    pub fn turn(&self, name: &str, on: bool, others: &[(&str, &str)]) {
        let targets: Vec<Value> = others
            .iter()
            .map(|(kind, key)| json!({"contextKind": kind, "values": [key], "variation": usize::from(on)}))
            .collect();
        self.flags.send_modify(|flags| {
            let version = flags.get(name).and_then(|flag| flag["version"].as_u64()).unwrap_or(0) + 1;
            let flag = json!({"key": name, "version": version, "on": true, "variations": [true, false],
                "fallthrough": {"variation": usize::from(!on)}, "offVariation": 1, "targets": [],
                "contextTargets": targets, "rules": [], "prerequisites": [], "salt": "s", "clientSide": false,
                "trackEvents": false, "trackEventsFallthrough": false, "deleted": false});
            flags.insert(name.to_owned(), flag);
        });
    }
}

async fn serve(
    stream: TcpStream,
    mut flags: watch::Receiver<Map<String, Value>>,
    key: &str,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut lines, mut authorized) = (Vec::new(), false);
    for _ in 0..MAX_LINES {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or_default();
        authorized |= name.eq_ignore_ascii_case("authorization") && value.trim() == key;
        lines.push(line.trim_end().to_owned());
    }
    let first = lines.first().cloned().unwrap_or_default();
    heard.lock().unwrap_or_else(PoisonError::into_inner).push(first.clone());
    let status = match (authorized, first.starts_with("GET /all ")) {
        (false, _) => "401 Unauthorized",
        (true, false) => "404 Not Found",
        (true, true) => "200 OK",
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    if status != "200 OK" {
        return Ok(());
    }
    let mut told = flags.borrow_and_update().clone();
    let put = json!({"path": "/", "data": {"flags": told, "segments": {}}});
    stream.write_all(format!("event: put\ndata: {put}\n\n").as_bytes()).await?;
    while flags.changed().await.is_ok() {
        let now = flags.borrow_and_update().clone();
        for (name, flag) in now.iter().filter(|(name, flag)| told.get(*name) != Some(*flag)) {
            let patch = json!({"path": format!("/flags/{name}"), "data": flag});
            stream.write_all(format!("event: patch\ndata: {patch}\n\n").as_bytes()).await?;
        }
        told = now;
    }
    Ok(())
}
