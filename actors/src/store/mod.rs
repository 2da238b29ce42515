//! Sole owner of the database's connections.
//!
//! * Every statement runs for exactly one tenant: a connection is bound to it before use and
//!   row-level security does the rest.
//! * The writer and each replica have a pool, a circuit and a monitor of their own (`server`, `monitor`);
//!   reads go where they are answered best (`read`, `route`), writes to the writer.
//! * Overload: a connection is waited for briefly, then `Saturated`. A server that is away costs nothing:
//!   its circuit is open, and calls that need it fail at once.
//! * Cancel safety: a dropped call is cancelled in PostgreSQL too, and its connection is used again only
//!   once it has answered (`connection`); transactions roll back.

mod accept;
mod address;
mod audit;
mod bound;
mod building;
mod bulk;
mod cancel;
mod chunking;
mod collections;
mod complete;
mod connection;
mod contexts;
mod delete;
mod details;
mod documents;
mod error;
mod explain;
mod export;
mod feed;
mod files;
mod filter;
mod handle;
mod hedge;
mod hidden;
mod hosts;
mod idempotency;
mod ids;
mod jobs;
mod keys;
mod keyset;
mod lag;
mod lease;
mod lexical;
mod limits;
mod matching;
mod measuring;
mod monitor;
mod pool;
mod preflight;
mod publish;
mod read;
mod reindex;
mod removing;
mod route;
mod rows;
mod search;
mod server;
mod servers;
mod settings;
mod sight;
mod space;
mod staged;
mod storage;
mod store_files;
mod sweeping;
mod switching;
mod tasks;
mod tenants;
mod usage;
mod vector_stores;
mod warm;
mod watched;

pub use accept::{AcceptDocuments, Accepted, NewDocument, Raw};
pub use address::Address;
pub use audit::{AuditEntry, ListEntries, NewEntry, RecordEntries, SweepEntries};
pub use building::{BuildSpace, FillSpace, Lacking, NextLacking, Part};
pub use bulk::BulkRows;
pub use chunking::{ChunkContext, ChunkStrategy, Chunking};
pub use collections::{
    Collection, CreateCollection, DeleteCollection, ListCollections, Receipt, UpdateCollection, Updated,
};
pub use complete::CompleteExternalId;
pub use contexts::{KeepContexts, KnownContexts};
pub use delete::{DeleteDocument, Expire, Expired, ListExpired};
pub use details::{ChunkDetails, Details};
pub use documents::{Document, GetContent, GetDocument, ListDocuments};
pub use error::StoreError;
pub use explain::{About, ExplainAccess, Standing};
pub use export::{ExportDocuments, Exported};
pub use feed::{
    Changes, FeedChunk, FeedDocument, FindChanged, Head, Page, Position, ReadChanges, ReadDocuments,
    ReadPage, ReadStamps, Stamp, SweepChanges,
};
pub use files::{
    CreateFile, DeleteFile, DocumentsOfFile, File, GetFileContent, GetFiles, ListFiles, SweepFiles,
};
pub use filter::{Comparison, Field, Filter, Scalar, Test, parse_time};
pub use handle::StoreHandle;
pub use hidden::{Hidden, HiddenCounts, HiddenNames};
pub use idempotency::{
    ClaimKey, Claimed, HeldKey, IdempotencyKey, Settle, SettleKey, StoredResponse, recorded,
};
pub use ids::{
    BatchId, ChunkId, CollectionId, DocumentId, EntryId, FileId, InvalidId, JobId, KeyId, SpaceId, TaskId,
    TenantId,
};
pub use jobs::{CancelJob, EndedJobs, FinishJob, GetJob, Job, ListJobs, NoteDelivery, RetryJob};
pub use keys::{
    AnyKey, ApiKey, CreateKey, FindKey, FoundKey, ListKeys, MOST_KEYS, NewKey, RevokeKey, RotateKey, Rotated,
    TouchKeys,
};
pub use keyset::{Keyset, Listed};
pub use lease::{SweepKeys, TakeLease};
pub use lexical::{TermKey, TermWeights};
pub use limits::{FindLimits, FoundLimits, LimitKey};
pub use matching::{CountMatching, DeleteMatching, Deleted, Matching};
pub use measuring::{MeasureSpace, SampleTexts, SpaceSize};
pub use pool::{MOST_REPLICAS, PoolSettings};
pub use preflight::{Migrated, PreflightError, migrate, take_role};
pub use publish::{NewChunk, PublishDocument, Published};
pub use read::Source;
pub use reindex::{Reindex, ReindexCollection};
pub use removing::{RemoveSpace, ShrinkSpace};
pub use search::{Found, Hit, Mode, Plan, SearchChunks};
pub use server::ServerStatus;
pub use servers::PoolStatus;
pub use settings::StoreSettings;
pub use sight::{EVERYONE, Sight};
pub use space::{ActiveModels, EnsureSpace, ListSpaces, MOST_SPACES, Space, SpaceSpec, SpaceState};
pub use staged::{KnownEmbeddings, StageEmbeddings};
pub use storage::Storage;
pub use store_files::{
    FileBatch, GetFileBatch, GetStoreFile, ListStoreFiles, NoteCancelled, SetAttributes, StoreFile,
    StoreFileId,
};
pub use sweeping::{EndBuild, FailBuild, Swept};
pub use switching::{ActivateSpace, RollBack};
pub use tasks::{
    Claim, ClaimTasks, Class, EndTask, PutOff, ReleaseLeases, RenewLeases, Task, WaitingDocument, Work,
};
pub use tenants::{FindTenant, Tenant, create_tenant, limit_tenant, list_tenants};
pub use usage::{TokensUsed, UseTokens};
pub use vector_stores::{
    CreateVectorStore, Expiry, FileCounts, GetExpiry, GetVectorStore, ListVectorStores, TouchVectorStores,
    UpdateVectorStore, VectorStore,
};
pub use warm::WarmIndex;
pub use watched::{DatabaseState, QueueState, Totals, Waiting};

