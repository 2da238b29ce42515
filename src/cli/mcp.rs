//! `mcp-rag mcp`: the Model Context Protocol over standard input and output, for hosts that start their servers.
//!
//! A line in is a message for a server's `/mcp`, that of `--server` or one inside this process, and what comes back is
//! lines out: there is one implementation of the protocol, and standard output carries nothing else.
//!
//! * Overload: a request beyond [`relay::AT_ONCE`] is refused at once; a line beyond `mcp.max_request_bytes` is too.
//! * Cancel safety: `notifications/cancelled` drops the request, and with its connection the work on the server.
//! * The end of input lets what is under way finish; SIGTERM and SIGINT do not wait for it.

mod lines;
mod relay;

use super::Global;
use super::client::Client;
use crate::config::Settings;
use anyhow::{Context, Result};
use clap::Args;
use lines::{Line, Lines};
use relay::Relay;
use secrecy::SecretString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Messages on their way in, and on their way out.
const QUEUE: usize = 16;

#[derive(Debug, Args)]
pub(super) struct Mcp {}

impl Mcp {
    pub(super) async fn run(self, global: &Global, mut settings: Settings) -> Result<ExitCode> {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let most = settings.mcp.max_request_bytes;
        if global.server.is_none() && settings.auth.token.is_none() {
            // The server inside listens on this machine for as long as the host runs: nobody else may use it.
            let token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
            settings.auth.token = Some(SecretString::from(token));
        }
        let client = Client::open(global, settings).await?;
        let (out, written) = mpsc::channel(QUEUE);
        let (arrived, mut lines) = mpsc::channel(QUEUE);
        // Both block for as long as the host likes: each has a thread, and the first ends with the process.
        thread::Builder::new()
            .name("stdin".into())
            .spawn(move || read(most, &arrived))
            .context("no thread")?;
        let writing = thread::Builder::new().name("stdout".into()).spawn(move || write(written));
        let writing = writing.context("no thread")?;
        let mut relay = Relay::new(client.mcp(), out);
        let serving = async {
            while let Some(line) = lines.recv().await {
                match line {
                    Line::Whole(line) => relay.take(&line).await,
                    Line::TooLong => relay.refuse_line(most).await,
                }
            }
            relay.finish().await;
        };
        let ended = tokio::select! {
            () = serving => true,
            _ = terminate.recv() => false,
            _ = interrupt.recv() => false,
        };
        drop(relay);
        if ended {
            // What was answered is written; a host that closed its end makes that fail at once.
            let _ = tokio::task::spawn_blocking(move || writing.join()).await;
        }
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

fn read(most: usize, arrived: &mpsc::Sender<Line>) {
    let mut lines = Lines::new(io::stdin().lock(), most);
    while let Ok(Some(line)) = lines.next() {
        if arrived.blocking_send(line).is_err() {
            break;
        }
    }
}

/// Each message on a line of its own, at once.
fn write(mut messages: mpsc::Receiver<String>) {
    let mut out = io::stdout().lock();
    while let Some(mut message) = messages.blocking_recv() {
        message.push('\n');
        if out.write_all(message.as_bytes()).and_then(|()| out.flush()).is_err() {
            break;
        }
    }
}
