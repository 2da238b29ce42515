//! Supervision that really restarts.
//!
//! actix's own `Supervisor` does not survive a panic, restarts the *same* instance and has no
//! backoff (docs/adr/0001-supervision.md). Here every incarnation of a service is a fresh value
//! from an async factory on a fresh arbiter (a thread of its own), so a blocked or panicking
//! service stalls no other.
//!
//! * Ownership: the [`Tree`] owns the supervising tasks; callers own [`Handle`]s, which find the
//!   live incarnation and never expose an `Addr`.
//! * Overload: admission is a counter per service; with no place free a call fails at once with
//!   [`CallError::Overloaded`]. The actix mailbox behind it therefore never grows beyond it.
//! * Cancel safety: dropping a call drops the work behind it. When an incarnation dies its callers
//!   learn at once: `NotStarted` is always safe to repeat, `Lost` only if the work is idempotent.

mod child;
#[cfg(feature = "failpoints")]
pub mod failpoint;
mod handle;
mod incarnation;
mod job;
mod lifeline;
mod load;
mod meter;
mod priority;
#[cfg(feature = "failpoints")]
mod provoke;
mod pulse;
mod root;
mod settings;
mod spec;
mod status;
mod tree;
mod vigil;

pub use handle::{CallError, Handle};
pub use job::{Request, Serve, Service};
pub use lifeline::Lifeline;
pub use priority::Priority;
pub use settings::SupervisionSettings;
pub use spec::{ChildSpec, Restarts};
pub use status::{ActorState, ActorStatus, Cause};
pub use tree::{Failure, StartError, Tree};
