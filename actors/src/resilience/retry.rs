use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Share of calls that may be repeated.
const SHARE: f64 = 0.2;
/// Repeats that are always allowed, so that a rare caller may repeat too.
const PER_SECOND: f64 = 10.0;
/// Credit is kept for this long at most: what was saved in good times must not feed a storm.
const KEPT: Duration = Duration::from_secs(10);

/// A token bucket that bounds how much repeating adds to the load of a dependency that fails.
#[derive(Debug)]
pub(crate) struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    pub(crate) fn new(now: Instant) -> Self {
        Self { tokens: Self::ceiling(), filled: now }
    }

    fn ceiling() -> f64 {
        PER_SECOND * KEPT.as_secs_f64()
    }

    fn add(&mut self, now: Instant, tokens: f64) {
        let passed = now.saturating_duration_since(self.filled);
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + passed.as_secs_f64() * PER_SECOND + tokens).min(Self::ceiling());
    }

    pub(crate) fn deposit(&mut self, now: Instant) {
        self.add(now, SHARE);
    }

    pub(crate) fn withdraw(&mut self, now: Instant) -> bool {
        self.add(now, 0.0);
        let granted = self.tokens >= 1.0;
        if granted {
            self.tokens -= 1.0;
        }
        granted
    }
}

/// The budget all callers of one dependency share: one repeat for five calls, and ten a second.
///
/// Each call deposits once; each repeat must withdraw first and is not made when refused.
#[derive(Debug, Clone)]
pub struct RetryBudget(Arc<Mutex<Bucket>>);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Bucket::new(Instant::now()))))
    }
}

impl RetryBudget {
    pub fn deposit(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).deposit(Instant::now());
    }

    /// Whether one repeat may be made.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).withdraw(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every call fails, and every caller repeats as often as it may.
        #[test]
        fn a_full_outage_is_asked_at_most_a_fifth_more_often_and_ten_times_a_second(
            gaps in prop::collection::vec(0_u64..200, 1..2000),
            eagerness in 1_usize..4,
        ) {
            let began = Instant::now();
            let (mut now, mut bucket) = (began, Bucket::new(began));
            let (mut calls, mut repeats) = (0.0, 0.0);
            for millis in gaps {
                now += Duration::from_millis(millis);
                bucket.deposit(now);
                calls += 1.0;
                repeats += (0..eagerness).filter(|_| bucket.withdraw(now)).count() as f64;
            }
            let floor = PER_SECOND * ((now - began) + KEPT).as_secs_f64();
            prop_assert!(calls + repeats <= 1.2 * calls + floor + 1e-6, "{calls} calls, {repeats} repeats");
        }

        #[test]
        fn a_long_calm_saves_no_more_than_ten_seconds_of_repeats(calls in 0_usize..100_000) {
            let now = Instant::now();
            let mut bucket = Bucket::new(now);
            (0..calls).for_each(|_| bucket.deposit(now));
            let later = now + Duration::from_secs(3600);
            let granted = (0..1000).filter(|_| bucket.withdraw(later)).count();
            prop_assert_eq!(granted, 100);
        }
    }

    #[test]
    fn an_exhausted_budget_refuses_until_time_or_calls_refill_it() {
        let now = Instant::now();
        let mut bucket = Bucket::new(now);
        while bucket.withdraw(now) {}
        (0..4).for_each(|_| bucket.deposit(now));
        assert!(!bucket.withdraw(now));
        (0..2).for_each(|_| bucket.deposit(now));
        assert!(bucket.withdraw(now) && !bucket.withdraw(now));
        assert!(bucket.withdraw(now + Duration::from_millis(100)));
    }
}
