//! More than the server can do: many clients, slow clients, ten times its capacity.

use crate::load::{Kind, Load, Outcome, Phase, Sample, percentile};
use crate::table::scene::{Probe, Scene};
use anyhow::{Context, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const SLOW_CONNECTIONS: usize = 200;

/// Each client asks again as soon as it has its answer, until the time is over; a refused one waits as
/// long as it is told.
async fn closed_loop(scene: &Scene<'_>, clients: usize, time: Duration) -> Vec<Sample> {
    let began = Instant::now();
    let mut all = JoinSet::new();
    for client in 0..clients {
        let (target, corpus) = (scene.world.target.clone(), Arc::clone(&scene.world.corpus));
        all.spawn(async move {
            let mut samples = Vec::new();
            let mut number = 0;
            while began.elapsed() < time {
                let (at, fact) = (Instant::now(), &corpus.facts[(client + number) % corpus.facts.len()]);
                number += 1;
                let outcome = target.search(&corpus, fact, Some(fastrand::u32(..))).await;
                let refused = !outcome.is_answer();
                let sample = Sample {
                    kind: Kind::Search,
                    phase: Phase::Fault,
                    at: at - began,
                    took: at.elapsed(),
                    outcome,
                };
                samples.push(sample);
                if refused {
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(500..1500))).await;
                }
            }
            samples
        });
    }
    all.join_all().await.into_iter().flatten().collect()
}

pub(super) async fn many_clients(scene: &mut Scene<'_>) -> Result<()> {
    let samples = closed_loop(scene, scene.plan.clients, scene.plan.hold.max(Duration::from_secs(3))).await;
    let since = Instant::now();
    describe(scene, &samples);
    scene.add(samples);
    scene.recover(Probe::Search, since).await
}

/// Capacity first, with as many clients as keep two cores busy; then ten times as many requests per
/// second as that, whatever becomes of them.
pub(super) async fn ten_times(scene: &mut Scene<'_>) -> Result<()> {
    let probe = (scene.plan.overload / 4).clamp(Duration::from_secs(2), Duration::from_secs(10));
    let peak = closed_loop(scene, 16, probe).await;
    let goodput = |samples: &[Sample], time: Duration| {
        samples.iter().filter(|sample| sample.outcome.is_answer()).count() as f64 / time.as_secs_f64()
    };
    let best = goodput(&peak, probe);
    let world = &scene.world;
    let began = Instant::now();
    let flood = Load::searches(&world.target, &world.corpus, best * 10.0);
    flood.phase(Phase::Fault);
    tokio::time::sleep(scene.plan.overload).await;
    let tally = flood.finish().await;
    let lasted = began.elapsed();
    let since = Instant::now();
    let under = goodput(&tally.samples, scene.plan.overload);
    scene.note(format!(
        "peak {best:.0}/s, under overload {under:.0}/s ({:.0} %), {:.0}/s offered",
        under / best * 100.0,
        (tally.samples.len() + tally.skipped) as f64 / lasted.as_secs_f64(),
    ));
    describe(scene, &tally.samples);
    scene.add(tally.samples);
    scene.recover(Probe::Search, since).await
}

fn describe(scene: &mut Scene<'_>, samples: &[Sample]) {
    let took = |matches: &dyn Fn(&Outcome) -> bool, share| {
        let times = samples.iter().filter(|sample| matches(&sample.outcome)).map(|sample| sample.took);
        percentile(times.collect(), share)
            .map_or_else(|| "–".to_owned(), |time| format!("{:.0} ms", time.as_secs_f64() * 1e3))
    };
    let refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused(_));
    scene.note(format!(
        "admitted p99 {}, refused p50 {} p99 {}",
        took(&Outcome::is_answer, 0.99),
        took(&refused, 0.5),
        took(&refused, 0.99)
    ));
}

/// Heads of requests that never end, a byte every half second.
pub(super) async fn slow_loris(scene: &mut Scene<'_>) -> Result<()> {
    let address = scene.world.target.api().strip_prefix("http://").context("an http URL")?.to_owned();
    let until = Instant::now() + scene.plan.hold * 3;
    let mut slow = JoinSet::new();
    for _ in 0..SLOW_CONNECTIONS {
        let address = address.clone();
        slow.spawn(async move {
            let Ok(mut stream) = TcpStream::connect(&address).await else { return false };
            let mut head = b"POST /v1/search HTTP/1.1\r\nhost: localhost\r\nx-slow: ".to_vec();
            while Instant::now() < until {
                if stream.write_all(&head).await.is_err() {
                    return true;
                }
                head = b"x".to_vec();
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            false
        });
    }
    let closed = slow.join_all().await.into_iter().filter(|closed| *closed).count();
    scene.note(format!("{closed} of {SLOW_CONNECTIONS} slow connections closed by the server"));
    scene.recover(Probe::Search, Instant::now()).await
}
