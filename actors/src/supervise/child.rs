use super::handle::{Handle, Live};
use super::incarnation::{Factory, Incarnation};
use super::job::Service;
use super::lifeline::End;
use super::spec::ChildSpec;
use super::status::{ActorState, Cause};
use super::tree::Failure;
use crate::resilience::random;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How long the jobs of a replaced incarnation may still run beside its successor.
const LINGER: Duration = Duration::from_secs(30);
/// Threads given up and still blocked at the same time, at most. The restart intensity alone does
/// not bound them: wedges are noticed so slowly that they stay below it for ever.
const ABANDONED: usize = 8;

/// Asks a child to stop within a grace and tells when it has.
pub(super) type StopRequest = (Duration, oneshot::Sender<()>);

/// Keeps one service alive until told to stop or until restarting is hopeless.
pub(super) struct Child<S: Service> {
    pub(super) spec: ChildSpec,
    pub(super) factory: Factory<S>,
    pub(super) handle: Handle<S>,
    pub(super) stops: mpsc::Receiver<StopRequest>,
    /// Tells the tree that the restart intensity is exhausted.
    pub(super) fatal: mpsc::Sender<Failure>,
}

impl<S: Service> Child<S> {
    /// Cancel safe: a start given up half-way leaves nothing running.
    pub(super) fn incarnate(&self) -> impl Future<Output = Result<Incarnation<S>, End>> + use<S> {
        let (factory, spec) = (Arc::clone(&self.factory), self.spec);
        let inner = Arc::clone(&self.handle.inner);
        async move {
            inner.meter.enter(ActorState::Starting);
            let incarnation = Incarnation::start(factory, Arc::clone(&inner.meter), &spec).await?;
            let (address, pulse) = (incarnation.address.clone(), Arc::clone(&incarnation.pulse));
            inner.publish(Live { address, pulse, load: inner.meter.load() });
            Ok(incarnation)
        }
    }

    /// Supervises from the first, already started incarnation on.
    pub(super) async fn run(mut self, first: Incarnation<S>) {
        let name = self.spec.name;
        let mut current = Some(first);
        let mut recent: VecDeque<Instant> = VecDeque::new();
        loop {
            let end = match current.as_mut() {
                Some(incarnation) => tokio::select! {
                    end = incarnation.ended() => end,
                    Some(request) = self.stops.recv() => return self.stop(current, request).await,
                },
                None => {
                    let mut starting = std::pin::pin!(self.incarnate());
                    let started = tokio::select! {
                        started = &mut starting => started,
                        // What is half-started gets the grace to come up, to be stopped in order.
                        Some(request) = self.stops.recv() => {
                            let started = tokio::time::timeout(request.0, starting).await;
                            return self.stop(started.ok().and_then(Result::ok), request).await;
                        }
                    };
                    match started {
                        Ok(incarnation) => {
                            tracing::info!(actor = name, "actor restarted");
                            current = Some(incarnation);
                            continue;
                        }
                        Err(end) => end,
                    }
                }
            };
            recent.push_back(Instant::now());
            while recent.front().is_some_and(|at| at.elapsed() > self.spec.restarts.window) {
                recent.pop_front();
            }
            let attempt = u32::try_from(recent.len() - 1).unwrap_or(u32::MAX);
            let delay = self.spec.restarts.backoff.delay(attempt, random::uniform());
            let inner = &self.handle.inner;
            inner.meter.died(end.cause, &end.error, delay);
            inner.withdraw();
            tracing::warn!(actor = name, cause = end.cause.as_str(), error = %end.error, ?delay, "actor ended");
            match current.take() {
                Some(blocked) if end.cause == Cause::Wedge => {
                    inner.meter.forget_load();
                    blocked.abandon();
                }
                // Its other jobs are innocent: they finish beside the successor.
                Some(old) => drop(tokio::spawn(old.retire(LINGER))),
                None => {}
            }
            if recent.len() > self.spec.restarts.intensity || inner.meter.abandoned() > ABANDONED {
                inner.meter.enter(ActorState::Failed);
                inner.withdraw();
                // The first reason counts; waiting for a reader would leave stop requests unanswered.
                let _ = self.fatal.try_send(Failure::Exhausted { actor: name, error: end.error });
                return self.acknowledge_stops().await;
            }
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                Some(request) = self.stops.recv() => return self.stop(None, request).await,
            }
        }
    }

    async fn stop(&self, current: Option<Incarnation<S>>, (grace, stopped): StopRequest) {
        self.handle.inner.meter.enter(ActorState::Draining);
        if let Some(incarnation) = current {
            incarnation.retire(grace).await;
        }
        self.handle.inner.withdraw();
        self.handle.inner.meter.enter(ActorState::Stopped);
        let _ = stopped.send(());
    }

    async fn acknowledge_stops(mut self) {
        while let Some((_, stopped)) = self.stops.recv().await {
            let _ = stopped.send(());
        }
    }
}
