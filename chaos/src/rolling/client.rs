//! A strict HTTP/1.1 client: one request, one whole answer, and no second try whatever happens.

use std::fmt;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Nothing in the drill takes longer.
const PATIENCE: Duration = Duration::from_secs(40);

/// What a strict client calls a failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    Connect(String),
    /// The connection ended, or was reset, before the whole answer had come.
    Cut(String),
    Status(u16),
    Late,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "no connection: {error}"),
            Self::Cut(error) => write!(f, "cut off: {error}"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Late => write!(f, "no answer in time"),
        }
    }
}

fn cut(error: impl fmt::Display) -> Failure {
    Failure::Cut(error.to_string())
}

/// A connection that is used until its server closes it in an answer.
pub(crate) struct Connection {
    port: u16,
    /// Which release answered last, where the proxy says so (`x-track`).
    pub(crate) track: String,
    stream: Option<BufReader<TcpStream>>,
}

struct Head {
    length: Option<usize>,
    closes: bool,
    track: String,
}

impl Connection {
    pub(crate) fn to(port: u16) -> Self {
        Self { port, track: String::new(), stream: None }
    }

    /// The next request gets a connection of its own.
    pub(crate) fn close(&mut self) {
        self.stream = None;
    }

    /// The whole body of a 2xx answer; pieces of a streamed one are shown as they come.
    pub(crate) async fn ask(
        &mut self,
        request: &Request<'_>,
        mut piece: impl FnMut(&str),
    ) -> Result<String, Failure> {
        self.track.clear();
        let asked = tokio::time::timeout(PATIENCE, self.exchange(request, &mut piece)).await;
        let outcome = asked.unwrap_or(Err(Failure::Late));
        if outcome.is_err() {
            self.close();
        }
        outcome
    }

    async fn exchange(
        &mut self,
        request: &Request<'_>,
        piece: &mut impl FnMut(&str),
    ) -> Result<String, Failure> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(("127.0.0.1", self.port)).await;
                let stream = stream.map_err(|error| Failure::Connect(error.to_string()))?;
                stream.set_nodelay(true).map_err(cut)?;
                BufReader::new(stream)
            }
        };
        stream.write_all(request.text().as_bytes()).await.map_err(cut)?;
        let (status, head) = head(&mut stream).await?;
        self.track.clone_from(&head.track);
        let body = match head.length {
            Some(length) => {
                let mut body = vec![0; length];
                stream.read_exact(&mut body).await.map_err(cut)?;
                String::from_utf8_lossy(&body).into_owned()
            }
            None => chunks(&mut stream, piece).await?,
        };
        if !head.closes {
            self.stream = Some(stream);
        }
        if (200..300).contains(&status) { Ok(body) } else { Err(Failure::Status(status)) }
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> Result<String, Failure> {
    let mut line = String::new();
    match stream.read_line(&mut line).await.map_err(cut)? {
        0 => Err(cut("the connection ended")),
        _ => Ok(line.trim_end().to_owned()),
    }
}

async fn head(stream: &mut BufReader<TcpStream>) -> Result<(u16, Head), Failure> {
    let first = line(stream).await?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status: u16 = status.ok_or_else(|| cut(format!("no HTTP: {first}")))?;
    let mut head = Head { length: (status == 204).then_some(0), closes: false, track: String::new() };
    loop {
        let header = line(stream).await?.to_ascii_lowercase();
        let Some((name, value)) = header.split_once(':') else { return Ok((status, head)) };
        match (name, value.trim()) {
            ("content-length", length) => head.length = Some(length.parse().map_err(cut)?),
            ("connection", "close") => head.closes = true,
            ("x-track", track) => track.clone_into(&mut head.track),
            _ => {}
        }
    }
}

async fn chunks(stream: &mut BufReader<TcpStream>, piece: &mut impl FnMut(&str)) -> Result<String, Failure> {
    let mut all = String::new();
    loop {
        let size = usize::from_str_radix(&line(stream).await?, 16).map_err(cut)?;
        let mut bytes = vec![0; size + 2];
        stream.read_exact(&mut bytes).await.map_err(cut)?;
        if size == 0 {
            return Ok(all);
        }
        let text = String::from_utf8_lossy(&bytes[..size]);
        piece(&text);
        all.push_str(&text);
    }
}

/// A request, as it goes over the wire.
pub(crate) struct Request<'a> {
    pub(crate) line: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a str,
}

impl Request<'_> {
    fn text(&self) -> String {
        let mut text = format!("{} HTTP/1.1\r\nhost: localhost\r\n", self.line);
        for (name, value) in self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        if !self.body.is_empty() {
            text += &format!("content-length: {}\r\n", self.body.len());
        }
        text + "\r\n" + self.body
    }
}
