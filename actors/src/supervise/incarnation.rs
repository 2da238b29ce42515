use super::job::{Service, Worker, panic_text};
use super::lifeline::{End, Lifeline};
use super::meter::Meter;
use super::pulse::Pulse;
use super::spec::ChildSpec;
use super::status::Cause;
use super::vigil::Vigil;
use actix::{Addr, AsyncContext, Context};
use actix_rt::{Arbiter, ArbiterHandle};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

pub(super) type Made<S> = Pin<Box<dyn Future<Output = Result<S, String>>>>;
pub(super) type Factory<S> = Arc<dyn Fn(Lifeline) -> Made<S> + Send + Sync>;

/// One life of a service: an arbiter, the service on it, and the news of its end.
pub(super) struct Incarnation<S: Service> {
    pub(super) address: Addr<Worker<S>>,
    pub(super) pulse: Arc<Pulse>,
    meter: Arc<Meter>,
    arbiter: ArbiterHandle,
    ended: mpsc::UnboundedReceiver<End>,
    retire: Option<oneshot::Sender<Duration>>,
    retired: oneshot::Receiver<()>,
    dead: bool,
    vigil: Vigil,
}

/// Stops an arbiter unless its incarnation came to life: a start given up half-way leaves no thread.
struct Unborn(Option<ArbiterHandle>);

impl Drop for Unborn {
    fn drop(&mut self) {
        if let Some(arbiter) = &self.0 {
            arbiter.stop();
        }
    }
}

impl<S: Service> Incarnation<S> {
    /// Starts a service on a fresh arbiter; an error or a panic in its factory is returned.
    ///
    /// # Cancel safety
    /// Dropping the future stops the arbiter and what the factory has made so far.
    pub(super) async fn start(factory: Factory<S>, meter: Arc<Meter>, spec: &ChildSpec) -> Result<Self, End> {
        let failed = |error: String| End { cause: Cause::Error, error };
        // A machine without a thread to spare now may have one later: no reason to end supervision.
        let arbiter = std::panic::catch_unwind(Arbiter::new)
            .map_err(|payload| failed(panic_text(payload.as_ref())))?
            .handle();
        let (lifeline, ended) = mpsc::unbounded_channel();
        let lifeline = Lifeline::new(meter.name(), lifeline);
        let (ready, started) = oneshot::channel();
        let (retire, retiring) = oneshot::channel();
        let (gone, retired) = oneshot::channel();
        let (pulse, mut vigil) = (Arc::new(Pulse::default()), Vigil::new(spec.wedge, Instant::now()));
        let birth =
            Birth { factory, lifeline, pulse: Arc::clone(&pulse), beat: vigil.beat(), ready, retiring, gone };
        let here = arbiter.clone();
        let mut unborn = Unborn(Some(arbiter.clone()));
        arbiter.spawn_fn(move || drop(actix_rt::spawn(birth.live(here))));
        match tokio::time::timeout(spec.start_within, started).await {
            Ok(Ok(Ok(address))) => {
                unborn.0 = None;
                vigil.restart(Instant::now());
                let retire = Some(retire);
                Ok(Self { address, pulse, meter, arbiter, ended, retire, retired, dead: false, vigil })
            }
            Ok(Ok(Err(end))) => Err(end),
            Ok(Err(_)) => Err(End { cause: Cause::Kill, error: "its arbiter died".to_owned() }),
            Err(_) => Err(failed(format!("not started within {:?}", spec.start_within))),
        }
    }

    /// Resolves when this incarnation is over. Cancel safe.
    pub(super) async fn ended(&mut self) -> End {
        let dead = || End { cause: Cause::Kill, error: "its arbiter died".to_owned() };
        tokio::select! {
            biased;
            end = self.ended.recv() => end.unwrap_or_else(dead),
            // A thread of the service's own may hold a lifeline longer than the arbiter lives.
            _ = &mut self.retired, if !self.dead => {
                self.dead = true;
                dead()
            }
            why = self.vigil.wedged(&self.pulse) => End { cause: Cause::Wedge, error: why.to_owned() },
        }
    }

