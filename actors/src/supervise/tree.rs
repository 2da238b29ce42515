use super::child::{Child, StopRequest};
use super::handle::Handle;
use super::incarnation::Factory;
use super::job::Service;
use super::lifeline::Lifeline;
use super::spec::ChildSpec;
use super::status::{ActorStatus, Meter};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

#[derive(Debug, thiserror::Error)]
#[error("{name} could not start: {error}")]
pub struct StartError {
    pub name: &'static str,
    pub error: String,
}

/// The root: starts services in order, shows their state, stops them in reverse order.
pub struct Tree {
    branches: Mutex<Vec<Branch>>,
    fatal: mpsc::Sender<String>,
    fatalities: tokio::sync::Mutex<mpsc::Receiver<String>>,
}

struct Branch {
    meter: Arc<Meter>,
    stops: mpsc::Sender<StopRequest>,
}

impl Default for Tree {
    fn default() -> Self {
        let (fatal, fatalities) = mpsc::channel(1);
        Self { branches: Mutex::default(), fatal, fatalities: tokio::sync::Mutex::new(fatalities) }
    }
}

impl Tree {
    /// Starts a service and supervises it from then on.
    ///
    /// # Errors
    /// The first start must succeed: what cannot start at all is a mistake to show, not a fault to
    /// hide behind restarts.
    pub async fn start<S, F, R>(&self, spec: ChildSpec, factory: F) -> Result<Handle<S>, StartError>
    where
        S: Service,
        F: Fn(Lifeline) -> R + Send + Sync + 'static,
        R: Future<Output = Result<S, String>> + 'static,
    {
        let handle = Handle::new(spec.name, spec.admission);
        let (stop, stops) = mpsc::channel(1);
        let factory: Factory<S> = Arc::new(move |lifeline| Box::pin(factory(lifeline)));
        let fatal = self.fatal.clone();
        let child = Child { spec, factory, handle: handle.clone(), stops, fatal };
        let first =
            child.incarnate().await.map_err(|end| StartError { name: spec.name, error: end.error })?;
        tokio::spawn(child.run(first));
        self.branches().push(Branch { meter: Arc::clone(&handle.inner.meter), stops: stop });
        Ok(handle)
    }

    /// Every service in start order.
    #[must_use]
    pub fn status(&self) -> Vec<ActorStatus> {
        self.branches().iter().map(|branch| branch.meter.snapshot()).collect()
    }

    /// Resolves when a service cannot be kept alive; the process should drain and exit non-zero.
    pub async fn failed(&self) -> String {
        let reason = self.fatalities.lock().await.recv().await;
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await, // unreachable while we hold a sender
        }
    }

    /// Stops every service, dependents first, each within `grace`.
    pub async fn stop(&self, grace: Duration) {
        loop {
            let Some(branch) = self.branches().pop() else { return };
            let (done, stopped) = oneshot::channel();
            if branch.stops.send((grace, done)).await.is_ok() {
                let _ = stopped.await;
            }
        }
    }

    fn branches(&self) -> std::sync::MutexGuard<'_, Vec<Branch>> {
        self.branches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
