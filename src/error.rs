//! The one closed set of errors a caller can see, mapped once each to HTTP, OpenAI and MCP.

use mcp_rag_actors::remote::ModelError;
use mcp_rag_actors::store::StoreError;
use mcp_rag_actors::supervise::CallError;
use std::borrow::Cow;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    InvalidRequest,
    UnknownField,
    Unauthorized,
    /// A token that is wrong, or good no longer: another one may be had.
    InvalidToken,
    /// The credential is valid and not good for this.
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    /// An `Idempotency-Key` that stands for another request.
    KeyReused,
    /// A request with the same `Idempotency-Key` is under way.
    InProgress,
    PayloadTooLarge,
    UnsupportedMediaType,
    /// The client took too long to send its request.
    RequestTimeout,
    /// `degrade: forbid` and a stage was away.
    Degraded,
    /// A limit of the caller's own, or of its tenant, is used up.
    RateLimited,
    Overloaded,
    Unavailable,
    DeadlineExceeded,
    Internal,
}

impl Code {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::UnknownField => "unknown_field",
            Self::Unauthorized => "unauthorized",
            Self::InvalidToken => "invalid_token",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::KeyReused => "idempotency_key_reused",
            Self::InProgress => "request_in_progress",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::RequestTimeout => "request_timeout",
            Self::Degraded => "degraded",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Internal => "internal_error",
        }
    }
}

/// An error that is safe to show: its message names the remedy and no secret, question or text.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub code: Code,
    pub message: Cow<'static, str>,
    pub param: Option<Cow<'static, str>>,
    /// When the same request may succeed, where that is known.
    pub retry_after: Option<Duration>,
    /// For the log alone.
    pub cause: Option<String>,
}

impl Error {
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), param: None, retry_after: None, cause: None }
    }

    pub fn invalid(param: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidRequest, message).about(param)
    }

    pub fn internal(cause: &dyn ToString) -> Self {
        Self::new(Code::Internal, "an internal error; it is logged").because(cause)
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("{what} not found"))
    }

    #[must_use]
    pub fn about(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    #[must_use]
    pub fn retry_after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }

    fn because(mut self, cause: &dyn ToString) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    pub fn is_temporary(&self) -> bool {
        match self.code {
            Code::RateLimited | Code::Overloaded | Code::Unavailable | Code::DeadlineExceeded => true,
            Code::InvalidRequest
            | Code::UnknownField
            | Code::Unauthorized
            | Code::InvalidToken
            | Code::Forbidden
            | Code::NotFound
            | Code::MethodNotAllowed
            | Code::Conflict
            | Code::KeyReused
            | Code::InProgress
            | Code::PayloadTooLarge
            | Code::UnsupportedMediaType
            | Code::RequestTimeout
            | Code::Degraded
            | Code::Internal => false,
        }
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        let (code, message) = match error {
            CallError::Overloaded => (Code::Overloaded, "too much is under way: try again shortly"),
            CallError::Timeout => (Code::DeadlineExceeded, "the request took longer than its time limit"),
            CallError::Draining => (Code::Unavailable, "this server is shutting down: try again"),
            CallError::Down { .. } | CallError::NotStarted | CallError::Lost => {
                (Code::Unavailable, "a part of the server is restarting: try again shortly")
            }
        };
        Self::new(code, message).because(&error)
    }
}

impl From<ModelError> for Error {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Call(call) => call.into(),
            ModelError::Rejected(_) => {
                Self::new(Code::Internal, "a model rejected what it was sent; it is logged").because(&error)
            }
            ModelError::NotConfigured | ModelError::Open { .. } | ModelError::Failed { .. } => {
                Self::new(Code::Unavailable, "a model is unavailable: try again shortly").because(&error)
            }
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => Self::not_found(what),
            StoreError::Call(call) => call.into(),
            StoreError::Conflict(ref text) => Self::new(Code::Conflict, text.clone()),
            StoreError::Hidden(text) => Self::new(Code::Forbidden, text),
            StoreError::Unavailable(_) | StoreError::CircuitOpen { .. } => {
                Self::new(Code::Unavailable, "the database is unavailable: try again shortly").because(&error)
            }
            StoreError::ReadOnly(_) => Self::new(
                Code::Unavailable,
                "nothing can be written now, the database is read-only: try again shortly",
            )
            .because(&error),
            StoreError::Saturated => {
                Self::new(Code::Overloaded, "too much is under way: try again shortly").because(&error)
            }
            StoreError::Timeout => {
                Self::new(Code::DeadlineExceeded, "the request took longer than its time limit")
                    .because(&error)
            }
            StoreError::Internal(_) => {
                Self::new(Code::Internal, "an internal error; it is logged").because(&error)
            }
        }
    }
}