    /// Lets running jobs finish for at most `grace`, stops the service (again at most `grace`)
    /// and then its thread. One that blocks meanwhile is not waited for.
    pub(super) async fn retire(mut self, grace: Duration) {
        if let Some(retire) = self.retire.take() {
            let _ = retire.send(grace);
        }
        if !self.dead {
            let limit = grace * 2 + Duration::from_millis(100);
            tokio::select! {
                end = tokio::time::timeout(limit, &mut self.retired) => self.dead = end.is_ok(),
                _ = self.vigil.wedged(&self.pulse) => {}
            }
        }
        self.abandon();
    }

    /// Ends the thread, or gives it up: whoever waits for it learns so at once, and it ends when its
    /// blocking call returns. Until then it counts as abandoned.
    pub(super) fn abandon(self) {
        self.arbiter.stop();
        self.pulse.give_up();
        if !self.dead {
            self.meter.abandon();
            let (meter, retired) = (self.meter, self.retired);
            tokio::spawn(async move {
                let _ = retired.await;
                meter.abandoned_ended();
            });
        }
    }
}

/// What a new incarnation brings to its arbiter.
struct Birth<S: Service> {
    factory: Factory<S>,
    lifeline: Lifeline,
    pulse: Arc<Pulse>,
    beat: Duration,
    ready: oneshot::Sender<Result<Addr<Worker<S>>, End>>,
    retiring: oneshot::Receiver<Duration>,
    gone: oneshot::Sender<()>,
}

impl<S: Service> Birth<S> {
    /// The whole life on the arbiter, from the factory to the arbiter's own stop.
    async fn live(self, arbiter: ArbiterHandle) {
        // A task of its own, so that a panic in the factory, before or after its first await, is
        // news instead of silence.
        let (factory, lifeline) = (Arc::clone(&self.factory), self.lifeline.clone());
        let made = actix_rt::spawn(async move { factory(lifeline).await }).await;
        let refusal = match made {
            Ok(Ok(service)) => return self.serve(Rc::new(service), &arbiter).await,
            Ok(Err(error)) => End { cause: Cause::Error, error },
            Err(join) => End { cause: Cause::Panic, error: join_text(join) },
        };
        let _ = self.ready.send(Err(refusal));
        arbiter.stop();
    }

    async fn serve(self, service: Rc<S>, arbiter: &ArbiterHandle) {
        let busy = Rc::new(());
        let mut context = Context::new();
        // Admission is the bound. actix's own capacity (16) would refuse admitted jobs, because all
        // callers share one address.
        context.set_mailbox_capacity(0);
        let address = context.address();
        let worker = Worker {
            service: Rc::clone(&service),
            lifeline: self.lifeline.clone(),
            pulse: Arc::clone(&self.pulse),
            busy: Rc::clone(&busy),
        };
        #[cfg(feature = "failpoints")]
        let provoked = actix_rt::spawn(super::provoke::provoke(address.clone(), self.lifeline.clone()));
        actix_rt::spawn(self.pulse.beat(self.beat));
        let life = actix_rt::spawn(context.into_future(worker));
        if self.ready.send(Ok(address)).is_ok() {
            let lifeline = self.lifeline;
            actix_rt::spawn(async move {
                match life.await {
                    Ok(()) => lifeline.end(Cause::Stop, "the actor stopped by itself".to_owned()),
                    Err(join) => lifeline.end(Cause::Panic, join_text(join)),
                }
            });
            // A dropped sender also means: retire, without grace.
            let grace = self.retiring.await.unwrap_or(Duration::ZERO);
            let idle = async {
                while Rc::strong_count(&busy) > 2 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            let _ = tokio::time::timeout(grace, idle).await;
            let _ = tokio::time::timeout(grace, service.stop()).await;
            #[cfg(feature = "failpoints")]
            provoked.abort();
            let _ = self.gone.send(());
        }
        arbiter.stop();
    }
}

fn join_text(join: tokio::task::JoinError) -> String {
    join.try_into_panic()
        .map_or_else(|_| "its task was cancelled".to_owned(), |payload| panic_text(payload.as_ref()))
}
