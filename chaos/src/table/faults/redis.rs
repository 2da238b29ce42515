use crate::redis::Redis;
use crate::table::scene::{Probe, Scene};
use anyhow::{Context, Result};
use std::time::Instant;

pub(super) async fn killed(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.plan.outages {
        redis(scene)?.kill9();
        scene.hold_out().await;
        let since = Instant::now();
        tokio::task::block_in_place(|| redis(scene).map(Redis::restart))?;
        scene.recover(Probe::Search, since).await?;
        scene.hold().await;
    }
    Ok(())
}

pub(super) async fn frozen(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.plan.outages {
        redis(scene)?.freeze();
        scene.hold_out().await;
        let since = Instant::now();
        redis(scene)?.thaw();
        scene.recover(Probe::Search, since).await?;
    }
    Ok(())
}

fn redis<'a>(scene: &'a mut Scene<'_>) -> Result<&'a mut Redis> {
    scene.world.redis.as_mut().context("this world has a Redis")
}
