//! What calls to any HTTP model server have in common: chat models, embedders, rerankers.
//!
//! * [`Api`] owns the connections: authentication, bounded replies, no redirects, no URL in any error.
//! * [`Guarded`] puts around each call what keeps a bad server from hurting anyone: a bounded number of
//!   calls at once, the circuit, a time limit, one repeat from a budget.
//! * [`ModelError`] tells apart who is to blame, which decides what the circuit learns.
//!
//! Overload: calls beyond the places wait, within their deadline; the admission of the actor in front
//! bounds how many. Cancel safety: dropping a call closes its connection.

mod api;
mod error;
mod guarded;

pub(crate) use api::{Api, Key};
pub use error::ModelError;
pub(crate) use guarded::{Guarded, Urgency, in_time};

use crate::resilience::{BreakerSettings, Pass};
use crate::supervise::CallError;
use std::time::Duration;

/// The breaker of a model server whose calls are cut off after `timeout`, which is a failure already:
/// calls that take over half of it are slow.
pub(crate) fn breaker(timeout: Duration) -> BreakerSettings {
    BreakerSettings { slow_call: timeout.mul_f64(0.5), ..BreakerSettings::default() }
}

/// What the circuit learns from a call.
pub(crate) fn conclude<T>(pass: Pass, outcome: &Result<T, ModelError>) {
    match outcome {
        Ok(_) => pass.succeed(),
        Err(error) => settle(pass, error),
    }
}

/// What the circuit learns from a call that failed.
pub(crate) fn settle(pass: Pass, error: &ModelError) {
    match error {
        ModelError::Failed { retry_after: Some(wait), .. } => pass.refused_for(*wait),
        ModelError::Failed { retry_after: None, .. } | ModelError::Call(CallError::Lost) => pass.fail(),
        // Our own overload, a caller in a hurry, a request the server rightly refused.
        ModelError::Call(
            CallError::Overloaded
            | CallError::Timeout
            | CallError::Down { .. }
            | CallError::Draining
            | CallError::NotStarted,
        )
        | ModelError::NotConfigured
        | ModelError::Open { .. }
        | ModelError::Rejected(_) => pass.ignore(),
    }
}
