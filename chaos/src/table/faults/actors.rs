//! Failpoints of the server's own actors, armed one strike at a time, so that every single recovery is
//! measured: from the strike to the next good answer of what needs that actor.

use crate::table::row::How;
use crate::table::scene::{Probe, Scene};
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Longer than the supervisor waits before it calls a thread wedged.
const WEDGE_MS: u32 = 6000;
const STRIKES_WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn break_actor(scene: &mut Scene<'_>, name: &str, how: How) -> Result<()> {
    let (times, faults): (usize, &[&str]) = match how {
        How::Panic => (scene.plan.panics, &["crash:1", "panic:1"]),
        How::Stop => (scene.plan.stops, &["stop:1"]),
        How::Kill => (scene.plan.kills, &["kill:1"]),
        How::Wedge => (scene.plan.wedges, &[]),
    };
    let wedge = [format!("wedge:{WEDGE_MS}:1")];
    let faults: Vec<&str> =
        if how == How::Wedge { wedge.iter().map(String::as_str).collect() } else { faults.to_vec() };
    let probe = match name {
        "generator" => Probe::Answer,
        "jobs" => Probe::Write,
        _ => Probe::Search,
    };
    let restarts = restarts(scene, name).await?;
    let point = format!("{name}::life");
    for round in 0..times {
        scene.progress(&point, round, times);
        let fired = fired(scene, &point).await?;
        let fault = faults[round % faults.len()];
        let since = Instant::now();
        let armed = scene.world.target.admin(Method::PUT, &format!("/failpoints/{point}"), fault).await?;
        ensure!(armed.status == 200, "{point} cannot be armed: {} {}", armed.status, armed.text);
        while self::fired(scene, &point).await? == fired {
            ensure!(since.elapsed() < STRIKES_WITHIN, "{point} never struck");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // One that sleeps is replaced only when that is noticed, which a caller may never feel.
        while how == How::Wedge && self::restarts(scene, name).await? == restarts + round as u64 {
            ensure!(since.elapsed() < crate::world::PATIENCE, "{point}: the wedge was never noticed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        scene.recover(probe, since).await?;
    }
    let now = self::restarts(scene, name).await?;
    scene.note(format!("{times} strikes, {} restarts", now - restarts));
    ensure!(now - restarts >= times as u64, "{times} strikes but only {} restarts", now - restarts);
    Ok(())
}

async fn fired(scene: &Scene<'_>, point: &str) -> Result<u64> {
    let answer = scene.world.target.admin(Method::GET, "/failpoints", "").await?;
    ensure!(answer.status == 200, "this build has no failpoints: `make chaos` makes one that has");
    let points: Value = serde_json::from_str(&answer.text)?;
    let points = points["failpoints"].as_array().context("a list of points")?;
    let known = points.iter().find(|known| known["name"] == point);
    Ok(known.and_then(|known| known["fired"].as_u64()).unwrap_or(0))
}

async fn restarts(scene: &Scene<'_>, name: &str) -> Result<u64> {
    let system = scene.world.target.system().await?;
    let actors = system["actors"].as_array().context("actors")?;
    let actor = actors.iter().find(|actor| actor["name"] == name);
    let actor = actor.with_context(|| format!("this server has no actor {name}"))?;
    actor["restarts"].as_u64().context("a number of restarts")
}