use crate::resilience::{Deadline, RetryBudget};
use crate::supervise::Service;
use connection::Connection;
use hedge::Patience;
use read::Epochs;
use search::Selectivities;
use servers::{Servers, Shared};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
pub use tokio_postgres::Config;
use tokio_postgres::Row;
pub use tokio_postgres::config::Host;

pub struct Store {
    servers: RefCell<Rc<Servers>>,
    shared: Arc<Shared>,
    /// Of reads; only used where there are replicas, as what follows.
    budget: RetryBudget,
    patience: RefCell<Patience>,
    epochs: Epochs,
    /// When each tenant last wrote through this process.
    writes: RefCell<HashMap<TenantId, Instant>>,
    turn: Cell<usize>,
    selectivities: Selectivities,
}

impl Service for Store {
    async fn stop(self: Rc<Self>) {
        self.servers().close();
    }
}

impl Store {
    fn new(shared: Arc<Shared>) -> Result<Self, StoreError> {
        Ok(Self {
            servers: RefCell::new(Rc::new(Servers::open(&shared, &shared.settings.load())?)),
            shared,
            budget: RetryBudget::default(),
            patience: RefCell::default(),
            epochs: Epochs::default(),
            writes: RefCell::default(),
            turn: Cell::default(),
            selectivities: Selectivities::default(),
        })
    }

    fn servers(&self) -> Rc<Servers> {
        Rc::clone(&self.servers.borrow())
    }

    /// The writer, bound to a tenant, for statements that may write.
    async fn connection(&self, tenant: TenantId, deadline: Deadline) -> Result<Connection, StoreError> {
        self.wrote(tenant);
        let connection = self.servers().writer.connection(deadline).await?;
        connection.bind(tenant, deadline).await?;
        Ok(connection)
    }

    /// What was to be written is, and the connection free again.
    fn done(&self, tenant: TenantId, connection: Connection) {
        connection.hand_back();
        self.wrote(tenant);
    }
}

fn only_row<'a>(rows: &'a [Row], what: &'static str) -> Result<&'a Row, StoreError> {
    rows.first().ok_or(StoreError::NotFound(what))
}
