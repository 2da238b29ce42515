//! Pure state machines and value types: no actors, no I/O, no clock of their own.

mod backoff;
mod deadline;

pub use backoff::Backoff;
pub use deadline::Deadline;
