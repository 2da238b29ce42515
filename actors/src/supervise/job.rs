use super::lifeline::Lifeline;
use super::load::Permit;
use super::priority::Priority;
use super::pulse::Pulse;
use super::status::Cause;
use crate::resilience::Deadline;
use actix::{Actor, Context, Handler, Message};
use futures_util::FutureExt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

/// Something a service can be asked; `Reply` is usually a `Result` with the service's own error.
pub trait Request: Send + Sized + 'static {
    type Reply: Send + 'static;

    /// Who is refused first when places run out.
    fn priority(&self) -> Priority {
        Priority::Interactive
    }

    /// A copy to ask again with, should the service end while it works on this one: for what is
    /// idempotent and cheap to copy. `None`: the caller is told that the outcome is unknown.
    fn repeat(&self) -> Option<Self> {
        None
    }
}

/// A dependency's sole owner. Built by a factory on its own arbiter, so it need not be `Send`.
pub trait Service: Sized + 'static {
    /// Let go of what is owned, in order; called once, after the last job has ended.
    fn stop(self: Rc<Self>) -> impl Future<Output = ()> {
        async {}
    }
}

/// How a service answers one kind of request.
///
/// Jobs of one service run concurrently on its arbiter, so they must not block it.
pub trait Serve<M: Request>: Service {
    fn serve(self: Rc<Self>, message: M, deadline: Deadline) -> impl Future<Output = M::Reply>;
}

/// A request on its way: with its place in the admission, its deadline and its caller.
pub(super) struct Job<M: Request> {
    pub(super) slot: Arc<Slot<M>>,
    pub(super) deadline: Deadline,
    pub(super) reply: oneshot::Sender<M::Reply>,
    pub(super) permit: Permit,
    /// From the call to the end of the work, waiting included.
    pub(super) span: Span,
}

/// Where a message lies until its work begins. Whoever takes it decides: the service, that the work
/// begins, or the caller, that it never will. So `NotStarted` is certain, even of a blocked thread.
pub(super) struct Slot<M> {
    message: Mutex<Option<M>>,
    panicked: AtomicBool,
}

impl<M> Slot<M> {
    pub(super) fn new(message: M) -> Self {
        Self { message: Mutex::new(Some(message)), panicked: AtomicBool::new(false) }
    }

    pub(super) fn take(&self) -> Option<M> {
        self.message.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn panicked(&self) -> bool {
        self.panicked.load(Ordering::Acquire)
    }
}

impl<M: Request> Message for Job<M> {
    type Result = ();
}

/// The actix actor around a service.
pub(super) struct Worker<S> {
    pub(super) service: Rc<S>,
    pub(super) lifeline: Lifeline,
    pub(super) pulse: Arc<Pulse>,
    /// Held by every running job of this incarnation.
    pub(super) busy: Rc<()>,
}

impl<S: Service> Actor for Worker<S> {
    type Context = Context<Self>;
}

impl<S: Serve<M>, M: Request> Handler<Job<M>> for Worker<S> {
    type Result = ();

    #[cfg_attr(not(feature = "failpoints"), expect(unused_variables, reason = "only faults use the context"))]
    fn handle(&mut self, job: Job<M>, context: &mut Self::Context) {
        self.pulse.taken();
        #[cfg(feature = "failpoints")]
        let fault = super::failpoint::take(self.lifeline.actor(), "job");
        #[cfg(feature = "failpoints")]
        if fault.is_some_and(|fault| self.suffer(fault, context)) {
            return;
        }
        let Job { slot, deadline, mut reply, mut permit, span } = job;
        if reply.is_closed() || deadline.has_passed() {
            return; // nobody waits any more
        }
        let Some(message) = slot.take() else { return };
        permit.begin();
        let (service, lifeline) = (Rc::clone(&self.service), self.lifeline.clone());
        let busy = Rc::clone(&self.busy);
        actix_rt::spawn(async move {
            let _held = (permit, busy);
            let work = async {
                #[cfg(feature = "failpoints")]
                super::failpoint::strike(fault);
                service.serve(message, deadline).await
            };
            let work = AssertUnwindSafe(work.instrument(span));
            let outcome = tokio::select! {
                outcome = work.catch_unwind() => outcome,
                () = reply.closed() => return,
                () = tokio::time::sleep_until(deadline.instant().into()) => return,
            };
            match outcome {
                // The caller may have left meanwhile; then there is nobody to tell.
                Ok(answer) => drop(reply.send(answer)),
                Err(payload) => {
                    slot.panicked.store(true, Ordering::Release);
                    lifeline.end(Cause::Panic, panic_text(payload.as_ref()));
                }
            }
        });
    }
}

/// A panic's own message; panics carry no user text by house rule.
pub(super) fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}
