//! What an armed [`Fault`] does to an actor: only with the feature `failpoints`.

use super::failpoint::{Fault, life, strike};
use super::job::{Service, Worker};
use super::lifeline::Lifeline;
use actix::{ActorContext, Addr, AsyncContext, Context, Handler, Message};

impl<S: Service> Worker<S> {
    /// The part of a fault that is the actor's; true when the call ends with it.
    pub(super) fn suffer(&self, fault: Fault, context: &mut Context<Self>) -> bool {
        match fault {
            Fault::Panic | Fault::Wedge(_) => return false, // in the work itself
            Fault::Error => {
                self.lifeline.fail("failpoint");
                return false;
            }
            Fault::Crash => panic!("failpoint"),
            Fault::Stall => {
                context.wait(actix::fut::wrap_future(std::future::pending()));
                return false;
            }
            Fault::Stop => context.stop(),
            Fault::Kill => drop(actix_rt::Arbiter::current().stop()),
        }
        true
    }
}

struct Provoke(Fault);

impl Message for Provoke {
    type Result = ();
}

impl<S: Service> Handler<Provoke> for Worker<S> {
    type Result = ();

    fn handle(&mut self, Provoke(fault): Provoke, context: &mut Self::Context) {
        if !self.suffer(fault, context) {
            drop(self.lifeline.spawn(async move { strike(Some(fault)) }));
        }
    }
}

/// Passes the point `life` until the incarnation ends.
#[expect(clippy::disallowed_methods, reason = "not a call: no answer, no admission")]
pub(super) async fn provoke<S: Service>(address: Addr<Worker<S>>, lifeline: Lifeline) {
    while address.try_send(Provoke(life(lifeline.actor()).await)).is_ok() {}
}
