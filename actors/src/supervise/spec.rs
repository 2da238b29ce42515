use crate::resilience::Backoff;
use std::time::Duration;

/// How a service is run and restarted.
#[derive(Debug, Clone, Copy)]
pub struct ChildSpec {
    pub name: &'static str,
    /// Calls admitted at once, waiting and running together.
    pub admission: usize,
    pub restarts: Restarts,
    /// How long one start may take.
    pub start_within: Duration,
}

/// OTP's restart intensity: more than `intensity` restarts within `window` means that restarting
/// does not help, and the whole process gives up instead of hiding it.
#[derive(Debug, Clone, Copy)]
pub struct Restarts {
    pub intensity: usize,
    pub window: Duration,
    pub backoff: Backoff,
}

impl Default for Restarts {
    fn default() -> Self {
        Self {
            intensity: 20,
            window: Duration::from_secs(60),
            backoff: Backoff { base: Duration::from_millis(50), max: Duration::from_secs(5) },
        }
    }
}

impl ChildSpec {
    #[must_use]
    pub fn new(name: &'static str, admission: usize) -> Self {
        Self { name, admission, restarts: Restarts::default(), start_within: Duration::from_secs(60) }
    }

    #[must_use]
    pub fn start_within(mut self, limit: Duration) -> Self {
        self.start_within = limit;
        self
    }
}
