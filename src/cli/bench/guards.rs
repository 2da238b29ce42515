//! The cost of being guarded: the same cached search over HTTP, in one process and in turns, by servers
//! that differ only in what stands before the handler.
//!
//! * `unguarded`: the envelope (request id, panic to 500, metrics, trace), authentication, the handler;
//! * `guarded`: the public listener as it is, so with admission: what a cached search really costs, for
//!   it takes no hop;
//! * `guarded, one hop`: the same behind one call through a handle to an actor that does nothing;
//! * `bare`: without the envelope too, to show what that costs.

use super::echo::{self, Echo, Ping};
use super::source::Source;
use super::traffic::{self, Expect, Measured};
use super::{Interrupt, ingest, requests};
use crate::app::{Core, Role};
use crate::cli::client::Client;
use crate::cli::{Global, out};
use crate::config::Settings;
use crate::http::{self, State};
use actix_web::dev::ServerHandle;
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpServer};
use anyhow::Result;
use clap::Args;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::supervise::Handle;
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const DOCUMENTS: usize = 200;
const QUESTIONS: usize = 100;
const TOP_K: u16 = 10;

#[derive(Debug, Args)]
pub(in crate::cli) struct Guards {
    /// Turns; each asks every variant once.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Seconds per variant and turn.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    clients: u16,
    /// A set in BEIR layout. Without it: the documents here.
    #[arg(long, value_name = "DIR")]
    corpus: Option<std::path::PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Unguarded,
    Guarded,
    OneHop,
    Bare,
}

impl Variant {
    const ALL: [Self; 4] = [Self::Unguarded, Self::Guarded, Self::OneHop, Self::Bare];

    fn label(self) -> &'static str {
        match self {
            Self::Unguarded => "unguarded",
            Self::Guarded => "guarded",
            Self::OneHop => "guarded, one hop",
            Self::Bare => "bare",
        }
    }
}

/// A listener of its own for a variant: its address, and the way to stop it.
fn serve(variant: Variant, state: &Data<State>, echo: &Handle<Echo>) -> Result<(String, ServerHandle)> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?.to_string();
    let (state, echo) = (state.clone(), echo.clone());
    let server = HttpServer::new(move || {
        let (state, echo) = (state.clone(), echo.clone());
        let hop = from_fn(move |request, next: actix_web::middleware::Next<_>| {
            let echo = echo.clone();
            async move {
                let deadline = Deadline::within(Duration::from_secs(10));
                let call = echo.call(Ping, deadline).await;
                call.map_err(actix_web::error::ErrorServiceUnavailable)?;
                next.call(request).await
            }
        });
        let routes = move |config: &mut ServiceConfig| match variant {
            Variant::Guarded | Variant::OneHop => http::public(&state)(config),
            Variant::Unguarded | Variant::Bare => http::unguarded(&state)(config),
        };
        App::new()
            .wrap(Condition::new(variant == Variant::OneHop, hop))
            .wrap(Condition::new(variant != Variant::Bare, from_fn(http::envelope)))
            .configure(routes)
    })
    .tcp_nodelay(true)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    actix_rt::spawn(server);
    Ok((address, handle))
}

impl Guards {
    pub(super) async fn run(
        self,
        global: &Global,
        mut settings: Settings,
        interrupt: &mut Interrupt,
    ) -> Result<()> {
        let _scratch = super::scratch(&mut settings, None)?;
        let mut source = Source::read(self.corpus.as_deref())?;
        source.documents.truncate(DOCUMENTS);
        let core = Core::start(settings.clone(), Role::Serve).await?;
        let measured = interrupt.or(Box::pin(self.measure(global, &settings, &core, &source))).await;
        core.stop().await;
        print(global.json, &self, &measured?);
        Ok(())
    }

    async fn measure(
        &self,
        global: &Global,
        settings: &Settings,
        core: &Core,
        source: &Source,
    ) -> Result<Vec<[Measured; 4]>> {
        let echo = echo::start(&core.tree).await?;
        let state = core.state(settings);
        let mut addresses = Vec::new();
        let mut handles = Vec::new();
        for variant in Variant::ALL {
            let (address, handle) = serve(variant, &state, &echo)?;
            addresses.push(address);
            handles.push(handle);
        }
        let guarded = Some(format!("http://{}", addresses[1]));
        let client = Client::open(&Global { server: guarded, ..global.clone() }, settings.clone()).await?;
        ingest::whole(&client, source).await?;
        let bodies = self.prepare(&client, source).await?;
        let rounds = self.rounds(&addresses, &bodies).await;
        for handle in handles {
            handle.stop(false).await;
        }
        rounds
    }

    /// The questions' bodies, each asked once, so that the cache holds its answer.
    async fn prepare(&self, client: &Client, source: &Source) -> Result<Arc<Vec<String>>> {
        let mut texts = requests::texts(source, &source.sentences()?);
        texts.truncate(QUESTIONS);
        let mut bodies = Vec::new();
        for text in texts {
            let body = json!({"query": text, "collections": [ingest::COLLECTION], "top_k": TOP_K});
            client.json(Method::POST, "/v1/search", Some(&body)).await?;
            bodies.push(body.to_string());
        }
        Ok(Arc::new(bodies))
    }

    async fn rounds(&self, addresses: &[String], bodies: &Arc<Vec<String>>) -> Result<Vec<[Measured; 4]>> {
        let (warm_up, time) = (Duration::from_millis(200), Duration::from_secs(self.seconds));
        let bar = crate::cli::ingest::progress(u64::from(self.rounds) * 4, "measurements");
        let mut rounds = Vec::new();
        for round in 0..self.rounds as usize {
            let mut cells = [Measured::default(); 4];
            // Another one goes first each time.
            for at in (0..4).map(|turn| (round + turn) % 4) {
                let clients = usize::from(self.clients);
                cells[at] =
                    traffic::drive(&addresses[at], bodies, Expect::Cached, clients, warm_up, time).await?;
                bar.inc(1);
            }
            rounds.push(cells);
        }
        bar.finish_and_clear();
        Ok(rounds)
    }
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn print(as_json: bool, guards: &Guards, rounds: &[[Measured; 4]]) {
    let of = |at: usize, value: fn(&Measured) -> f64| {
        median(rounds.iter().map(|cells| value(&cells[at])).collect())
    };
    // Within a round: what else the machine does changes both alike.
    let ratio = |at: usize| median(rounds.iter().map(|cells| cells[at].qps / cells[0].qps).collect());
    let row = |(at, variant): (usize, Variant)| {
        json!({"name": variant.label(), "qps": of(at, |cell| cell.qps), "p50_ms": of(at, |cell| cell.p50_ms),
            "p95_ms": of(at, |cell| cell.p95_ms), "ratio": ratio(at)})
    };
    let rows: Vec<_> = Variant::ALL.into_iter().enumerate().map(row).collect();
    if as_json {
        let report = json!({"clients": guards.clients, "rounds": guards.rounds, "variants": rows});
        out(&format!("{report:#}"));
        return;
    }
    out(&format!("cached searches, {} clients, medians of {} turns", guards.clients, guards.rounds));
    out(&format!("{:18} {:>9} {:>8} {:>8} {:>8}", "", "qps", "p50 ms", "p95 ms", "ratio"));
    for row in rows {
        let number = |name: &str| row[name].as_f64().unwrap_or_default();
        out(&format!(
            "{:18} {:>9.0} {:>8.3} {:>8.3} {:>8.3}",
            row["name"].as_str().unwrap_or_default(),
            number("qps"),
            number("p50_ms"),
            number("p95_ms"),
            number("ratio")
        ));
    }
}
