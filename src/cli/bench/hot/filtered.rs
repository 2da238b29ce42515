//! Dense searches under filters, in memory and of PostgreSQL.

use super::super::child::ServerProcess;
use super::super::exact;
use super::super::load::number_of;
use super::super::measure::CLIENTS;
use super::super::memory;
use super::super::pgbench;
use super::super::requests::{self, Kind, Question, open_body};
use super::super::scale::COLLECTION;
use super::super::synthetic::PER_DOCUMENT;
use super::super::traffic::{self, Expect, Measured};
use super::{Given, TOP_K};
use crate::cli::client::Client;
use crate::cli::ingest::progress;
use crate::config::Settings;
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const RECALL_QUESTIONS: usize = 100;
/// A chunk of so many, by an attribute of its document.
const SELECTIONS: [(&str, usize); 3] = [("tenth", 10), ("hundredth", 100), ("thousandth", 1_000)];
/// Turns of both servers in one cell of the table.
const ROUNDS: u32 = 5;
const WARM_UP: Duration = Duration::from_millis(250);

/// Both servers under one filter; pairs are PostgreSQL's and memory's.
#[derive(Debug, Serialize)]
pub(super) struct Filtered {
    /// Per cent of the chunks that the filter lets through.
    pub(super) selected: f64,
    pub(super) plans: [String; 2],
    pub(super) recall: [f64; 2],
    pub(super) cells: Vec<Turns>,
}

/// At one number of clients.
#[derive(Debug, Serialize)]
pub(super) struct Turns {
    pub(super) clients: usize,
    /// The turn at the median of their ratios.
    pub(super) postgres: Measured,
    pub(super) memory: Measured,
    /// Of each turn, ascending.
    pub(super) times: Vec<f64>,
}

impl Turns {
    fn of(clients: usize, mut rounds: Vec<[Measured; 2]>) -> Self {
        let times = |[postgres, memory]: &[Measured; 2]| memory.qps / postgres.qps;
        rounds.sort_by(|a, b| times(a).total_cmp(&times(b)));
        let [postgres, memory] = rounds.get(rounds.len() / 2).copied().unwrap_or_default();
        Self { clients, postgres, memory, times: rounds.iter().map(times).collect() }
    }

    pub(super) fn median(&self) -> f64 {
        self.times.get(self.times.len() / 2).copied().unwrap_or_default()
    }
}

/// By turns with a server beside, on the same database, that keeps nothing in memory: what else the machine does changes
/// both alike.
pub(super) async fn measure(given: &Given<'_>, hot: &ServerProcess) -> Result<Vec<Filtered>> {
    let Given { global, settings, scratch, .. } = *given;
    let beside = memory::beside(global, pgbench::let_in(given.loaded.tools()).await?);
    let own = Settings { data_dir: scratch.join("beside"), ..settings.clone() };
    let cold = ServerProcess::start(&beside, &own, &scratch.join("cold.log")).await?;
    let all = async {
        let clients =
            [memory::client(&beside, &own, &cold).await?, memory::client(global, settings, hot).await?];
        let bar = progress((SELECTIONS.len() * CLIENTS.len()) as u64, "filtered measurements");
        let mut all = Vec::new();
        for selection in SELECTIONS {
            all.push(under(selection, given, &clients, [&cold, hot], || bar.inc(1)).await?);
        }
        bar.finish_and_clear();
        for client in clients {
            client.close().await;
        }
        anyhow::Ok(all)
    };
    let all = all.await;
    let stopped = cold.stop().await;
    let all = all?;
    stopped?;
    Ok(all)
}

/// Under one filter.
async fn under(
    (key, every): (&str, usize),
    given: &Given<'_>,
    clients: &[Client; 2],
    servers: [&ServerProcess; 2],
    done: impl Fn(),
) -> Result<Filtered> {
    let open = |question: &Question| {
        let mut body = open_body(Kind::Dense, question, COLLECTION, TOP_K);
        body.push_str(&format!(",\"filters\":{}", json!({"type": "eq", "key": key, "value": 0})));
        body
    };
    let questions = &given.made.questions;
    let sample: Vec<&Question> = questions.iter().take(RECALL_QUESTIONS).collect();
    let keep = |n: usize| (n / PER_DOCUMENT).is_multiple_of(every);
    let right = exact::nearest(&given.made.recipe, given.chunks, &sample, usize::from(TOP_K), keep);
    let wanted: usize = right.iter().map(Vec::len).sum();
    let (mut plans, mut recall) = ([String::new(), String::new()], [0.0; 2]);
    for (at, client) in clients.iter().enumerate() {
        let (found, plan) = find(client, &sample, open).await?;
        ensure!(found.iter().map(Vec::len).sum::<usize>() >= wanted, "fewer than top_k results at {key}");
        (plans[at], recall[at]) = (plan, exact::recall(&found, &right));
    }
    let bodies = Arc::new(questions.iter().map(open).collect::<Vec<String>>());
    let time = given.measured / ROUNDS;
    let mut cells = Vec::new();
    for clients in CLIENTS {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let mut round = [Measured::default(); 2];
            for (server, result) in servers.iter().zip(&mut round) {
                let address = server.base.trim_start_matches("http://");
                *result = traffic::drive(address, &bodies, Expect::Fresh, clients, WARM_UP, time).await?;
            }
            rounds.push(round);
        }
        cells.push(Turns::of(clients, rounds));
        done();
    }
    Ok(Filtered { selected: 100.0 / every as f64, plans, recall, cells })
}

/// What a server finds, and how it says it did the last of it.
async fn find(
    client: &Client,
    questions: &[&Question],
    open: impl Fn(&Question) -> String,
) -> Result<(Vec<Vec<usize>>, String)> {
    let (mut found, mut plan) = (Vec::new(), String::new());
    for question in questions {
        let body: Value = serde_json::from_str(&requests::unique(&open(question), 0))?;
        let answer = client.json(Method::POST, "/v1/search", Some(&body)).await?;
        plan = answer["timings"]["plan"].as_str().unwrap_or_default().to_owned();
        let results = answer["results"].as_array().context("no results")?;
        found.push(results.iter().filter_map(number_of).collect());
    }
    Ok((found, plan))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_turn_at_the_median_of_the_ratios_is_shown() {
        let qps = |qps| Measured { qps, ..Measured::default() };
        let turns = Turns::of(4, vec![[qps(10.0), qps(50.0)], [qps(20.0), qps(40.0)], [qps(1.0), qps(3.0)]]);
        assert_eq!(turns.times, [2.0, 3.0, 5.0]);
        assert!((turns.median() - 3.0).abs() < 1e-9);
        assert!((turns.postgres.qps - 1.0).abs() < 1e-9 && (turns.memory.qps - 3.0).abs() < 1e-9);
    }
}
