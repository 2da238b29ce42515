//! When a read is slow enough that asking a second server pays. Pure.

use std::time::Duration;

/// Times kept, and how often the percentile is taken anew.
const KEPT: usize = 256;
const EVERY: usize = 32;
/// Below this a second question costs more than it saves.
const FLOOR: Duration = Duration::from_millis(10);
/// Before anything is known.
const INITIAL: Duration = Duration::from_millis(100);

/// The 95th percentile of the last reads' times.
#[derive(Debug)]
pub(super) struct Patience {
    times: Vec<Duration>,
    next: usize,
    p95: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { times: Vec::with_capacity(KEPT), next: 0, p95: INITIAL }
    }
}

impl Patience {
    pub(super) fn observe(&mut self, took: Duration) {
        if self.times.len() < KEPT {
            self.times.push(took);
        } else {
            self.times[self.next % KEPT] = took;
        }
        self.next += 1;
        if self.next.is_multiple_of(EVERY) {
            let mut sorted = self.times.clone();
            let at = sorted.len() * 95 / 100;
            self.p95 = *sorted.select_nth_unstable(at).1;
        }
    }

    /// How long the first server is waited for alone.
    pub(super) fn wait(&self) -> Duration {
        self.p95.max(FLOOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_twenty_is_hedged_whatever_the_usual_time() {
        let mut patience = Patience::default();
        assert_eq!(patience.wait(), INITIAL);
        for n in 0..1000_u64 {
            patience.observe(Duration::from_millis(50 + n % 100));
        }
        let wait = patience.wait().as_millis();
        assert!((140..150).contains(&wait), "{wait}");
        (0..1000).for_each(|_| patience.observe(Duration::from_micros(300)));
        assert_eq!(patience.wait(), FLOOR);
    }
}
