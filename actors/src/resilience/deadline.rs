use std::time::{Duration, Instant};

/// The instant after which nobody waits for the work any more.
///
/// Set once where a request enters the process and carried by every message; each hop may shorten
/// it, none may extend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    #[must_use]
    pub fn within(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// The earlier of this deadline and `limit` from now.
    #[must_use]
    pub fn capped(self, limit: Duration) -> Self {
        self.min(Self::within(limit))
    }

    /// Time left; zero when it has passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    #[must_use]
    pub fn has_passed(self) -> bool {
        self.remaining().is_zero()
    }

    #[must_use]
    pub fn instant(self) -> Instant {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hop_can_shorten_a_deadline_but_never_extend_it() {
        let deadline = Deadline::within(Duration::from_secs(5));
        assert!(deadline.capped(Duration::from_secs(1)) < deadline);
        assert_eq!(deadline.capped(Duration::from_secs(60)), deadline);
    }

    #[test]
    fn a_passed_deadline_has_nothing_remaining() {
        let deadline = Deadline::within(Duration::ZERO);
        assert!(deadline.has_passed());
        assert_eq!(deadline.remaining(), Duration::ZERO);
    }
}
