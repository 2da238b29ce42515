use crate::resilience::Open;
use crate::supervise::CallError;
use std::time::Duration;

/// Why a model gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    #[error("no such model is configured")]
    NotConfigured,
    /// Not asked at all: it failed a moment ago.
    #[error("the circuit is open")]
    Open { retry_in: Duration },
    /// The text is for the log: a status or a transport error, never content, a URL or a key.
    #[error("the model failed: {text}")]
    Failed { text: String, retry_after: Option<Duration> },
    /// It says that this one request is wrong; the next may be right.
    #[error("the model rejected the request: status {0}")]
    Rejected(u16),
    #[error("the model is not available: {0}")]
    Call(#[from] CallError),
}

impl ModelError {
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::Failed { text: text.into(), retry_after: None }
    }

    /// The reason as `degraded` entries name it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::Open { .. } => "circuit_open",
            Self::Failed { .. } | Self::Rejected(_) => "failed",
            Self::Call(CallError::Overloaded) => "overloaded",
            Self::Call(CallError::Timeout) => "deadline_exceeded",
            Self::Call(
                CallError::Down { .. } | CallError::Draining | CallError::NotStarted | CallError::Lost,
            ) => "unavailable",
        }
    }
}

impl From<Open> for ModelError {
    fn from(open: Open) -> Self {
        Self::Open { retry_in: open.retry_in }
    }
}

/// The kind of failure without the URL, which may hold a key.
impl From<reqwest::Error> for ModelError {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        // The text alone says little ("error sending request"); the cause says what happened.
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self::failed(text)
    }
}
