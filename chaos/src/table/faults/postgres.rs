//! PostgreSQL, the server's own or somebody else's: killed, frozen, full, read-only, failed over, far away.

use crate::postgres::Cluster;
use crate::proxy;
use crate::table::scene::{Probe, Scene};
use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::{Duration, Instant};
use tokio::task::block_in_place;
use tokio_postgres::{Client, NoTls};

pub(super) const SLOW: proxy::Fault =
    proxy::Fault::Latency { delay: Duration::from_secs(5), jitter: Duration::ZERO };

pub(super) async fn managed_killed(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.plan.rounds {
        let pid = managed(scene)?;
        let since = Instant::now();
        kill(pid, Signal::SIGKILL)?;
        while managed(scene)? == pid {
            scene.world.server.check_alive()?;
            ensure!(since.elapsed() < crate::world::PATIENCE, "PostgreSQL is not replaced");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        scene.recover(Probe::Search, since).await?;
        scene.recover(Probe::Write, since).await?;
        scene.hold().await;
    }
    Ok(())
}

/// The server may wait for it or replace it.
pub(super) async fn managed_frozen(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.plan.rounds {
        let family = family(managed(scene)?);
        signal_all(&family, Signal::SIGSTOP);
        scene.hold().await;
        let since = Instant::now();
        signal_all(&family, Signal::SIGCONT);
        scene.recover(Probe::Search, since).await?;
        scene.recover(Probe::Write, since).await?;
    }
    Ok(())
}

fn managed(scene: &Scene<'_>) -> Result<Pid> {
    let pid = scene.world.server.postgres_pid().context("this world has a managed PostgreSQL")?;
    Ok(Pid::from_raw(pid.try_into()?))
}

/// The process and its children.
fn family(parent: Pid) -> Vec<Pid> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw);
    std::iter::once(parent).chain(children).collect()
}

fn signal_all(family: &[Pid], signal: Signal) {
    for pid in family {
        let _ = kill(*pid, signal); // one may have ended meanwhile
    }
}

pub(super) async fn killed(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.plan.rounds {
        block_in_place(|| cluster(scene).map(Cluster::kill9))?;
        scene.hold().await;
        block_in_place(|| cluster(scene).map(Cluster::restart))?;
        back(scene).await?;
    }
    Ok(())
}

pub(super) async fn frozen(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.plan.rounds {
        block_in_place(|| cluster(scene).map(Cluster::freeze))?;
        scene.hold().await;
        block_in_place(|| cluster(scene).map(Cluster::thaw))?;
        back(scene).await?;
    }
    Ok(())
}

pub(super) async fn through_proxy(scene: &mut Scene<'_>, fault: proxy::Fault) -> Result<()> {
    for _ in 0..scene.plan.rounds {
        scene.world.proxy.as_ref().context("this world has a proxy")?.set(fault);
        scene.hold().await;
        scene.world.proxy.as_ref().context("this world has a proxy")?.heal();
        back(scene).await?;
    }
    Ok(())
}

/// Other clients take every connection, also those the server loses.
pub(super) async fn out_of_connections(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.plan.rounds {
        let config = cluster(scene)?.superuser("rag");
        let (first, driver) = config.connect(NoTls).await?;
        tokio::spawn(driver);
        let mut hogs: Vec<Client> = Vec::new();
        let until = Instant::now() + scene.plan.hold;
        while Instant::now() < until {
            first
                .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mcp-rag'", &[])
                .await?;
            while let Ok((hog, driver)) = config.connect(NoTls).await {
                tokio::spawn(driver);
                hogs.push(hog);
                ensure!(hogs.len() < 2000, "this PostgreSQL has no end of connections");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        scene.note(format!("{} connections taken", hogs.len()));
        drop(hogs);
        drop(first);
        back(scene).await?;
    }
    Ok(())
}

pub(super) async fn read_only(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.plan.rounds {
        block_in_place(|| cluster(scene).map(|cluster| cluster.read_only(true)))?;
        scene.hold().await;
        let searched =
            scene.world.target.search(&scene.world.corpus, scene.world.corpus.any(), Some(1)).await;
        ensure!(searched.is_answer(), "a search needs no writer: {searched:?}");
        block_in_place(|| cluster(scene).map(|cluster| cluster.read_only(false)))?;
        back(scene).await?;
    }
    Ok(())
}

/// The primary dies, the standby takes over; every acknowledged write was on both.
pub(super) async fn failed_over(scene: &mut Scene<'_>) -> Result<()> {
    block_in_place(|| cluster(scene).map(Cluster::kill9))?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let standby = scene.world.standby.as_ref().context("this world has a standby")?;
    block_in_place(|| {
        standby.synchronous(false); // it has no standby of its own
        standby.promote();
    });
    back(scene).await
}

/// Both halves are back: what reads and what writes.
async fn back(scene: &mut Scene<'_>) -> Result<()> {
    let since = Instant::now();
    scene.recover(Probe::Search, since).await?;
    scene.recover(Probe::Write, since).await
}

fn cluster<'a>(scene: &'a Scene<'_>) -> Result<&'a Cluster> {
    scene.world.cluster.as_ref().context("this world has a cluster")
}
