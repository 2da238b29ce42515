use crate::supervise::CallError;
use std::time::Duration;
use tokio_postgres::error::{DbError, SqlState};

/// Why the database did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("{0} not found")]
    NotFound(&'static str),
    #[error("{0}")]
    Conflict(String),
    /// It is about documents that whoever calls may not see.
    #[error("{0}")]
    Hidden(&'static str),
    /// Out of reach for now; the same call may succeed later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// Not even asked: it did not answer lately and is asked again after this time.
    #[error("the database is unavailable: its circuit is open")]
    CircuitOpen { retry_in: Duration },
    /// Only reads are answered until a server that accepts writes is found.
    #[error("the database is read-only: {0}")]
    ReadOnly(String),
    /// No connection became free in time.
    #[error("the database has no connection free")]
    Saturated,
    /// Cancelled at its time limit.
    #[error("the database took too long")]
    Timeout,
    #[error(transparent)]
    Call(#[from] CallError),
    /// A fault of ours; the text is for the log, never for a client.
    #[error("the database refused a statement: {0}")]
    Internal(String),
}

impl StoreError {
    /// Whether another server may well answer the same question.
    pub(super) fn is_of_the_server(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::CircuitOpen { .. } | Self::Saturated)
    }
}

/// The message alone: `detail` may quote row contents, which must never be logged.
pub(super) fn text(db: &DbError) -> String {
    format!("{} ({})", db.message(), db.code().code())
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            return Self::Unavailable(error.to_string());
        };
        let text = text(db);
        match db.code() {
            &SqlState::QUERY_CANCELED => Self::Timeout,
            &SqlState::UNIQUE_VIOLATION | &SqlState::FOREIGN_KEY_VIOLATION => Self::Conflict(text),
            // Row-level security: a write that it does not let through.
            &SqlState::INSUFFICIENT_PRIVILEGE if db.routine() == Some("ExecWithCheckOptions") => {
                Self::Hidden("a document of this name is not for this credential")
            }
            &SqlState::READ_ONLY_SQL_TRANSACTION => Self::ReadOnly(text),
            &SqlState::T_R_DEADLOCK_DETECTED
            | &SqlState::T_R_SERIALIZATION_FAILURE
            | &SqlState::LOCK_NOT_AVAILABLE => Self::Unavailable(text),
            // 08 connection, 28 credentials, 53 resources, 57P administrator and start-up, 58 system
            code if ["08", "28", "53", "57P", "58"].iter().any(|class| code.code().starts_with(class)) => {
                Self::Unavailable(text)
            }
            _ => Self::Internal(text),
        }
    }
}
