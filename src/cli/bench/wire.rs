//! One keep-alive connection of a load generator. It shares the cores with the server, as pgbench's
//! clients do with PostgreSQL, so it does as little as those: a blocking socket, a prepared body, a look
//! at the answer's length.

use anyhow::{Context, Result, bail, ensure};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer.
const ROOM: usize = 1 << 20;

pub(super) struct Connection {
    stream: TcpStream,
    host: String,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Connection {
    pub(super) fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("no answer from {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self { stream, host: address.to_owned(), request: Vec::new(), buffer: vec![0; ROOM] })
    }

    /// Sends one request with a JSON body (none: an empty one); the whole answer, head included.
    pub(super) fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<&[u8]> {
        self.request.clear();
        write!(
            self.request,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n\
             accept: application/json, text/event-stream\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        )?;
        self.stream.write_all(&self.request)?;
        let mut filled = 0;
        let mut whole = None;
        while whole.is_none_or(|end| !is_whole(end, &self.buffer[..filled])) {
            let read = self.stream.read(&mut self.buffer[filled..])?;
            ensure!(read > 0, "the server closed the connection, or its answer is too long");
            filled += read;
            if whole.is_none() {
                whole = end_of(&self.buffer[..filled])?;
            }
        }
        Ok(&self.buffer[..filled])
    }
}

/// An answer's status, 0 where it is none.
pub(super) fn status_of(answer: &[u8]) -> u16 {
    let digits = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Where an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// At this length, head and body together.
    At(usize),
    /// With a chunk that is empty.
    LastChunk,
}

fn is_whole(end: End, answer: &[u8]) -> bool {
    match end {
        End::At(length) => answer.len() >= length,
        End::LastChunk => answer.ends_with(b"\r\n0\r\n\r\n"),
    }
}

/// Known once the head is complete.
fn end_of(answer: &[u8]) -> Result<Option<End>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end]).context("the answer's head is not text")?;
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok(Some(End::At(end + 4 + value.trim().parse::<usize>()?)));
        }
        if line.eq_ignore_ascii_case("transfer-encoding: chunked") {
            return Ok(Some(End::LastChunk));
        }
    }
    bail!("an answer without its length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answers_length_is_known_once_its_head_is_complete() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(end_of(&answer[..20]).unwrap(), None);
        assert_eq!(end_of(answer).unwrap(), Some(End::At(answer.len())));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        assert_eq!(end_of(chunked).unwrap(), Some(End::LastChunk));
        assert!(
            is_whole(End::LastChunk, chunked) && !is_whole(End::LastChunk, &chunked[..chunked.len() - 1])
        );
        assert_eq!(status_of(answer), 200);
    }
}
