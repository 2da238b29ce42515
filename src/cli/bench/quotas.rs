//! What limits cost, and how exactly they hold.
//!
//! * The same cached search over HTTP, in turns, with no limit and with limits that nobody reaches: on a server by
//!   itself, and on one that counts in Redis. Ratios are within a turn and to the same server without limits.
//! * Three servers as processes of their own, on one Redis, asked for more than twenty times a limit.

use super::child::ServerProcess;
use super::source::Source;
use super::traffic::{self, Expect, Measured};
use super::wire::{Connection, status_of};
use super::{Interrupt, ingest, requests};
use crate::app::{Core, Role};
use crate::cli::client::Client;
use crate::cli::{Global, out};
use crate::config::Settings;
use crate::http;
use crate::quotas::Limits;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer};
use anyhow::{Context, Result};
use clap::Args;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const DOCUMENTS: usize = 100;
const QUESTIONS: usize = 100;
const REPLICAS: usize = 3;
/// More than any client here asks for.
const PLENTY: u64 = 1_000_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct Quotas {
    /// A Redis to count in, such as redis://127.0.0.1:6379; without it only the limits of one process are measured.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Turns; each asks with and without limits.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Seconds per variant and turn.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    clients: u16,
    /// Searches a second that the three servers may admit together, and for how many seconds they are asked.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    limit: u64,
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    overload: u64,
}

/// Without and with limits, in each turn.
type Turn = [Measured; 2];

impl Quotas {
    pub(super) async fn run(
        self,
        global: &Global,
        settings: Settings,
        interrupt: &mut Interrupt,
    ) -> Result<()> {
        let mut source = Source::read(None)?;
        source.documents.truncate(DOCUMENTS);
        let alone = interrupt.or(Box::pin(self.server(global, settings.clone(), &source, None))).await?.0;
        let (shared, accuracy) = match &self.redis {
            Some(redis) => {
                let measuring = Box::pin(self.server(global, settings, &source, Some(redis)));
                let (turns, accuracy) = interrupt.or(measuring).await?;
                (Some(turns), accuracy)
            }
            None => (None, None),
        };
        print(global.json, &self, &alone, shared.as_deref(), accuracy.as_ref());
        Ok(())
    }

    /// A server of its own with a database of its own: its turns, and with Redis the overload of three more.
    async fn server(
        &self,
        global: &Global,
        mut settings: Settings,
        source: &Source,
        redis: Option<&String>,
    ) -> Result<(Vec<Turn>, Option<Value>)> {
        let scratch = super::scratch(&mut settings, None)?;
        settings.redis.url = redis.map(|url| SecretString::from(url.clone()));
        let core = Core::start(settings.clone(), Role::Serve).await?;
        let measured = async {
            let turns = self.turns(global, &core, &settings, source).await?;
            let accuracy = match redis {
                Some(redis) => Some(self.overload(global, &settings, redis, scratch.path()).await?),
                None => None,
            };
            Ok((turns, accuracy))
        };
        let measured = Box::pin(measured).await;
        core.stop().await;
        measured
    }

    async fn turns(
        &self,
        global: &Global,
        core: &Core,
        settings: &Settings,
        source: &Source,
    ) -> Result<Vec<Turn>> {
        let state = core.state(settings);
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?.to_string();
        let app = move || App::new().wrap(from_fn(http::envelope)).configure(http::public(&state));
        let server = HttpServer::new(app).tcp_nodelay(true).disable_signals().listen(listener)?.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        let base = Some(format!("http://{address}"));
        let client = Client::open(&Global { server: base, ..global.clone() }, settings.clone()).await?;
        ingest::whole(&client, source).await?;
        let mut texts = requests::texts(source, &source.sentences()?);
        texts.truncate(QUESTIONS);
        let mut bodies = Vec::new();
        for text in texts {
            let body = json!({"query": text, "collections": [ingest::COLLECTION], "top_k": 10});
            client.json(Method::POST, "/v1/search", Some(&body)).await?;
            bodies.push(body.to_string());
        }
        let bodies = Arc::new(bodies);
        let mut turns = Vec::new();
        for round in 0..self.rounds as usize {
            let mut turn = Turn::default();
            // The other one goes first each time.
            for at in [round % 2, (round + 1) % 2] {
                core.rag.running.adopt(limited(settings, at == 1), Instant::now());
                let (warm_up, time) = (Duration::from_millis(200), Duration::from_secs(self.seconds));
                let clients = usize::from(self.clients);
                turn[at] = traffic::drive(&address, &bodies, Expect::Cached, clients, warm_up, time).await?;
            }
            turns.push(turn);
        }
        handle.stop(false).await;
        Ok(turns)
    }

