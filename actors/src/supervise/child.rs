use super::handle::Handle;
use super::incarnation::{Factory, Incarnation};
use super::job::Service;
use super::lifeline::End;
use super::spec::ChildSpec;
use super::status::ActorState;
use crate::resilience::random;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How long the jobs of a replaced incarnation may still run beside its successor.
const LINGER: Duration = Duration::from_secs(30);

/// Asks a child to stop within a grace and tells when it has.
pub(super) type StopRequest = (Duration, oneshot::Sender<()>);

/// Keeps one service alive until told to stop or until restarting is hopeless.
pub(super) struct Child<S: Service> {
    pub(super) spec: ChildSpec,
    pub(super) factory: Factory<S>,
    pub(super) handle: Handle<S>,
    pub(super) stops: mpsc::Receiver<StopRequest>,
    /// Tells the tree that the restart intensity is exhausted.
    pub(super) fatal: mpsc::Sender<String>,
}

impl<S: Service> Child<S> {
    /// Cancel safe: a start given up half-way leaves nothing running.
    pub(super) fn incarnate(&self) -> impl Future<Output = Result<Incarnation<S>, End>> + use<S> {
        let (factory, within) = (Arc::clone(&self.factory), self.spec.start_within);
        let inner = Arc::clone(&self.handle.inner);
        async move {
            inner.meter.enter(ActorState::Starting);
            let incarnation = Incarnation::start(factory, Arc::clone(&inner.meter), within).await?;
            inner.address.store(Some(Arc::new(incarnation.address.clone())));
            inner.meter.enter(ActorState::Running);
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
            self.handle.inner.address.store(None);
            recent.push_back(Instant::now());
            while recent.front().is_some_and(|at| at.elapsed() > self.spec.restarts.window) {
                recent.pop_front();
            }
            let attempt = u32::try_from(recent.len() - 1).unwrap_or(u32::MAX);
            let delay = self.spec.restarts.backoff.delay(attempt, random::uniform());
            self.handle.inner.meter.died(end.cause, &end.error, delay);
            tracing::warn!(actor = name, cause = end.cause.as_str(), error = %end.error, ?delay, "actor ended");
            if let Some(old) = current.take() {
                // Its other jobs are innocent: they finish beside the successor.
                tokio::spawn(old.retire(LINGER));
            }
            if recent.len() > self.spec.restarts.intensity {
                self.handle.inner.meter.enter(ActorState::Failed);
                // The first reason counts; waiting for a reader would leave stop requests unanswered.
                let _ = self.fatal.try_send(format!("{name}: {}", end.error));
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
        self.handle.inner.address.store(None);
        self.handle.inner.meter.enter(ActorState::Stopped);
        let _ = stopped.send(());
    }

    async fn acknowledge_stops(mut self) {
        while let Some((_, stopped)) = self.stops.recv().await {
            let _ = stopped.send(());
        }
    }
}
