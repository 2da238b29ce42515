use super::pulse::{Pulse, Sample};
use std::time::{Duration, Instant};

/// Looks within the patience: enough to be exact, few enough to cost nothing.
const LOOKS: u32 = 8;

/// Tells a wedged incarnation from a busy one. Pure but for [`Vigil::wedged`].
///
/// Only time in which the watcher itself was awake counts: after a frozen process, a sleeping machine
/// or a starved watcher every beacon is late, and none of that is a wedge.
#[derive(Debug)]
pub(super) struct Vigil {
    patience: Duration,
    looked: Instant,
    seen: Sample,
    silent: Duration,
    stuck: Duration,
}

impl Vigil {
    pub(super) fn new(patience: Duration, now: Instant) -> Self {
        let seen = Sample::default();
        Self { patience, looked: now, seen, silent: Duration::ZERO, stuck: Duration::ZERO }
    }

    /// Begins anew: what was before the incarnation lived does not count.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self::new(self.patience, now);
    }

    fn step(&self) -> Duration {
        (self.patience / LOOKS).max(Duration::from_millis(1))
    }

    /// How often the beacon should beat.
    pub(super) fn beat(&self) -> Duration {
        self.step() / 2
    }

    /// Why the incarnation is wedged, if it is.
    fn look(&mut self, now: Instant, sample: Sample) -> Option<&'static str> {
        let awake = now.saturating_duration_since(self.looked).min(self.step());
        let beat = sample.beats != self.seen.beats;
        let idle_or_moving = !sample.some_wait || sample.taken != self.seen.taken;
        self.silent = if beat { Duration::ZERO } else { self.silent + awake };
        self.stuck = if idle_or_moving { Duration::ZERO } else { self.stuck + awake };
        (self.looked, self.seen) = (now, sample);
        if self.silent >= self.patience {
            Some("its thread is blocked")
        } else if self.stuck >= self.patience {
            Some("calls wait and none is begun")
        } else {
            None
        }
    }

    /// Resolves when the incarnation is wedged. Cancel safe.
    pub(super) async fn wedged(&mut self, pulse: &Pulse) -> &'static str {
        loop {
            tokio::time::sleep(self.step()).await;
            if let Some(why) = self.look(Instant::now(), pulse.sample()) {
                return why;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PATIENCE: Duration = Duration::from_secs(2);
    const STEP: Duration = Duration::from_millis(250);

    fn sample(beats: u64, taken: u64, some_wait: bool) -> Sample {
        Sample { beats, taken, some_wait }
    }

    /// Looks at steps until it is a wedge: how long that took.
    fn until_wedged(mut at: impl FnMut(u64) -> Sample) -> Option<(Duration, &'static str)> {
        let began = Instant::now();
        let mut vigil = Vigil::new(PATIENCE, began);
        (1..=100).find_map(|look| {
            let now = began + STEP * look;
            vigil.look(now, at(u64::from(look))).map(|why| (now - began, why))
        })
    }

    #[test]
    fn a_thread_that_beats_no_more_is_wedged_after_the_patience() {
        let (after, why) = until_wedged(|look| sample(look.min(4), 0, false)).unwrap();
        assert_eq!((after, why), (STEP * 4 + PATIENCE, "its thread is blocked"));
    }

    #[test]
    fn a_mailbox_from_which_nothing_is_taken_is_wedged_though_its_thread_beats() {
        let (after, why) = until_wedged(|look| sample(look, 7, true)).unwrap();
        assert_eq!((after, why), (STEP + PATIENCE, "calls wait and none is begun"));
    }

    #[test]
    fn time_in_which_the_watcher_slept_too_counts_for_one_step() {
        let began = Instant::now();
        let mut vigil = Vigil::new(PATIENCE, began);
        assert_eq!(vigil.look(began + STEP, sample(1, 0, false)), None);
        for look in 1..8 {
            let hours_later = began + Duration::from_secs(3600) * look;
            assert_eq!(vigil.look(hours_later, sample(1, 0, false)), None, "{look}");
        }
    }

    proptest! {
        /// However late beacon and watcher are: as long as there is one beat within the patience, and
        /// one call taken while some wait, nothing is wedged.
        #[test]
        fn what_still_moves_is_never_wedged(
            steps in prop::collection::vec((1_u64..5_000, 1_u64..7), 1..300),
        ) {
            let began = Instant::now();
            let (mut vigil, mut now, mut moved) = (Vigil::new(PATIENCE, began), began, 0);
            for (late, looks) in steps {
                moved += 1;
                for _ in 0..looks {
                    now += Duration::from_millis(late);
                    prop_assert_eq!(vigil.look(now, sample(moved, moved, true)), None);
                }
            }
        }
    }
}
