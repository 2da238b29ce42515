//! `mcp-rag parse`: the process in which documents of harmful formats are read, one after another, within limits that
//! the kernel keeps. Not for people; `actors/src/parser` starts it and has the protocol.

use anyhow::Result;
use clap::Args;
use mcp_rag_text::parse::{MediaType, ParseLimits, Parsed, parse};
use nix::sys::resource::{Resource, setrlimit};
use std::io::{self, Read, Write};
use std::panic::catch_unwind;
use std::process::ExitCode;

/// Longer input is not what the server sends.
const MAX_DOCUMENT: u64 = 1 << 30;

#[derive(Debug, Args)]
pub(super) struct Parse {
    /// All the memory it may have.
    #[arg(long)]
    memory_mb: u64,
}

impl Parse {
    pub(super) fn run(&self) -> Result<ExitCode> {
        #[cfg(target_os = "linux")]
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
        let bytes = self.memory_mb << 20;
        setrlimit(Resource::RLIMIT_AS, bytes, bytes)?;
        // A document must not write core files or fill the log.
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        std::panic::set_hook(Box::new(|_| {}));
        let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
        while let Some((media_type, document)) = request(&mut input)? {
            let reply = serde_json::to_vec(&read(&media_type, document))?;
            output.write_all(&(reply.len() as u64).to_le_bytes())?;
            output.write_all(&reply)?;
            output.flush()?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn request(input: &mut impl Read) -> Result<Option<(String, Vec<u8>)>> {
    let mut length = [0];
    if input.read(&mut length)? == 0 {
        return Ok(None); // nobody asks any more
    }
    let mut media_type = vec![0; usize::from(length[0])];
    input.read_exact(&mut media_type)?;
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    anyhow::ensure!(length <= MAX_DOCUMENT, "a document of {length} bytes");
    let mut document = Vec::new();
    input.take(length).read_to_end(&mut document)?;
    anyhow::ensure!(document.len() as u64 == length, "the document ends too early");
    Ok(Some((String::from_utf8(media_type)?, document)))
}

fn read(media_type: &str, document: Vec<u8>) -> Result<Parsed, String> {
    let media_type: MediaType = media_type.parse().map_err(|error| format!("{error}"))?;
    let parsed = catch_unwind(move || parse(&document, media_type, &ParseLimits::default()));
    match parsed {
        Ok(parsed) => parsed.map_err(|error| error.to_string()),
        Err(_) => Err("the parser crashed on this document".to_owned()),
    }
}
