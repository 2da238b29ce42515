use super::lifeline::Lifeline;
use super::status::{Cause, Meter};
use crate::resilience::Deadline;
use actix::{Actor, Context, Handler, Message};
use futures_util::FutureExt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

/// Something a service can be asked; `Reply` is usually a `Result` with the service's own error.
pub trait Request: Send + 'static {
    type Reply: Send + 'static;
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

/// A place in a service's bounded admission; freed on drop, however the job ends.
pub(super) struct Permit(Arc<Meter>);

impl Permit {
    pub(super) fn try_new(meter: &Arc<Meter>, limit: usize) -> Option<Self> {
        meter
            .admitted
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |n| (n < limit).then_some(n + 1))
            .ok()
            .map(|_| Self(Arc::clone(meter)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.admitted.fetch_sub(1, Ordering::AcqRel);
    }
}

struct Running(Arc<Meter>);

impl Running {
    fn new(meter: &Arc<Meter>) -> Self {
        meter.running.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(meter))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A request on its way: with its place in the admission, its deadline and its caller.
pub(super) struct Job<M: Request> {
    pub(super) message: M,
    pub(super) deadline: Deadline,
    pub(super) reply: oneshot::Sender<M::Reply>,
    pub(super) begun: Arc<AtomicBool>,
    pub(super) permit: Permit,
    /// From the call to the end of the work, waiting included.
    pub(super) span: Span,
}

impl<M: Request> Message for Job<M> {
    type Result = ();
}

/// The actix actor around a service.
pub(super) struct Worker<S> {
    pub(super) service: Rc<S>,
    pub(super) meter: Arc<Meter>,
    pub(super) lifeline: Lifeline,
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
        #[cfg(feature = "failpoints")]
        let fault = super::failpoint::take(self.meter.name(), "job");
        #[cfg(feature = "failpoints")]
        if fault.is_some_and(|fault| self.suffer(fault, context)) {
            return;
        }
        let Job { message, deadline, mut reply, begun, permit, span } = job;
        if reply.is_closed() || deadline.has_passed() {
            return; // nobody waits any more
        }
        begun.store(true, Ordering::Release);
        let running = Running::new(&self.meter);
        let (service, lifeline) = (Rc::clone(&self.service), self.lifeline.clone());
        let busy = Rc::clone(&self.busy);
        actix_rt::spawn(async move {
            let _held = (permit, running, busy);
            let work = AssertUnwindSafe(
                async {
                    #[cfg(feature = "failpoints")]
                    super::failpoint::strike(fault);
                    service.serve(message, deadline).await
                }
                .instrument(span),
            );
            let outcome = tokio::select! {
                outcome = work.catch_unwind() => outcome,
                () = reply.closed() => return,
                () = tokio::time::sleep_until(deadline.instant().into()) => return,
            };
            match outcome {
                // The caller may have left meanwhile; then there is nobody to tell.
                Ok(answer) => drop(reply.send(answer)),
                Err(payload) => lifeline.end(Cause::Panic, panic_text(payload.as_ref())),
            }
        });
    }
}

#[cfg(feature = "failpoints")]
mod faults {
    use super::{Lifeline, Service, Worker};
    use crate::supervise::failpoint::{Fault, life, strike};
    use actix::{ActorContext, Addr, Context, Handler, Message};

    impl<S: Service> Worker<S> {
        /// The part of a fault that is the actor's; true when the job ends with it.
        pub(super) fn suffer(&self, fault: Fault, context: &mut Context<Self>) -> bool {
            match fault {
                Fault::Panic | Fault::Wedge(_) => return false, // in the work itself
                Fault::Error => {
                    self.lifeline.fail("failpoint");
                    return false;
                }
                Fault::Crash => panic!("failpoint"),
                Fault::Stop => context.stop(),
                Fault::Kill => drop(actix_rt::Arbiter::current().stop()),
            }
            true
        }
    }

    pub(in crate::supervise) struct Provoke(Fault);

    impl Message for Provoke {
        type Result = ();
    }

    impl<S: Service> Handler<Provoke> for Worker<S> {
        type Result = ();

        fn handle(&mut self, Provoke(fault): Provoke, context: &mut Self::Context) {
            if !self.suffer(fault, context) && fault != Fault::Error {
                drop(self.lifeline.spawn(async move { strike(Some(fault)) }));
            }
        }
    }

    /// Passes `life` until the incarnation ends.
    #[expect(clippy::disallowed_methods, reason = "not a call: no answer, no admission")]
    pub(in crate::supervise) async fn provoke<S: Service>(address: Addr<Worker<S>>, lifeline: Lifeline) {
        while address.try_send(Provoke(life(lifeline.actor()).await)).is_ok() {}
    }
}

#[cfg(feature = "failpoints")]
pub(super) use faults::provoke;

/// A panic's own message; panics carry no user text by house rule.
pub(super) fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}
