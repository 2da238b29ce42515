//! Pure state machines and value types: no actors, no I/O, no clock of their own.
//!
//! [`Circuit`] shares one of them between callers: the only place here that reads the clock, logs and
//! counts.

mod backoff;
mod breaker;
mod circuit;
mod deadline;
pub mod random;
mod window;

pub use backoff::Backoff;
pub use breaker::{BreakerSettings, BreakerState};
pub use circuit::{BreakerStatus, Circuit, Open, Pass};
pub use deadline::Deadline;
