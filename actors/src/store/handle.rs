//! What callers hold of the store.

use super::Store;
use super::error::StoreError;
use super::ids::TenantId;
use super::pool::PoolSettings;
use super::read::{Sees, Source, Traced};
use super::servers::{PoolStatus, Servers, Shared};
use super::sight::{Seeing, Sight};
use crate::resilience::{BreakerState, BreakerStatus, Deadline};
use crate::supervise::{CallError, Handle, Lifeline, Priority, Request, Serve, StartError, Tree};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How soon it is worth asking again while the monitor's probe is under way.
pub(super) const PROBE_PAUSE: Duration = Duration::from_millis(200);

/// How long new settings may take to be proven.
const PROVEN_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct StoreHandle {
    handle: Handle<Store>,
    shared: Arc<Shared>,
    sight: Sight,
}

#[derive(Debug)]
struct GetPoolStatus;

impl Request for GetPoolStatus {
    type Reply = PoolStatus;

    fn priority(&self) -> Priority {
        Priority::Health
    }

    fn repeat(&self) -> Option<Self> {
        Some(Self)
    }
}

impl Serve<GetPoolStatus> for Store {
    async fn serve(self: Rc<Self>, _: GetPoolStatus, _: Deadline) -> PoolStatus {
        self.servers().status()
    }
}

/// Asks the database whether it answers.
#[derive(Debug)]
struct Probe;

impl Request for Probe {
    type Reply = Result<(), StoreError>;

    fn priority(&self) -> Priority {
        Priority::Health
    }

    fn repeat(&self) -> Option<Self> {
        Some(Self)
    }
}

impl Serve<Probe> for Store {
    async fn serve(self: Rc<Self>, _: Probe, deadline: Deadline) -> Result<(), StoreError> {
        self.read(TenantId(0), Sees::Newest, "SELECT 1", &[], deadline).await.map(drop)
    }
}

#[derive(Debug)]
struct Reconfigure(Box<PoolSettings>);

impl Request for Reconfigure {
    type Reply = Result<(), StoreError>;
}

impl Serve<Reconfigure> for Store {
    async fn serve(
        self: Rc<Self>,
        Reconfigure(settings): Reconfigure,
        deadline: Deadline,
    ) -> Result<(), StoreError> {
        Servers::prove(&settings, deadline.remaining()).await?;
        let fresh = Rc::new(Servers::open(&self.shared, &settings)?);
        let old = self.servers.replace(fresh);
        self.shared.settings.store(Arc::new(*settings));
        old.retire();
        self.shared.suspected.notify_one();
        Ok(())
    }
}

impl StoreHandle {
    /// Starts with pools that are filled on demand; [`super::migrate`] has checked the database before.
    pub async fn start(tree: &Tree, settings: PoolSettings) -> Result<Self, StartError> {
        let spec = tree.spec("store", settings.size * 16);
        let shared = Arc::new(Shared::new(settings));
        let kept = Arc::clone(&shared);
        let factory = move |_: Lifeline| {
            let store = Store::new(Arc::clone(&kept));
            std::future::ready(store.map_err(|error| error.to_string()))
        };
        let handle = tree.start(spec, factory).await?;
        Ok(Self { handle, shared, sight: Sight::Public })
    }

    /// The same store for whoever sees so much; without this a call sees the documents that are everyone's.
    #[must_use]
    pub fn seeing(&self, sight: Sight) -> Self {
        Self { sight, ..self.clone() }
    }

    /// # Errors
    /// [`StoreError::CircuitOpen`] at once, without a hop, while no server is there to answer.
    /// [`StoreError::Unavailable`] when that is found out in the middle of the call: whether a write took
    /// effect is not known then.
    ///
    /// # Cancel safety
    /// As for [`Handle::call`]; what runs in PostgreSQL is cancelled too. Writes are transactions, so a
    /// dropped call leaves all or nothing.
    pub async fn call<M, T>(&self, message: M, deadline: Deadline) -> Result<T, StoreError>
    where
        M: Request<Reply = Result<T, StoreError>>,
        Store: Serve<M>,
        T: Send + 'static,
    {
        self.fail_fast()?;
        let reply = self.handle.call::<Seeing<M>>(Seeing(self.sight.clone(), message), deadline).await?;
        if let Err(StoreError::ReadOnly(_)) = &reply {
            self.shared.suspected.notify_one();
        }
        reply
    }

    /// The same, and who answered: [`Source::Standin`] means that the writer is away and the reply may be
    /// of an older state. Of a request with several reads the worst.
    pub async fn call_traced<M, T>(&self, message: M, deadline: Deadline) -> Result<(T, Source), StoreError>
    where
        M: Request<Reply = Result<T, StoreError>>,
        Store: Serve<M>,
        T: Send + 'static,
    {
        self.call::<Traced<M>, (T, Source)>(Traced(message), deadline).await
    }

    fn fail_fast(&self) -> Result<(), StoreError> {
        let alone = self.shared.settings.load().replicas.is_empty();
        let status = self.shared.writer.status();
        if !alone || status.state == BreakerState::Closed {
            return Ok(());
        }
        let retry_in = status.retry_in_ms.map_or(PROBE_PAUSE, Duration::from_millis);
        Err(StoreError::CircuitOpen { retry_in })
    }

    /// Whether reads are answered, by a replica if need be.
    pub async fn probe(&self, deadline: Deadline) -> Result<(), StoreError> {
        self.call(Probe, deadline).await
    }

    pub async fn pool_status(&self, deadline: Deadline) -> Result<PoolStatus, CallError> {
        self.handle.call(GetPoolStatus, deadline).await
    }

    /// The circuits of the writer and the replicas.
    #[must_use]
    pub fn breakers(&self) -> Vec<BreakerStatus> {
        self.shared.breakers()
    }

    /// Uses other settings from now on, above all other credentials or hosts: once a connection to the
    /// writer could be opened with them. Work in flight ends on the old connections, idle ones are closed.
    /// The pools' size takes effect, the number of calls admitted does not.
    ///
    /// # Errors
    /// The old settings stay in use. The error's text is safe to log.
    pub async fn reconfigure(&self, settings: PoolSettings) -> Result<(), StoreError> {
        let changed = self
            .handle
            .call(Reconfigure(Box::new(settings)), Deadline::within(PROVEN_WITHIN))
            .await
            .map_err(StoreError::from)
            .and_then(|reply| reply);
        match &changed {
            Ok(()) => tracing::info!("the database's new settings are in use"),
            Err(error) => {
                tracing::error!(%error, "the database's new settings do not work; the old ones stay");
            }
        }
        changed
    }
}
