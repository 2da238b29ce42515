use std::time::Duration;

/// Exponential backoff with equal jitter: half of each delay is fixed, half is random, so that
/// restarts neither storm nor collapse to zero.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    pub base: Duration,
    pub max: Duration,
}

impl Backoff {
    /// The delay before attempt `attempt` (0 is immediate). `random` is uniform in `0.0..1.0`.
    #[must_use]
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        self.ceiling(attempt).mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
    }

    /// The delay before repeating a call, fully random below the same ceiling: many callers fail at
    /// once, and half a fixed delay would bring them back together.
    #[must_use]
    pub fn full_jitter(&self, attempt: u32, random: f64) -> Duration {
        self.ceiling(attempt).mul_f64(random.clamp(0.0, 1.0))
    }

    fn ceiling(&self, attempt: u32) -> Duration {
        let Some(exponent) = attempt.checked_sub(1) else {
            return Duration::ZERO;
        };
        self.base.saturating_mul(1_u32.checked_shl(exponent).unwrap_or(u32::MAX)).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(10) };

    proptest! {
        #[test]
        fn the_first_restart_is_immediate_and_later_ones_stay_within_their_bounds(
            attempt in 0_u32..200,
            random in 0.0_f64..1.0,
        ) {
            let delay = BACKOFF.delay(attempt, random);
            if attempt == 0 {
                prop_assert_eq!(delay, Duration::ZERO);
            } else {
                prop_assert!(delay >= BACKOFF.base / 2);
                prop_assert!(delay <= BACKOFF.max);
            }
            prop_assert!(BACKOFF.full_jitter(attempt, random) <= delay);
        }
    }
}
