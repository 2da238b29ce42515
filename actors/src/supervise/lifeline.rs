use super::job::panic_text;
use super::status::Cause;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How a service's background work tells the supervisor that this incarnation is over.
#[derive(Debug, Clone)]
pub struct Lifeline {
    actor: &'static str,
    news: mpsc::UnboundedSender<End>,
}

/// Why an incarnation is over.
#[derive(Debug)]
pub(super) struct End {
    pub(super) cause: Cause,
    pub(super) error: String,
}

impl Lifeline {
    pub(super) fn new(actor: &'static str, news: mpsc::UnboundedSender<End>) -> Self {
        Self { actor, news }
    }

    /// Ask for a fresh incarnation; the first reason given counts.
    pub fn fail(&self, error: impl Into<String>) {
        self.end(Cause::Error, error.into());
    }

    /// Runs a task of the service on its arbiter; a panic in it ends the incarnation, as a panic in
    /// a call does. A bare `spawn` would leave a service that looks alive and does nothing.
    ///
    /// # Cancel safety
    /// Aborting the task drops the work.
    pub fn spawn(&self, work: impl Future<Output = ()> + 'static) -> JoinHandle<()> {
        let lifeline = self.clone();
        actix_rt::spawn(async move {
            if let Err(payload) = AssertUnwindSafe(work).catch_unwind().await {
                lifeline.end(Cause::Panic, panic_text(payload.as_ref()));
            }
        })
    }

    pub(super) fn end(&self, cause: Cause, error: String) {
        tracing::debug!(actor = self.actor, cause = cause.as_str(), %error, "an incarnation is over");
        // The supervisor may already be replacing this incarnation.
        let _ = self.news.send(End { cause, error });
    }

    /// A point of background work where tests may arm a fault; nothing without the feature.
    #[cfg(not(feature = "failpoints"))]
    #[inline]
    pub fn failpoint(&self, _: &str) {}

    /// A point of background work where tests may arm a fault: `<actor>::<point>`.
    #[cfg(feature = "failpoints")]
    pub fn failpoint(&self, point: &str) {
        use super::failpoint::{Fault, strike, take};
        match take(self.actor, point) {
            Some(Fault::Stop) => self.end(Cause::Stop, "failpoint".to_owned()),
            Some(Fault::Kill) => drop(actix_rt::Arbiter::current().stop()),
            Some(Fault::Error) => self.fail("failpoint"),
            Some(Fault::Crash) => strike(Some(Fault::Panic)),
            fault @ (Some(Fault::Panic | Fault::Wedge(_) | Fault::Stall) | None) => strike(fault),
        }
    }

    #[cfg(feature = "failpoints")]
    pub(super) fn actor(&self) -> &'static str {
        self.actor
    }
}
