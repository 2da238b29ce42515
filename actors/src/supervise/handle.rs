use super::job::{Job, Request, Serve, Service, Slot, Worker};
use super::load::Load;
use super::meter::Meter;
use super::priority::Priority;
use super::pulse::Pulse;
use super::status::{ActorState, ActorStatus};
use crate::resilience::{Deadline, RetryBudget, random};
use actix::Addr;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// How often a call is made again because its incarnation ended.
const REPEATS: u32 = 3;
/// A successor that takes longer is not waited for: the caller learns that the service is down.
const SUCCESSOR_WITHIN: Duration = Duration::from_millis(250);

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
    live: ArcSwapOption<Live<S>>,
    /// A successor is there, or there will be none soon.
    news: Notify,
    pub(super) meter: Arc<Meter>,
    admission: usize,
    budget: RetryBudget,
}

/// The incarnation that calls go to.
pub(super) struct Live<S: Service> {
    pub(super) address: Addr<Worker<S>>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) load: Arc<Load>,
}

impl<S: Service> Inner<S> {
    pub(super) fn publish(&self, live: Live<S>) {
        self.live.store(Some(Arc::new(live)));
        self.meter.enter(ActorState::Running);
        self.news.notify_waiters();
    }

    pub(super) fn withdraw(&self) {
        self.live.store(None);
        self.news.notify_waiters();
    }

    /// Waits for another incarnation than `old`; false when there is none soon enough.
    async fn successor(&self, old: Option<&Arc<Live<S>>>, deadline: Deadline) -> bool {
        let until = deadline.capped(SUCCESSOR_WITHIN).instant();
        let arrived = async {
            loop {
                let mut news = std::pin::pin!(self.news.notified());
                news.as_mut().enable();
                let live = self.live.load();
                if let Some(live) = live.as_ref()
                    && !old.is_some_and(|old| Arc::ptr_eq(old, live))
                {
                    return true;
                }
                drop(live);
                if Instant::now() + self.meter.retry_in() > until {
                    return false;
                }
                news.await;
            }
        };
        tokio::time::timeout_at(until.into(), arrived).await.unwrap_or(false)
    }
}

impl<S: Service> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

/// A call that failed, with its message if the work never began.
struct Failed<S: Service, M> {
    error: CallError,
    message: Option<M>,
    /// The incarnation that failed it; another may do better.
    by: Option<Arc<Live<S>>>,
    /// Its own work panicked, so it may do so again.
    panicked: bool,
}

impl<S: Service, M> Failed<S, M> {
    fn finally(error: CallError) -> Self {
        Self { error, message: None, by: None, panicked: false }
    }
}

impl<S: Service> Handle<S> {
    pub(super) fn new(name: &'static str, admission: usize) -> Self {
        let inner = Inner {
            live: ArcSwapOption::empty(),
            news: Notify::new(),
            meter: Arc::new(Meter::new(name)),
            admission,
            budget: RetryBudget::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Asks the service and waits until the deadline.
    ///
    /// A call whose incarnation ends is made again by itself where that is safe and the successor is
    /// there soon: always if the work never began, which adds nothing to anybody's load; within the
    /// retry budget if the request says that it may be repeated ([`Request::repeat`]), and only once
    /// if its own work panicked.
    ///
    /// # Cancel safety
    /// Dropping the future drops the work behind it, begun or not.
    pub async fn call<M: Request>(&self, message: M, deadline: Deadline) -> Result<M::Reply, CallError>
    where
        S: Serve<M>,
    {
        let meter = &self.inner.meter;
        let priority = message.priority();
        let mut spare = message.repeat();
        if spare.is_some() {
            self.inner.budget.deposit();
        }
        let (mut message, mut repeats, mut panics) = (message, 0, 0);
        let result = loop {
            let failed = match self.once(message, priority, deadline).await {
                Ok(reply) => break Ok(reply),
                Err(failed) => failed,
            };
            panics += u32::from(failed.panicked);
            if repeats == REPEATS || panics > 1 {
                break Err(failed.error);
            }
            let again = match failed.error {
                CallError::Down { .. } | CallError::NotStarted => failed.message,
                CallError::Lost if spare.is_some() && self.inner.budget.withdraw() => spare.take(),
                CallError::Lost | CallError::Overloaded | CallError::Draining | CallError::Timeout => None,
            };
            let Some(again) = again else { break Err(failed.error) };
            if !self.inner.successor(failed.by.as_ref(), deadline).await {
                break Err(failed.error);
            }
            // Not all at the very moment the successor is there.
            tokio::time::sleep(Duration::from_millis(1 << repeats).mul_f64(random::uniform())).await;
            meter.repeated();
            if spare.is_none() {
                spare = again.repeat();
            }
            (message, repeats) = (again, repeats + 1);
        };
        meter.called(result.as_ref().err().copied(), priority);
        result
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that sends; the permit is the bound")]
    async fn once<M: Request>(
        &self,
        message: M,
        priority: Priority,
        deadline: Deadline,
    ) -> Result<M::Reply, Failed<S, M>>
    where
        S: Serve<M>,
    {
        let meter = &self.inner.meter;
        match meter.state() {
            ActorState::Draining | ActorState::Stopped | ActorState::Failed => {
                return Err(Failed::finally(CallError::Draining));
            }
            ActorState::Starting | ActorState::Running | ActorState::Down => {}
        }
        let down = || CallError::Down { retry_in: meter.retry_in() };
        let Some(live) = self.inner.live.load_full() else {
            return Err(Failed { error: down(), message: Some(message), by: None, panicked: false });
        };
        let Some(permit) = live.load.admit(priority.limit(self.inner.admission)) else {
            return Err(Failed::finally(CallError::Overloaded));
        };
        let (reply, mut answer) = oneshot::channel();
        let slot = Arc::new(Slot::new(message));
        let span = crate::trace::hop(meter.name());
        let job = Job { slot: Arc::clone(&slot), deadline, reply, permit, span };
        live.pulse.sent();
        if live.address.try_send(job).is_err() {
            return Err(Failed { error: down(), message: slot.take(), by: Some(live), panicked: false });
        }
        let late = tokio::select! {
            biased;
            answer = &mut answer => match answer {
                Ok(answer) => return Ok(answer),
                // The job saw the deadline pass a moment before we did.
                Err(_) => deadline.has_passed(),
            },
            () = live.pulse.given_up() => false,
            () = tokio::time::sleep_until(deadline.instant().into()) => true,
        };
        // From here on the work cannot begin any more.
        let message = slot.take();
        let error = match (late, &message) {
            (true, _) => CallError::Timeout,
            (false, Some(_)) => CallError::NotStarted,
            (false, None) => CallError::Lost,
        };
        Err(Failed { error, message, by: Some(live), panicked: slot.panicked() })
    }

    #[must_use]
    pub fn status(&self) -> ActorStatus {
        self.inner.meter.snapshot()
    }
}
