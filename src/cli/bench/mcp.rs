//! What the protocol costs: calls of MCP tools, the same searches by REST, and a bare actix route, in one process and in
//! turns, by one client after the other.

use super::source::Source;
use super::traffic::{self, Expect, Measured};
use super::{Interrupt, ingest, requests};
use crate::app::{Core, Role};
use crate::cli::client::Client;
use crate::cli::{Global, out};
use crate::config::Settings;
use crate::http;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Result;
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const DOCUMENTS: usize = 200;
const QUESTIONS: usize = 100;
const TOP_K: u16 = 10;
const BARE: &str = "/bare";

#[derive(Debug, Args)]
pub(in crate::cli) struct Mcp {
    /// Turns; each asks every way once.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Seconds per way and turn.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    clients: u16,
}

/// A way of asking: what it is called, where, and what is sent.
struct Way {
    name: &'static str,
    path: &'static str,
    bodies: Arc<Vec<String>>,
}

fn call(tool: &str, arguments: &Value) -> String {
    let params = json!({"name": tool, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()
}

impl Mcp {
    pub(super) async fn run(
        self,
        global: &Global,
        mut settings: Settings,
        interrupt: &mut Interrupt,
    ) -> Result<()> {
        let _scratch = super::scratch(&mut settings, None)?;
        let mut source = Source::read(None)?;
        source.documents.truncate(DOCUMENTS);
        let core = Core::start(settings.clone(), Role::Serve).await?;
        let measured = interrupt.or(Box::pin(self.measure(global, &settings, &core, &source))).await;
        core.stop().await;
        self.print(global.json, &measured?);
        Ok(())
    }

    async fn measure(
        &self,
        global: &Global,
        settings: &Settings,
        core: &Core,
        source: &Source,
    ) -> Result<Vec<(&'static str, Vec<Measured>)>> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?.to_string();
        let state = core.state(settings);
        let server = HttpServer::new(move || {
            let bare = || async { HttpResponse::Ok().json(json!({"ok": true})) };
            let served = web::scope("").wrap(from_fn(http::envelope)).configure(http::public(&state));
            App::new().route(BARE, web::post().to(bare)).service(served)
        });
        let server = server.tcp_nodelay(true).disable_signals().listen(listener)?.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        let global = Global { server: Some(format!("http://{address}")), ..global.clone() };
        let client = Client::open(&global, settings.clone()).await?;
        ingest::whole(&client, source).await?;
        let ways = self.ways(&client, source).await?;
        let measured = self.rounds(&address, &ways).await;
        handle.stop(false).await;
        measured
    }

    /// Every question is asked once before, so that the cache holds its answer.
    async fn ways(&self, client: &Client, source: &Source) -> Result<[Way; 4]> {
        let mut texts = requests::texts(source, &source.sentences()?);
        texts.truncate(QUESTIONS);
        let (mut searches, mut calls) = (Vec::new(), Vec::new());
        for text in texts {
            let body = json!({"query": text, "collections": [ingest::COLLECTION], "top_k": TOP_K});
            client.json(Method::POST, "/v1/search", Some(&body)).await?;
            calls.push(call("search", &body));
            searches.push(body.to_string());
        }
        let way = |name, path, bodies| Way { name, path, bodies: Arc::new(bodies) };
        Ok([
            way("bare route", BARE, vec!["{}".to_owned()]),
            way("MCP list_collections", "/mcp", vec![call("list_collections", &json!({}))]),
            way("REST search, cached", "/v1/search", searches),
            way("MCP search, cached", "/mcp", calls),
        ])
    }

    async fn rounds(&self, address: &str, ways: &[Way]) -> Result<Vec<(&'static str, Vec<Measured>)>> {
        let (warm_up, time) = (Duration::from_millis(200), Duration::from_secs(self.seconds));
        let bar = crate::cli::ingest::progress(u64::from(self.rounds) * ways.len() as u64, "measurements");
        let mut all: Vec<(&str, Vec<Measured>)> = ways.iter().map(|way| (way.name, Vec::new())).collect();
        for round in 0..self.rounds as usize {
            // Another one goes first each time.
            for at in (0..ways.len()).map(|turn| (round + turn) % ways.len()) {
                let Way { path, bodies, .. } = &ways[at];
                let clients = usize::from(self.clients);
                let drive = traffic::drive_at(address, path, bodies, Expect::Foreign, clients, warm_up, time);
                all[at].1.push(drive.await?);
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(all)
    }

    fn print(&self, as_json: bool, measured: &[(&'static str, Vec<Measured>)]) {
        let median = |of: &[Measured], value: fn(&Measured) -> f64| {
            super::guards::median(of.iter().map(value).collect())
        };
        let bare = measured.first().map_or(0.0, |(_, of)| median(of, |one| one.p50_ms));
        let rows: Vec<Value> = measured
            .iter()
            .map(|(name, of)| {
                let p50 = median(of, |one| one.p50_ms);
                json!({"name": name, "qps": median(of, |one| one.qps), "p50_ms": p50,
                    "p95_ms": median(of, |one| one.p95_ms), "p50_over_bare_ms": p50 - bare})
            })
            .collect();
        if as_json {
            let report = json!({"clients": self.clients, "rounds": self.rounds, "ways": rows});
            out(&format!("{report:#}"));
            return;
        }
        out(&format!("{} client(s), medians of {} turns", self.clients, self.rounds));
        out(&format!("{:22} {:>9} {:>8} {:>8} {:>14}", "", "qps", "p50 ms", "p95 ms", "over bare, ms"));
        for row in rows {
            let number = |name: &str| row[name].as_f64().unwrap_or_default();
            out(&format!(
                "{:22} {:>9.0} {:>8.3} {:>8.3} {:>14.3}",
                row["name"].as_str().unwrap_or_default(),
                number("qps"),
                number("p50_ms"),
                number("p95_ms"),
                number("p50_over_bare_ms")
            ));
        }
    }
}
