//! Strict clients: requests at a steady rate, whatever becomes of them, and every answer checked.
//!
//! * Open loop: a slow server does not slow its clients down, so that nothing is left out of the
//!   count. At most [`IN_FLIGHT`] requests are under way; one beyond that is counted as skipped.
//! * No retries: what a client sees is what is counted.
//! * A call that has no answer well after its deadline is hung, and given up.

mod call;
mod check;
pub mod corpus;
mod ledger;
mod tally;

pub use call::{Answer, Target};
pub use ledger::{Ledger, Receipts};
pub use tally::{Kind, Outcome, Phase, Sample, Tally, percentile};

use corpus::Corpus;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

pub const IN_FLIGHT: usize = 512;
/// Searches that repeat one of the first few questions, and so can come from a cache.
const REPEATED: f32 = 0.3;

struct Shared {
    target: Target,
    corpus: Arc<Corpus>,
    ledger: Arc<Ledger>,
    phase: AtomicU8,
    stopping: AtomicBool,
    samples: Mutex<Vec<Sample>>,
    began: Instant,
    searches_only: bool,
}

/// Clients at work; [`Load::finish`] waits for the last of their answers.
pub struct Load {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    driver: JoinHandle<usize>,
}

impl Load {
    /// Requests per second: searches, answers, writes and probes.
    #[must_use]
    pub fn start(target: &Target, corpus: &Arc<Corpus>, ledger: &Arc<Ledger>, rate: f64) -> Self {
        Self::begin(target, corpus, Arc::clone(ledger), rate, false)
    }

    /// Searches per second that nobody made before.
    #[must_use]
    pub fn searches(target: &Target, corpus: &Arc<Corpus>, rate: f64) -> Self {
        Self::begin(target, corpus, Arc::default(), rate, true)
    }

    fn begin(
        target: &Target,
        corpus: &Arc<Corpus>,
        ledger: Arc<Ledger>,
        rate: f64,
        searches_only: bool,
    ) -> Self {
        let shared = Arc::new(Shared {
            target: target.clone(),
            corpus: Arc::clone(corpus),
            ledger,
            phase: AtomicU8::new(Phase::Healthy as u8),
            stopping: AtomicBool::new(false),
            samples: Mutex::default(),
            began: Instant::now(),
            searches_only,
        });
        let places = Arc::new(Semaphore::new(IN_FLIGHT));
        let driver = tokio::spawn(drive(Arc::clone(&shared), Arc::clone(&places), rate));
        Self { shared, places, driver }
    }

    /// Requests that begin from now on belong to this phase.
    pub fn phase(&self, phase: Phase) {
        self.shared.phase.store(phase as u8, Ordering::SeqCst);
    }

    /// What was recorded since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Sample> {
        std::mem::take(&mut *self.shared.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins no more requests, and waits for all that are under way: every one of them ends, because
    /// a hung one is given up.
    pub async fn finish(self) -> Tally {
        self.shared.stopping.store(true, Ordering::SeqCst);
        let skipped = self.driver.await.unwrap_or(0);
        let all = u32::try_from(IN_FLIGHT).unwrap_or(u32::MAX);
        let _ = self.places.acquire_many(all).await;
        let samples =
            std::mem::take(&mut *self.shared.samples.lock().unwrap_or_else(PoisonError::into_inner));
        Tally { samples, skipped }
    }
}

/// The n-th request begins at n / rate, in batches when that is more often than timers go off.
async fn drive(shared: Arc<Shared>, places: Arc<Semaphore>, rate: f64) -> usize {
    let mut ticks = tokio::time::interval(Duration::from_secs_f64((1.0 / rate).max(0.002)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut begun, mut skipped) = (0.0, 0);
    while !shared.stopping.load(Ordering::SeqCst) {
        ticks.tick().await;
        let due = shared.began.elapsed().as_secs_f64() * rate;
        while begun <= due {
            begun += 1.0;
            match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => drop(tokio::spawn(record(Arc::clone(&shared), place))),
                Err(_) => skipped += 1,
            }
        }
    }
    skipped
}

async fn record(shared: Arc<Shared>, place: OwnedSemaphorePermit) {
    let phase = Phase::from(shared.phase.load(Ordering::SeqCst));
    let began = Instant::now();
    let (kind, outcome) = one(&shared).await;
    let sample = Sample { kind, phase, at: began - shared.began, took: began.elapsed(), outcome };
    shared.samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
    drop(place);
}

async fn one(shared: &Shared) -> (Kind, Outcome) {
    let fact = shared.corpus.any();
    if shared.searches_only {
        return (Kind::Search, shared.target.search(&shared.corpus, fact, Some(fastrand::u32(..))).await);
    }
    match fastrand::u32(..100) {
        0..55 => {
            let repeated = fastrand::f32() < REPEATED;
            let (fact, nonce) = if repeated {
                (&shared.corpus.facts[fastrand::usize(..5)], None)
            } else {
                (fact, Some(fastrand::u32(..)))
            };
            (Kind::Search, shared.target.search(&shared.corpus, fact, nonce).await)
        }
        55..75 => (Kind::Answer, shared.target.answer(&shared.corpus, fact, Some(fastrand::u32(..))).await),
        75..90 => (Kind::Write, shared.target.write(&shared.ledger).await),
        _ => (Kind::Health, shared.target.live().await),
    }
}
