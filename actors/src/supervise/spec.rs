use super::settings::SupervisionSettings;
use crate::resilience::Backoff;
use std::time::Duration;

/// How a service is run and restarted.
#[derive(Debug, Clone, Copy)]
pub struct ChildSpec {
    pub name: &'static str,
    /// Calls admitted at once, waiting and running together.
    pub admission: usize,
    pub restarts: Restarts,
    /// How long the service's thread may show no sign of life before it is abandoned.
    pub wedge: Duration,
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

impl ChildSpec {
    /// With default settings; a server's services take those of their tree: [`super::Tree::spec`].
    #[must_use]
    pub fn new(name: &'static str, admission: usize) -> Self {
        SupervisionSettings::default().spec(name, admission)
    }

    #[must_use]
    pub fn start_within(mut self, limit: Duration) -> Self {
        self.start_within = limit;
        self
    }
}
