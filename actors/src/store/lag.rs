//! How far a replica is behind, in time, from positions in the write-ahead log: no clock but ours, and a
//! replica whose stream is cut is seen to fall behind. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// About a minute of the writer's positions, one a second.
const KEPT: usize = 64;

/// Where the writer's log ended, and when.
#[derive(Debug, Default)]
pub(super) struct Positions(VecDeque<(Instant, i64)>);

impl Positions {
    pub(super) fn record(&mut self, now: Instant, position: i64) {
        // Another writer took over, whose log ended earlier: what was seen before is not comparable.
        if self.0.back().is_some_and(|(_, last)| position < *last) {
            self.0.clear();
        }
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((now, position));
    }

    /// At most how long ago the replica's state was the writer's; `None` before the writer was seen.
    pub(super) fn lag(&self, now: Instant, replayed: i64) -> Option<Duration> {
        let (_, newest) = self.0.back()?;
        if replayed >= *newest {
            return Some(Duration::ZERO);
        }
        let reached = self.0.iter().rev().find(|(_, position)| *position <= replayed);
        let (since, _) = reached.or(self.0.front())?;
        Some(now.saturating_duration_since(*since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_replica_is_as_old_as_the_newest_position_it_has_reached() {
        let (start, mut positions) = (Instant::now(), Positions::default());
        assert_eq!(positions.lag(start, 0), None);
        for second in 0..100_u32 {
            positions.record(start + Duration::from_secs(second.into()), i64::from(second) * 10);
        }
        let now = start + Duration::from_millis(99_500);
        assert_eq!(positions.lag(now, 990), Some(Duration::ZERO));
        assert_eq!(positions.lag(now, 989), Some(Duration::from_millis(1500)));
        assert_eq!(positions.lag(now, 0), Some(Duration::from_millis(63_500)), "at least as much as is kept");
        positions.record(now, 500);
        assert_eq!(positions.lag(now, 500), Some(Duration::ZERO), "a promoted standby's log is shorter");
    }

    proptest! {
        #[test]
        fn one_that_has_replayed_more_is_never_further_behind(
            steps in prop::collection::vec((1_u64..2000, 0_i64..100), 1..200),
            one in 0_i64..20_000, other in 0_i64..20_000,
        ) {
            let (mut now, mut position, mut positions) = (Instant::now(), 0, Positions::default());
            for (millis, written) in steps {
                now += Duration::from_millis(millis);
                position += written;
                positions.record(now, position);
            }
            let (less, more) = (one.min(other), one.max(other));
            prop_assert!(positions.lag(now, more) <= positions.lag(now, less));
        }
    }
}
