use super::job::{Job, Permit, Request, Serve, Service, Worker};
use super::status::{ActorState, ActorStatus, Meter};
use crate::resilience::Deadline;
use actix::Addr;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// Why a call has no answer from its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("the service is restarting")]
    Down { retry_in: Duration },
    #[error("the service has no place free")]
    Overloaded,
    #[error("the service is draining")]
    Draining,
    /// The work never began: always safe to repeat.
    #[error("the service ended before the work began")]
    NotStarted,
    /// The work began and its outcome is unknown: repeat only what is idempotent.
    #[error("the service ended while it worked")]
    Lost,
    #[error("the deadline passed")]
    Timeout,
}

/// The stable way to reach a service, whichever incarnation lives.
pub struct Handle<S: Service> {
    pub(super) inner: Arc<Inner<S>>,
}

pub(super) struct Inner<S: Service> {
    pub(super) address: ArcSwapOption<Addr<Worker<S>>>,
    pub(super) meter: Arc<Meter>,
    admission: usize,
}

impl<S: Service> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<S: Service> Handle<S> {
    pub(super) fn new(name: &'static str, admission: usize) -> Self {
        Self {
            inner: Arc::new(Inner {
                address: ArcSwapOption::empty(),
                meter: Arc::new(Meter::new(name)),
                admission,
            }),
        }
    }

    /// Asks the service and waits until the deadline.
    ///
    /// # Cancel safety
    /// Dropping the future drops the work behind it, begun or not.
    #[expect(clippy::disallowed_methods, reason = "the one place that sends; the permit is the bound")]
    pub async fn call<M: Request>(&self, message: M, deadline: Deadline) -> Result<M::Reply, CallError>
    where
        S: Serve<M>,
    {
        let meter = &self.inner.meter;
        match meter.state() {
            ActorState::Draining | ActorState::Stopped | ActorState::Failed => {
                return Err(CallError::Draining);
            }
            ActorState::Starting | ActorState::Running | ActorState::Down => {}
        }
        let down = || CallError::Down { retry_in: meter.retry_in() };
        let address = self.inner.address.load_full().ok_or_else(down)?;
        let permit = Permit::try_new(meter, self.inner.admission).ok_or(CallError::Overloaded)?;
        let (reply, answer) = oneshot::channel();
        let begun = Arc::new(AtomicBool::new(false));
        let span = crate::trace::hop(meter.name());
        let job = Job { message, deadline, reply, begun: Arc::clone(&begun), permit, span };
        address.try_send(job).map_err(|_| down())?;
        match tokio::time::timeout_at(deadline.instant().into(), answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Err(_) => Err(CallError::Timeout),
            // The job saw its deadline pass a moment before we did.
            Ok(Err(_)) if deadline.has_passed() => Err(CallError::Timeout),
            Ok(Err(_)) if begun.load(Ordering::Acquire) => Err(CallError::Lost),
            Ok(Err(_)) => Err(CallError::NotStarted),
        }
    }

    #[must_use]
    pub fn status(&self) -> ActorStatus {
        self.inner.meter.snapshot()
    }
}
