//! As much of HTTP/1.1 as a model server needs, with a hand on every byte.

use super::Asked;
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const MAX_HEAD: usize = 16 * 1024;
const MAX_BODY: usize = 8 * 1024 * 1024;

pub(super) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        Self(BufReader::new(stream))
    }

    /// The next request; none when the client has gone or does not speak HTTP.
    pub(super) async fn request(&mut self) -> Option<Asked> {
        let (mut line, mut length, mut authorization, mut head) = (String::new(), 0, String::new(), 0);
        let mut traces = [String::new(), String::new()];
        loop {
            let mut text = String::new();
            let limit = (MAX_HEAD - head) as u64;
            head += (&mut self.0).take(limit).read_line(&mut text).await.ok()?;
            if !text.ends_with('\n') {
                return None;
            }
            let text = text.trim_end();
            if line.is_empty() {
                text.clone_into(&mut line);
                continue;
            }
            let Some((name, value)) = text.split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => {
                    length = value.trim().parse().ok().filter(|length| *length <= MAX_BODY)?;
                }
                "traceparent" => value.trim().clone_into(&mut traces[0]),
                "uber-trace-id" => value.trim().clone_into(&mut traces[1]),
                "authorization" => value.trim().clone_into(&mut authorization),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        let body =
            if body.is_empty() { serde_json::Value::Null } else { serde_json::from_slice(&body).ok()? };
        Some(Asked { line, authorization, traces, body })
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes).await
    }

    /// A whole response; `extra` are header lines, each with its line end.
    pub(super) async fn respond(
        &mut self,
        status: u16,
        kind: &str,
        extra: &str,
        body: &[u8],
    ) -> io::Result<()> {
        self.write(&head(status, kind, extra, body.len())).await?;
        self.write(body).await
    }

    /// Half of a response, of which the head promises all.
    pub(super) async fn respond_half(&mut self, kind: &str, body: &[u8]) -> io::Result<()> {
        self.write(&head(200, kind, "", body.len())).await?;
        self.write(&body[..body.len() / 2]).await
    }

    pub(super) async fn begin_stream(&mut self) -> io::Result<()> {
        self.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )
        .await
    }

    pub(super) async fn event(&mut self, data: &str) -> io::Result<()> {
        let event = format!("data: {data}\n\n");
        self.write(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await
    }

    pub(super) async fn end_stream(&mut self) -> io::Result<()> {
        self.write(b"0\r\n\r\n").await
    }

    /// Until the client closes its side, or sends what nobody asked for.
    pub(super) async fn gone(&mut self) {
        let mut byte = [0];
        let _ = self.0.read(&mut byte).await;
    }
}

fn head(status: u16, kind: &str, extra: &str, length: usize) -> Vec<u8> {
    format!("HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\n{extra}content-length: {length}\r\n\r\n")
        .into_bytes()
}
