use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorState {
    Starting,
    Running,
    /// Waiting for the next restart.
    Down,
    Draining,
    Stopped,
    /// Restarts exhausted; the process is about to end.
    Failed,
}

/// Why an incarnation ended. Like Unix exit statuses, each calls for another reaction, so each is
/// counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Panic,
    /// The service gave up on itself, or its factory failed.
    Error,
    /// The actor stopped though nobody asked it to.
    Stop,
    /// Its arbiter (thread) died.
    Kill,
    /// Its thread showed no sign of life, or took no call though some waited.
    Wedge,
}

impl Cause {
    pub(super) const ALL: [Self; 5] = [Self::Panic, Self::Error, Self::Stop, Self::Kill, Self::Wedge];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Error => "error",
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Wedge => "wedge",
        }
    }
}

/// A snapshot of one supervised service.
#[derive(Debug, Clone, Serialize)]
pub struct ActorStatus {
    pub name: &'static str,
    pub state: ActorState,
    pub restarts: u64,
    pub restarts_by_cause: RestartCounts,
    /// Blocked threads that were given up and have not ended yet.
    pub abandoned: usize,
    /// Calls admitted and not yet begun.
    pub mailbox: usize,
    pub in_flight: usize,
    pub last_error: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct RestartCounts {
    pub panic: u64,
    pub error: u64,
    pub stop: u64,
    pub kill: u64,
    pub wedge: u64,
}
