//! Pure state machines and value types: no actors, no I/O, no clock of their own.
//!
//! [`Circuit`], [`Limiter`] and [`RetryBudget`] share one of them each between callers: the only places
//! here that read the clock, and the circuit alone logs and counts.

mod backoff;
mod breaker;
mod circuit;
mod deadline;
mod gradient;
mod limiter;
pub mod random;
mod retry;
mod window;

pub use backoff::Backoff;
pub use breaker::{BreakerSettings, BreakerState};
pub use circuit::{BreakerStatus, Circuit, Open, Pass};
pub use deadline::Deadline;
pub use gradient::LimiterSettings;
pub use limiter::{CallOutcome, Limiter, Token};
pub use retry::RetryBudget;
