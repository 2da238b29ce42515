use super::spec::{ChildSpec, Restarts};
use crate::resilience::Backoff;
use serde::Deserialize;
use std::time::Duration;

/// How every service of a tree is restarted.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupervisionSettings {
    /// More restarts of one service than this within the window end the process.
    pub intensity: usize,
    pub window_ms: u64,
    /// The pause before the second restart in a row; the first is immediate.
    pub backoff_ms: u64,
    pub backoff_max_ms: u64,
    /// A service that shows no sign of life for this long is abandoned and replaced.
    pub wedge_ms: u64,
}

impl Default for SupervisionSettings {
    fn default() -> Self {
        Self { intensity: 20, window_ms: 60_000, backoff_ms: 50, backoff_max_ms: 5_000, wedge_ms: 2_000 }
    }
}

impl SupervisionSettings {
    pub fn validate(&self) -> Result<(), String> {
        let require = |holds: bool, message: &str| if holds { Ok(()) } else { Err(message.to_owned()) };
        require(
            (1..=1_000_000).contains(&self.intensity),
            "supervision.intensity must be within 1..=1000000",
        )?;
        require(self.window_ms >= 1, "supervision.window_ms must be at least 1")?;
        require(
            (1..=self.backoff_max_ms).contains(&self.backoff_ms),
            "supervision.backoff_ms must be at least 1 and at most supervision.backoff_max_ms",
        )?;
        // Measured: at 60 ms a busy machine alone looks like a wedge.
        require(self.wedge_ms >= 500, "supervision.wedge_ms must be at least 500")
    }

    pub(super) fn spec(&self, name: &'static str, admission: usize) -> ChildSpec {
        let [window, base, max, wedge] =
            [self.window_ms, self.backoff_ms, self.backoff_max_ms, self.wedge_ms].map(Duration::from_millis);
        let restarts = Restarts { intensity: self.intensity, window, backoff: Backoff { base, max } };
        ChildSpec { name, admission, restarts, wedge, start_within: Duration::from_secs(60) }
    }
}