    /// Three servers that share nothing but Redis: whoever asks without a credential is the same to all of them.
    async fn overload(
        &self,
        global: &Global,
        settings: &Settings,
        redis: &str,
        home: &Path,
    ) -> Result<Value> {
        let sets = [
            ("redis.url", redis.to_owned()),
            ("redis.timeout_ms", "5000".to_owned()),
            ("ingest.worker", "false".to_owned()),
            ("quotas.key.search_per_second", self.limit.to_string()),
            ("quotas.key.search_burst", self.limit.to_string()),
        ];
        let mut global = global.clone();
        global.overrides.extend(sets.map(|(key, value)| (key.to_owned(), value)));
        let mut servers = Vec::new();
        for number in 0..REPLICAS {
            let data_dir = home.join(format!("replica-{number}"));
            std::fs::create_dir_all(&data_dir)?;
            let own = Settings { data_dir, ..settings.clone() };
            let log = home.join(format!("replica-{number}.log"));
            servers.push(ServerProcess::start(&global, &own, &log).await?);
        }
        let (began, time) = (Instant::now(), Duration::from_secs(self.overload));
        let asking: Vec<_> = (0..usize::from(self.clients).max(REPLICAS))
            .map(|client| {
                let address = servers[client % REPLICAS].base.replace("http://", "");
                tokio::task::spawn_blocking(move || flood(&address, began + time))
            })
            .collect();
        let (mut admitted, mut offered) = (0, 0);
        for one in asking {
            let (of_these, of_all) = one.await.context("a client panicked")??;
            admitted += of_these;
            offered += of_all;
        }
        let seconds = began.elapsed().as_secs_f64();
        for server in servers {
            server.stop().await?;
        }
        // A bucket that was full, and what came back since.
        let allowed = self.limit as f64 * (1.0 + seconds);
        Ok(json!({"replicas": REPLICAS, "seconds": seconds, "offered": offered, "admitted": admitted,
            "allowed": allowed, "overload": offered as f64 / allowed, "ratio": admitted as f64 / allowed}))
    }
}

/// The operator's own settings, without limits or with more than anybody asks for.
fn limited(settings: &Settings, limited: bool) -> Settings {
    let mut settings = settings.clone();
    let plenty = limited.then_some(PLENTY);
    let limits = Limits { search_per_second: plenty, search_burst: plenty, ..Limits::default() };
    (settings.quotas.key, settings.quotas.tenant) = (limits, limits);
    settings
}

/// Asks until it is over: how many were admitted, of how many.
fn flood(address: &str, until: Instant) -> Result<(u64, u64)> {
    let mut connection = Connection::open(address)?;
    let (mut admitted, mut offered) = (0, 0);
    let body = json!({"query": "anything", "mode": "lexical"}).to_string();
    while Instant::now() < until {
        match status_of(connection.ask("POST", "/v1/search", &body)?) {
            200 => admitted += 1,
            429 => {}
            status => anyhow::bail!("a search was answered with {status}"),
        }
        offered += 1;
    }
    Ok((admitted, offered))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn rows(name: &'static str, turns: &[Turn]) -> [Value; 2] {
    [0, 1].map(|at| {
        let of = |value: fn(&Measured) -> f64| median(turns.iter().map(|turn| value(&turn[at])).collect());
        let ratio = |value: fn(&Measured) -> f64| {
            median(turns.iter().map(|turn| value(&turn[at]) / value(&turn[0])).collect())
        };
        json!({"server": name, "limited": at == 1, "qps": of(|cell| cell.qps), "p50_ms": of(|cell| cell.p50_ms),
            "p99_ms": of(|cell| cell.p99_ms), "qps_ratio": ratio(|cell| cell.qps),
            "p50_ratio": ratio(|cell| cell.p50_ms), "p99_ratio": ratio(|cell| cell.p99_ms)})
    })
}

fn print(as_json: bool, asked: &Quotas, alone: &[Turn], shared: Option<&[Turn]>, accuracy: Option<&Value>) {
    let mut all = rows("alone", alone).to_vec();
    all.extend(shared.into_iter().flat_map(|turns| rows("with Redis", turns)));
    if as_json {
        let report =
            json!({"clients": asked.clients, "rounds": asked.rounds, "variants": all, "accuracy": accuracy});
        return out(&format!("{report:#}"));
    }
    out(&format!("cached searches, {} clients, medians of {} turns", asked.clients, asked.rounds));
    out(&format!("{:24} {:>8} {:>8} {:>8}   ratios: qps, p50, p99", "", "qps", "p50 ms", "p99 ms"));
    for row in &all {
        let number = |name: &str| row[name].as_f64().unwrap_or_default();
        let limits = if row["limited"] == true { "limits" } else { "no limits" };
        let name = format!("{}, {limits}", row["server"].as_str().unwrap_or_default());
        out(&format!(
            "{name:24} {:>8.0} {:>8.3} {:>8.3}   {:.3} {:.3} {:.3}",
            number("qps"),
            number("p50_ms"),
            number("p99_ms"),
            number("qps_ratio"),
            number("p50_ratio"),
            number("p99_ratio")
        ));
    }
    if let Some(accuracy) = accuracy {
        let number = |name: &str| accuracy[name].as_f64().unwrap_or_default();
        out(&format!(
            "three servers, one Redis: {:.0} of {:.0} admitted, {:.1} allowed ({:.3}) at {:.0} times as many",
            number("admitted"),
            number("offered"),
            number("allowed"),
            number("ratio"),
            number("overload")
        ));
    }
}
