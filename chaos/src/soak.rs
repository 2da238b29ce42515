//! The soak: faults that come and go at random under a steady load, for as long as one likes; then
//! what is left must be what was there before.
//!
//! The faults follow from the seed, which is printed; when exactly each meets which request does not.

mod mischief;
mod plot;
mod watch;

pub use watch::{Moment, Verdict};

use crate::load::{Load, Outcome, Sample};
use crate::world::{Database, Models, Needs, Program, World};
use anyhow::Result;
use indicatif::ProgressBar;
use mischief::Mischief;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long, how hard, and from which seed.
#[derive(Debug, Clone)]
pub struct Soak {
    pub time: Duration,
    pub seed: u64,
    pub rate: f64,
    pub svg: Option<PathBuf>,
}

/// A pause between two faults, and how long one lasts, in seconds.
const CALM: std::ops::Range<f64> = 2.0..6.0;
const TROUBLE: std::ops::Range<f64> = 0.5..5.0;
/// Moments of a whole run.
const MOMENTS: u32 = 120;

fn needs() -> Needs {
    let sets = vec![
        // Hundreds of faults in half an hour; the ceiling is another promise.
        ("supervision.intensity", "100000".to_owned()),
        ("supervision.backoff_max_ms", "200".to_owned()),
        // A third of the default: a cache that is still filling would look like a leak.
        ("cache.max_bytes", "16777216".to_owned()),
    ];
    let models = Models { chat: true, embedder: true, reranker: true };
    Needs { database: Database::External, redis: true, models, clock: false, sets }
}

/// Runs it; prints a line for every moment.
pub async fn run(program: &Program, soak: &Soak) -> Result<Verdict> {
    println!("seed {}; {:?} at {} requests per second", soak.seed, soak.time, soak.rate);
    let mut dice = fastrand::Rng::with_seed(soak.seed);
    let mut world = Box::pin(World::start(program, &needs())).await?;
    let failpoints = mischief::has_failpoints(&world).await;
    if !failpoints {
        println!("this build has no failpoints: no actor is broken");
    }
    let bar = ProgressBar::new(soak.time.as_secs());
    let load = Load::start(&world.target, &world.corpus, &world.ledger, soak.rate);
    let began = Instant::now();
    let every = (soak.time / MOMENTS).max(Duration::from_secs(1));
    let (mut moments, mut samples): (Vec<Moment>, Vec<Sample>) = (Vec::new(), Vec::new());
    println!("{}", Moment::HEAD);
    let (mut faults, mut last) = (0, Instant::now());
    while began.elapsed() < soak.time {
        tokio::time::sleep(Duration::from_secs_f64(between(&mut dice, CALM))).await;
        if last.elapsed() >= every {
            last = Instant::now();
            let new = load.take();
            let moment = Moment::of(&world, began.elapsed(), &new, faults).await;
            bar.suspend(|| println!("{moment}"));
            moments.push(moment);
            samples.extend(new);
        }
        let mischief = Mischief::any(&mut dice, failpoints);
        bar.set_position(began.elapsed().as_secs());
        bar.set_message(mischief.to_string());
        mischief.begin(&mut world).await?;
        tokio::time::sleep(Duration::from_secs_f64(between(&mut dice, TROUBLE))).await;
        mischief.end(&mut world).await?;
        world.server.check_alive()?;
        faults += 1;
    }
    let mut tally = load.finish().await;
    let settled = Box::pin(world.settle()).await;
    let receipts = world.ledger.verify(&world.target).await;
    // What a fault left behind is given back by then, or never.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let end = Moment::of(&world, began.elapsed(), &tally.samples, faults).await;
    bar.finish_and_clear();
    println!("{end}");
    moments.push(end);
    tally.samples.extend(samples);
    if let Some(path) = &soak.svg {
        std::fs::write(path, plot::svg(&moments))?;
        println!("drawn in {}", path.display());
    }
    let leases = watch::orphaned_leases(&world).await?;
    Ok(Verdict::reach(&moments, &tally, &receipts, leases, settled.as_ref().err()))
}

fn between(dice: &mut fastrand::Rng, range: std::ops::Range<f64>) -> f64 {
    range.start + dice.f64() * (range.end - range.start)
}

fn is_failure(sample: &Sample) -> bool {
    !sample.outcome.is_answer()
}

fn is_degraded(sample: &Sample) -> bool {
    sample.outcome == Outcome::Degraded
}
