//! Faults of the machine: a full disk, a clock that jumps.

use crate::table::scene::{Probe, Scene};
use anyhow::{Context, Result};
use std::time::Instant;

pub(super) async fn disk_full(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.plan.rounds {
        let disk = scene.world.disk.as_ref().context("this world has a small disk")?;
        tokio::task::block_in_place(|| disk.fill())?;
        scene.hold().await;
        // A server that gives up here would never see the disk freed.
        scene.world.server.check_alive()?;
        let since = Instant::now();
        scene.world.disk.as_ref().context("this world has a small disk")?.free()?;
        scene.recover(Probe::Write, since).await?;
    }
    Ok(())
}

pub(super) async fn clock_jump(scene: &mut Scene<'_>) -> Result<()> {
    for round in 0..scene.plan.rounds * 2 {
        let hour = if round % 2 == 0 { 3600 } else { -3600 };
        let clock = scene.world.clock.as_ref().context("this world has a clock")?;
        let since = Instant::now();
        clock.jump(hour).await?;
        scene.recover(Probe::Search, since).await?;
        scene.recover(Probe::Write, since).await?;
        scene.hold().await;
    }
    scene.world.clock.as_ref().context("this world has a clock")?.jump(0).await?;
    scene.note("an hour ahead, then an hour behind");
    Ok(())
}
