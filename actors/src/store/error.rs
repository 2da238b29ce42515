use crate::supervise::CallError;
use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{0} not found")]
    NotFound(&'static str),
    #[error("{0}")]
    Conflict(String),
    /// Out of reach for now; the same call may succeed later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
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

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            return Self::Unavailable(error.to_string());
        };
        // The message alone: `detail` may quote row contents, which must never be logged.
        let text = format!("{} ({})", db.message(), db.code().code());
        match db.code() {
            &SqlState::QUERY_CANCELED => Self::Timeout,
            &SqlState::UNIQUE_VIOLATION | &SqlState::FOREIGN_KEY_VIOLATION => Self::Conflict(text),
            &SqlState::READ_ONLY_SQL_TRANSACTION
            | &SqlState::TOO_MANY_CONNECTIONS
            | &SqlState::T_R_DEADLOCK_DETECTED
            | &SqlState::T_R_SERIALIZATION_FAILURE => Self::Unavailable(text),
            // 08 connection, 53 resources, 57P administrator intervention and start-up, 58 system
            code if ["08", "53", "57P", "58"].iter().any(|class| code.code().starts_with(class)) => {
                Self::Unavailable(text)
            }
            _ => Self::Internal(text),
        }
    }
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => Self::Saturated,
            PoolError::Timeout(_) | PoolError::Closed => Self::Unavailable("no connection".to_owned()),
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => Self::Internal(error.to_string()),
        }
    }
}
