//! Servers that keep what is searched in memory, and those that do not.

use super::child::ServerProcess;
use super::requests::{self, Kind, Question, open_body};
use super::scale::COLLECTION;
use crate::cli::Global;
use crate::cli::client::Client;
use crate::config::Settings;
use anyhow::{Context, Result, bail};
use reqwest::Method;
use std::time::{Duration, Instant};

const BYTES: usize = 16 << 30;
/// A collection of a million is read and linked by then.
const MADE_WITHIN: Duration = Duration::from_secs(3_600);

/// On the database of another server; all searches are PostgreSQL's.
pub(super) fn beside(global: &Global, url: String) -> Global {
    set(global, &[("index.memory_bytes", "0".to_owned()), ("database.url", url)])
}

/// A collection is taken into memory by its first search.
pub(super) fn with(global: &Global) -> Global {
    set(global, &[("index.memory_bytes", BYTES.to_string()), ("index.min_searches", "1".to_owned())])
}

/// With further settings, which win.
fn set(global: &Global, sets: &[(&str, String)]) -> Global {
    let mut global = global.clone();
    global.overrides.extend(sets.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    global
}

pub(super) async fn client(global: &Global, settings: &Settings, server: &ServerProcess) -> Result<Client> {
    let global = Global { server: Some(server.base.clone()), ..global.clone() };
    Client::open(&global, settings.clone()).await
}

/// From the first search until one is answered in memory.
pub(super) async fn until_there(
    global: &Global,
    settings: &Settings,
    questions: &[Question],
    server: &ServerProcess,
) -> Result<Duration> {
    let client = client(global, settings, server).await?;
    let question = questions.first().context("no questions")?;
    let began = Instant::now();
    let mut number = 1_000_000;
    while began.elapsed() < MADE_WITHIN {
        number += 1;
        let body = requests::unique(&open_body(Kind::Dense, question, COLLECTION, 10), number);
        let answer = client.json(Method::POST, "/v1/search", Some(&serde_json::from_str(&body)?)).await?;
        if answer["timings"]["plan"] == "hot" {
            client.close().await;
            return Ok(began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the collection was not taken into memory within {MADE_WITHIN:?}; the server's log says why")
}
