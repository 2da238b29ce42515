use super::child::{Child, StopRequest};
use super::handle::Handle;
use super::incarnation::Factory;
use super::job::Service;
use super::lifeline::Lifeline;
use super::meter::Meter;
use super::root::Root;
use super::settings::SupervisionSettings;
use super::spec::ChildSpec;
use super::status::ActorStatus;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

#[derive(Debug, thiserror::Error)]
#[error("{name} could not start: {error}")]
pub struct StartError {
    pub name: &'static str,
    pub error: String,
}

/// Why the tree cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A service does not stay alive however often it is restarted; its siblings still answer.
    #[error("{actor}: {error}")]
    Exhausted { actor: &'static str, error: String },
    /// What supervises is gone itself: from now on nothing is restarted.
    #[error("the supervisor: {0}")]
    Root(String),
}

/// The root: starts services in order, shows their state, stops them in reverse order.
pub struct Tree {
    settings: SupervisionSettings,
    branches: Mutex<Vec<Branch>>,
    root: OnceLock<Root>,
    fatal: mpsc::Sender<Failure>,
    fatalities: tokio::sync::Mutex<mpsc::Receiver<Failure>>,
}

struct Branch {
    meter: Arc<Meter>,
    stops: mpsc::Sender<StopRequest>,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new(SupervisionSettings::default())
    }
}

impl Tree {
    #[must_use]
    pub fn new(settings: SupervisionSettings) -> Self {
        let (fatal, fatalities) = mpsc::channel(1);
        Self {
            settings,
            branches: Mutex::default(),
            root: OnceLock::new(),
            fatal,
            fatalities: tokio::sync::Mutex::new(fatalities),
        }
    }

    /// A spec with this tree's settings.
    #[must_use]
    pub fn spec(&self, name: &'static str, admission: usize) -> ChildSpec {
        self.settings.spec(name, admission)
    }

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
        let fatal = self.fatal.clone();
        self.root.get_or_init(Root::start).spawn(async move {
            let supervised = tokio::spawn(child.run(first));
            if supervised.await.is_err_and(|end| end.is_panic()) {
                let _ = fatal.try_send(Failure::Root(format!("the supervision of {} panicked", spec.name)));
            }
        });
        self.branches().push(Branch { meter: Arc::clone(&handle.inner.meter), stops: stop });
        Ok(handle)
    }

    /// Every service in start order.
    #[must_use]
    pub fn status(&self) -> Vec<ActorStatus> {
        self.branches().iter().map(|branch| branch.meter.snapshot()).collect()
    }

    /// Resolves when a service cannot be kept alive, or the root itself is gone; the process should
    /// drain, stop the tree (dependents first) and exit non-zero.
    pub async fn failed(&self) -> Failure {
        let mut fatalities = self.fatalities.lock().await;
        let root = async {
            match self.root.get() {
                Some(root) => root.over().await,
                None => std::future::pending().await, // nothing is supervised
            }
        };
        tokio::select! {
            Some(failure) = fatalities.recv() => failure,
            why = root => Failure::Root(why.to_owned()),
        }
    }

    /// Stops every service, dependents first, each within `grace`.
    pub async fn stop(&self, grace: Duration) {
        loop {
            let Some(branch) = self.branches().pop() else { return };
            let (done, stopped) = oneshot::channel();
            let stopping = async {
                if branch.stops.send((grace, done)).await.is_ok() {
                    let _ = stopped.await;
                }
            };
            // Twice for its calls and its service; past that whoever supervises it does not answer.
            let _ = tokio::time::timeout(grace * 2 + Duration::from_secs(2), stopping).await;
        }
    }

    fn branches(&self) -> std::sync::MutexGuard<'_, Vec<Branch>> {
        self.branches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
