//! One process that reads documents, over its standard input and output.
//!
//! A request is the length of the media type (1 byte), the media type, the length of the document (8 bytes, little-endian)
//! and the document; a reply is its length (8 bytes) and the reply.

use super::ParserSettings;
use std::io;
use std::process::Stdio;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout, Command};

/// A longer reply is a broken one.
const MAX_REPLY: u64 = 256 << 20;

pub(super) struct Child {
    // Killed when dropped.
    _process: tokio::process::Child,
    requests: ChildStdin,
    replies: ChildStdout,
    pub(super) documents: u32,
}

impl Child {
    pub(super) fn start(settings: &ParserSettings) -> io::Result<Self> {
        let mut process = Command::new(&settings.program)
            .args(["parse", "--memory-mb", &settings.memory_mb.to_string()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(requests), Some(replies)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::other("no pipe"));
        };
        Ok(Self { _process: process, requests, replies, documents: 0 })
    }

    pub(super) async fn read(&mut self, media_type: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.documents += 1;
        let length = u8::try_from(media_type.len()).map_err(io::Error::other)?;
        self.requests.write_all(&[length]).await?;
        self.requests.write_all(media_type.as_bytes()).await?;
        self.requests.write_all(&(bytes.len() as u64).to_le_bytes()).await?;
        self.requests.write_all(bytes).await?;
        self.requests.flush().await?;
        let length = self.replies.read_u64_le().await?;
        if length > MAX_REPLY {
            return Err(io::Error::other("the reply is too long"));
        }
        let mut reply = Vec::new();
        (&mut self.replies).take(length).read_to_end(&mut reply).await?;
        if reply.len() as u64 == length { Ok(reply) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}
