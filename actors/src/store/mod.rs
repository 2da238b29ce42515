//! Sole owner of the database pools.
//!
//! * Every statement runs for exactly one tenant: a connection is bound to it before use and
//!   row-level security does the rest.
//! * Overload: admission is twice the pool; a connection is waited for briefly, then `Saturated`.
//! * Cancel safety: a dropped call may leave a statement running until its time limit, but never a
//!   transaction open: connections roll back when they return to the pool.

mod collections;
mod documents;
mod error;
mod filter;
mod ids;
mod jobs;
mod lexical;
mod pool;
mod preflight;
mod publish;
mod search;
mod settings;
mod space;

pub use collections::{
    Collection, CreateCollection, DeleteCollection, ListCollections, Receipt, UpdateCollection,
};
pub use documents::{
    AcceptDocuments, Accepted, DeleteDocument, Document, GetContent, GetDocument, ListDocuments, NewDocument,
};
pub use error::StoreError;
pub use filter::{Comparison, Filter};
pub use ids::{ChunkId, CollectionId, DocumentId, InvalidId, JobId, TenantId};
pub use jobs::{
    CancelJob, Claim, ClaimJob, FailDocument, FinishJob, GetJob, Job, ListJobs, ReleaseLease, RenewLease,
    TakeDocuments, WaitingDocument,
};
pub use lexical::{TermKey, TermWeights};
pub use pool::{PoolSettings, parse_url};
pub use preflight::{Migrated, PreflightError, migrate, take_role};
pub use publish::{KnownEmbeddings, NewChunk, PublishDocument};
pub use search::{Hit, Hits, Mode, SearchChunks};
pub use settings::StoreSettings;
pub use space::Space;

use crate::resilience::Deadline;
use crate::supervise::{CallError, Handle, Lifeline, Priority, Request, Serve, Service, StartError, Tree};
use pool::{TenantConnection, TenantPool};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
pub use tokio_postgres::Config;
use tokio_postgres::Row;
pub use tokio_postgres::config::Host;

pub struct Store {
    pool: TenantPool,
    space: Space,
    spaces: RefCell<HashMap<TenantId, i64>>,
}

impl Service for Store {
    async fn stop(self: Rc<Self>) {
        self.pool.close();
    }
}

impl Store {
    async fn connection(&self, tenant: TenantId) -> Result<TenantConnection, StoreError> {
        self.pool.get(tenant).await
    }
}

#[derive(Clone)]
pub struct StoreHandle(Handle<Store>);

/// How full the pool is.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct PoolStatus {
    pub max_size: usize,
    pub size: usize,
    pub available: usize,
    pub waiting: usize,
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
        let status = self.pool.status();
        PoolStatus {
            max_size: status.max_size,
            size: status.size,
            available: status.available,
            waiting: status.waiting,
        }
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
    async fn serve(self: Rc<Self>, _: Probe, _: Deadline) -> Result<(), StoreError> {
        self.connection(TenantId(0)).await.map(drop)
    }
}

impl StoreHandle {
    /// Starts with a pool that is opened on demand; [`migrate`] has checked the database before.
    pub async fn start(tree: &Tree, settings: PoolSettings, space: Space) -> Result<Self, StartError> {
        let spec = tree.spec("store", settings.size * 16);
        let factory = move |_: Lifeline| {
            let (pool, space) = (TenantPool::new(&settings), space.clone());
            let made = pool.map(|pool| Store { pool, space, spaces: RefCell::default() });
            std::future::ready(made.map_err(|error| error.to_string()))
        };
        tree.start(spec, factory).await.map(Self)
    }

    /// # Cancel safety
    /// As for [`Handle::call`]; writes are transactions, so a dropped call leaves all or nothing.
    pub async fn call<M, T>(&self, message: M, deadline: Deadline) -> Result<T, StoreError>
    where
        M: Request<Reply = Result<T, StoreError>>,
        Store: Serve<M>,
        T: Send + 'static,
    {
        self.0.call(message, deadline).await?
    }

    pub async fn probe(&self, deadline: Deadline) -> Result<(), StoreError> {
        self.call(Probe, deadline).await
    }

    pub async fn pool_status(&self, deadline: Deadline) -> Result<PoolStatus, CallError> {
        self.0.call(GetPoolStatus, deadline).await
    }
}

fn only_row<'a>(rows: &'a [Row], what: &'static str) -> Result<&'a Row, StoreError> {
    rows.first().ok_or(StoreError::NotFound(what))
}
