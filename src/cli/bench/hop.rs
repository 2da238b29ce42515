//! What a call to an actor costs: through a handle, beside a task on the same thread and a bare pair of
//! channels to another one.

use super::Interrupt;
use super::echo::{self, Echo, Ping};
use crate::cli::{Global, out};
use anyhow::{Context, Result, ensure};
use clap::Args;
use futures_util::future::try_join_all;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::supervise::{Handle, Tree};
use serde::Serialize;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(in crate::cli) struct Hop {
    /// Seconds per row.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    callers: usize,
    calls_per_s: f64,
    p50_us: f64,
    p99_us: f64,
}

impl Hop {
    pub(super) async fn run(self, global: &Global, interrupt: &mut Interrupt) -> Result<()> {
        let tree = Tree::default();
        let echo = echo::start(&tree).await?;
        let rows = interrupt.or(self.rows(&echo)).await;
        tree.stop(GRACE).await;
        print(global.json, &rows?);
        Ok(())
    }

    async fn rows(&self, echo: &Handle<Echo>) -> Result<Vec<Row>> {
        let seconds = Duration::from_secs(self.seconds);
        let wire = Wire::start();
        let mut rows = Vec::new();
        for callers in [1, 16] {
            rows.push(measure("a task on the same thread", callers, seconds, same_thread).await?);
            rows.push(measure("channels to another thread", callers, seconds, || wire.ask()).await?);
            let call = || async {
                echo.call(Ping, Deadline::within(Duration::from_secs(10))).await.map_err(Into::into)
            };
            rows.push(measure("a call through a handle", callers, seconds, call).await?);
        }
        Ok(rows)
    }
}

async fn same_thread() -> Result<()> {
    let (reply, answer) = oneshot::channel();
    actix_rt::spawn(async move { reply.send(()) });
    answer.await.context("the task has gone")
}

/// A thread that answers; it ends with its sender.
struct Wire(mpsc::Sender<oneshot::Sender<()>>);

impl Wire {
    fn start() -> Self {
        let (ask, mut asked) = mpsc::channel::<oneshot::Sender<()>>(1024);
        let arbiter = actix_rt::Arbiter::new();
        arbiter.spawn(async move {
            while let Some(reply) = asked.recv().await {
                let _ = reply.send(()); // its caller is interrupted
            }
            actix_rt::Arbiter::current().stop();
        });
        Self(ask)
    }

    async fn ask(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.0.send(reply).await.ok().context("the thread has gone")?;
        answer.await.context("the thread has gone")
    }
}

/// Closed-loop callers on this thread, as those of an HTTP worker are; the first tenth only warms up.
async fn measure<F>(name: &'static str, callers: usize, time: Duration, call: impl Fn() -> F) -> Result<Row>
where
    F: Future<Output = Result<()>>,
{
    let (from, until) = (Instant::now() + time / 10, Instant::now() + time);
    let caller = || async {
        let mut micros = Vec::new();
        loop {
            let began = Instant::now();
            call().await?;
            let ended = Instant::now();
            if ended > until {
                return anyhow::Ok(micros);
            }
            if began >= from {
                micros.push((ended - began).as_secs_f64() * 1e6);
            }
        }
    };
    let all = try_join_all((0..callers).map(|_| caller())).await?;
    let mut micros: Vec<f64> = all.into_iter().flatten().collect();
    ensure!(!micros.is_empty(), "no call was answered");
    micros.sort_by(f64::total_cmp);
    let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
    let calls_per_s = micros.len() as f64 / (time * 9 / 10).as_secs_f64();
    Ok(Row { name, callers, calls_per_s, p50_us: at(0.5), p99_us: at(0.99) })
}

fn print(as_json: bool, rows: &[Row]) {
    if as_json {
        out(&format!("{:#}", serde_json::json!({ "hops": rows })));
        return;
    }
    out(&format!("{:28} {:>8} {:>12} {:>8} {:>8}", "", "callers", "calls/s", "p50 µs", "p99 µs"));
    for Row { name, callers, calls_per_s, p50_us, p99_us } in rows {
        out(&format!("{name:28} {callers:>8} {calls_per_s:>12.0} {p50_us:>8.1} {p99_us:>8.1}"));
    }
}
