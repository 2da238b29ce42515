//! A small HTTP server that speaks the streaming chat completions API, and fails on demand.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How the next request is answered.
#[derive(Clone, Debug)]
pub(super) enum Reply {
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
    pub(super) fn whole(deltas: &[&str]) -> Self {
        Self::Whole(owned(deltas))
    }

    pub(super) fn cut(deltas: &[&str]) -> Self {
        Self::Cut(owned(deltas))
    }

    pub(super) fn silence(deltas: &[&str]) -> Self {
        Self::Silence(owned(deltas))
    }
}

fn owned(deltas: &[&str]) -> Vec<String> {
    deltas.iter().map(|delta| (*delta).to_owned()).collect()
}

#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) line: String,
    pub(super) authorization: String,
    pub(super) body: Value,
}

#[derive(Default)]
struct Shared {
    replies: Mutex<VecDeque<Reply>>,
    asked: Mutex<Vec<Asked>>,
    /// Connections the client closed while we were still writing or silent.
    left: AtomicUsize,
    closing: AtomicBool,
}

pub(super) struct Api {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Api {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its port").port();
        let shared = Arc::new(Shared::default());
        let state = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if state.closing.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(&state, stream));
            }
        });
        Self { port, shared, acceptor: Some(acceptor) }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    pub(super) fn next(&self, reply: Reply) {
        self.shared.replies.lock().expect("replies").push_back(reply);
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("asked").clone()
    }

    pub(super) fn left(&self) -> usize {
        self.shared.left.load(Ordering::SeqCst)
    }
}

/// From then on connections are refused.
impl Drop for Api {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// One request per connection.
fn serve(state: &Shared, stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let Some(asked) = read_request(&mut reader) else { return };
    state.asked.lock().expect("asked").push(asked);
    let reply = state.replies.lock().expect("replies").pop_front().unwrap_or(Reply::Status(404));
    let mut writer = stream;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let deltas = match &reply {
        Reply::Status(status) => {
            let body = r#"{"error":{"message":"sk-test-4f1c9d2e7b is not welcome here"}}"#;
            let _ = write!(
                writer,
                "HTTP/1.1 {status} Refused\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            return;
        }
        Reply::Hang => return wait_for_end(state, &mut reader),
        Reply::Whole(deltas) | Reply::Cut(deltas) | Reply::Silence(deltas) => deltas,
    };
    let _ = writer.write_all(head.as_bytes());
    for delta in deltas {
        let event = json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": delta}}]});
        if chunk(&mut writer, &format!("data: {event}\n\n")).is_err() {
            state.left.fetch_add(1, Ordering::SeqCst);
            return;
        }
    }
    match reply {
        Reply::Whole(_) => {
            let usage = json!({"choices": [], "usage": {"prompt_tokens": 120, "completion_tokens": 24}});
            let _ = chunk(&mut writer, &format!("data: {usage}\n\ndata: [DONE]\n\n"));
            let _ = writer.write_all(b"0\r\n\r\n");
        }
        Reply::Silence(_) => wait_for_end(state, &mut reader),
        Reply::Cut(_) | Reply::Hang | Reply::Status(_) => {}
    }
}

fn chunk(writer: &mut TcpStream, text: &str) -> std::io::Result<()> {
    write!(writer, "{:x}\r\n{text}\r\n", text.len())?;
    writer.flush()
}

fn wait_for_end(state: &Shared, reader: &mut BufReader<TcpStream>) {
    let _ = reader.get_ref().set_read_timeout(Some(Duration::from_secs(60)));
    if matches!(reader.read(&mut [0]), Ok(0))
        || reader.get_ref().take_error().is_ok_and(|error| error.is_some())
    {
        state.left.fetch_add(1, Ordering::SeqCst);
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" => value.trim().clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { line: line.trim_end().to_owned(), authorization, body: serde_json::from_slice(&body).ok()? })
}
