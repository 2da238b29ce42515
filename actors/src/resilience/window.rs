use std::time::{Duration, Instant};

const BUCKETS: usize = 10;
const BUCKET: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) calls: u32,
    pub(super) failures: u32,
    pub(super) slow: u32,
}

/// Outcomes of the last ten seconds, in buckets of one second: a burst leaves as whole as it came,
/// which a decayed average cannot promise.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Start of the newest bucket.
    newest: Option<Instant>,
    buckets: [Totals; BUCKETS],
    /// Index of the newest bucket.
    head: usize,
}

impl Window {
    pub(super) fn add(&mut self, now: Instant, failed: bool, slow: bool) {
        self.advance(now);
        let bucket = &mut self.buckets[self.head];
        bucket.calls += 1;
        bucket.failures += u32::from(failed);
        bucket.slow += u32::from(slow);
    }

    pub(super) fn totals(&mut self, now: Instant) -> Totals {
        self.advance(now);
        self.buckets.iter().fold(Totals::default(), |sum, one| Totals {
            calls: sum.calls + one.calls,
            failures: sum.failures + one.failures,
            slow: sum.slow + one.slow,
        })
    }

    fn advance(&mut self, now: Instant) {
        let newest = self.newest.get_or_insert(now);
        let passed = now.saturating_duration_since(*newest).as_secs();
        *newest += BUCKET * u32::try_from(passed).unwrap_or(u32::MAX);
        for _ in 0..passed.min(BUCKETS as u64) {
            self.head = (self.head + 1) % BUCKETS;
            self.buckets[self.head] = Totals::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_holds_every_call_of_the_last_nine_seconds_and_none_older_than_ten(
            steps in prop::collection::vec((0_u64..4000, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let start = Instant::now();
            let (mut now, mut window, mut log) = (start, Window::default(), Vec::new());
            for (millis, failed, slow) in steps {
                now += Duration::from_millis(millis);
                window.add(now, failed, slow);
                log.push((now, failed));
                let failures = window.totals(now).failures;
                let within = |age: u64| {
                    let young = log.iter().filter(|(at, failed)| *failed && now - *at < Duration::from_secs(age));
                    u32::try_from(young.count()).unwrap_or(u32::MAX)
                };
                prop_assert!(failures >= within(9));
                prop_assert!(failures <= within(10));
            }
        }
    }
}
