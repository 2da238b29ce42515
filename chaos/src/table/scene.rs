//! What a fault has to do its work: the world, the load, and a place for what it measures.

use super::plan::Plan;
use crate::load::{Outcome, Sample};
use crate::world::{PATIENCE, World};
use anyhow::{Result, bail};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use indicatif::ProgressBar;
use std::time::{Duration, Instant};

/// Which call tells that the dependency is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    Search,
    Answer,
    Write,
}

/// A call in trouble may take seconds; the next probe does not wait for it.
const NEXT_PROBE: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(4);
const PROBES: usize = 16;

pub(super) struct Scene<'a> {
    pub(super) world: &'a mut World,
    pub(super) plan: &'a Plan,
    bar: &'a ProgressBar,
    measured: Measured,
}

#[derive(Default)]
pub(super) struct Measured {
    pub(super) recoveries: Vec<Duration>,
    pub(super) notes: Vec<String>,
    /// Requests of clients beside the steady load.
    pub(super) samples: Vec<Sample>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(world: &'a mut World, plan: &'a Plan, bar: &'a ProgressBar) -> Self {
        Self { world, plan, bar, measured: Measured::default() }
    }

    pub(super) fn end(self) -> Measured {
        self.measured
    }

    pub(super) async fn hold(&self) {
        tokio::time::sleep(self.plan.hold).await;
    }

    /// A whole outage of a dependency that should not be missed.
    pub(super) async fn hold_out(&self) {
        tokio::time::sleep(self.plan.outage).await;
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.measured.notes.push(text.into());
    }

    pub(super) fn add(&mut self, samples: Vec<Sample>) {
        self.measured.samples.extend(samples);
    }

    pub(super) fn progress(&self, fault: &str, round: usize, rounds: usize) {
        self.bar.set_message(format!("{fault} {round}/{rounds}"));
    }

    /// Probes until a call that began after `since` is answered whole and right; records the time from
    /// `since` until that answer.
    pub(super) async fn recover(&mut self, probe: Probe, since: Instant) -> Result<()> {
        let world = &*self.world;
        let mut probes = FuturesUnordered::new();
        let mut last = None;
        loop {
            if probes.len() < PROBES {
                probes.push(ask(world, probe));
            }
            tokio::select! {
                Some(outcome) = probes.next() => match outcome {
                    Outcome::Good => break,
                    Outcome::Wrong(why) => bail!("while recovering: {why}"),
                    other => {
                        last = Some(other);
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                () = tokio::time::sleep(NEXT_PROBE) => {}
            }
            if since.elapsed() > PATIENCE {
                bail!("not recovered after {PATIENCE:?}; the last answer: {last:?}");
            }
        }
        drop(probes);
        self.measured.recoveries.push(since.elapsed());
        Ok(())
    }
}

async fn ask(world: &World, probe: Probe) -> Outcome {
    let nonce = Some(fastrand::u32(..));
    match probe {
        Probe::Search => world.target.search(&world.corpus, world.corpus.any(), nonce).await,
        Probe::Answer => world.target.answer(&world.corpus, world.corpus.any(), nonce).await,
        Probe::Write => world.target.write(&world.ledger).await,
    }
}
