//! Embedding spaces: which vectors belong together. A tenant has one that is searched, and may have others that
//! are being built or are kept from before.
//!
//! Writers of documents hold a shared lock of the tenant's while they publish, whoever switches or declares a
//! space complete an exclusive one: a document is either published before, and counted, or after, and sees the change.

use super::Store;
use super::error::StoreError;
use super::ids::{JobId, SpaceId, TenantId};
use super::read::Sees;
use super::storage::Storage;
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use deadpool_postgres::Transaction;
use std::rc::Rc;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio_postgres::Row;

/// Spaces of one tenant at once, whatever their state.
pub const MOST_SPACES: usize = 8;

/// What a space is to be made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceSpec {
    pub model: String,
    pub dimensions: i32,
    pub storage: Storage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceState {
    /// Not searched yet.
    Building,
    /// The one that is searched.
    Active,
    /// Searched before, and kept.
    Retired,
    Removing,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    pub id: SpaceId,
    pub spec: SpaceSpec,
    pub state: SpaceState,
    /// Whether a chunk may lack its vector.
    pub behind: bool,
    pub job: Option<JobId>,
    pub created_at: OffsetDateTime,
    pub activated_at: Option<OffsetDateTime>,
    pub retired_at: Option<OffsetDateTime>,
}

pub(super) const COLUMNS: &str = "space_id, model, dimensions, storage, state, behind, job_id, created_at, \
    activated_at, retired_at";

impl Space {
    pub(super) fn read(row: &Row) -> Self {
        let state = match row.get(4) {
            "building" => SpaceState::Building,
            "active" => SpaceState::Active,
            "retired" => SpaceState::Retired,
            _ => SpaceState::Removing,
        };
        let spec =
            SpaceSpec { model: row.get(1), dimensions: row.get(2), storage: Storage::parse(row.get(3)) };
        Self {
            id: SpaceId(row.get(0)),
            spec,
            state,
            behind: row.get(5),
            job: row.get::<_, Option<i64>>(6).map(JobId),
            created_at: row.get(7),
            activated_at: row.get(8),
            retired_at: row.get(9),
        }
    }

    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == SpaceState::Active
    }

    /// Whether documents that are published now belong into it.
    #[must_use]
    pub fn is_filled(&self) -> bool {
        self.state != SpaceState::Removing
    }

    /// Whether it may be searched before it is active.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state == SpaceState::Building && !self.behind
    }

    /// Whether the same vectors serve both.
    #[must_use]
    pub fn shares_vectors_with(&self, other: &Self) -> bool {
        self.spec.model == other.spec.model && self.spec.dimensions == other.spec.dimensions
    }
}

/// The class of the advisory locks on a tenant's spaces.
const LOCKS: i32 = 0x5350;

/// Held to the end of the transaction, by any number of writers of documents.
pub(super) async fn lock_shared(transaction: &Transaction<'_>, tenant: i64) -> Result<(), StoreError> {
    let sql = "SELECT pg_advisory_xact_lock_shared($1, ($2::bigint % 2147483647)::int)";
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, &[&LOCKS, &tenant]).await?;
    Ok(())
}

/// Held to the end of the transaction: no document is published meanwhile.
pub(super) async fn lock_alone(transaction: &Transaction<'_>, tenant: i64) -> Result<(), StoreError> {
    let sql = "SELECT pg_advisory_xact_lock($1, ($2::bigint % 2147483647)::int)";
    transaction.execute(sql, &[&LOCKS, &tenant]).await?;
    Ok(())
}

pub(super) async fn all(transaction: &Transaction<'_>, tenant: i64) -> Result<Vec<Space>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM embedding_spaces WHERE tenant_id = $1 ORDER BY space_id");
    let statement = transaction.prepare_cached(&sql).await?;
    Ok(transaction.query(&statement, &[&tenant]).await?.iter().map(Space::read).collect())
}

/// The tenant's spaces, oldest first.
#[derive(Debug, Clone)]
pub struct ListSpaces {
    pub tenant: TenantId,
}

impl Request for ListSpaces {
    type Reply = Result<Vec<Arc<Space>>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<ListSpaces> for Store {
    async fn serve(
        self: Rc<Self>,
        list: ListSpaces,
        deadline: Deadline,
    ) -> Result<Vec<Arc<Space>>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM embedding_spaces WHERE tenant_id = $1 ORDER BY space_id");
        let rows = self.read(list.tenant, Sees::OwnWrites, &sql, &[&list.tenant.0], deadline).await?;
        Ok(rows.iter().map(|row| Arc::new(Space::read(row))).collect())
    }
}

/// Makes sure that the tenant has an active space, made for this when it has none at all.
#[derive(Debug, Clone)]
pub struct EnsureSpace {
    pub tenant: TenantId,
    pub spec: SpaceSpec,
}

impl Request for EnsureSpace {
    /// The active one.
    type Reply = Result<Arc<Space>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<EnsureSpace> for Store {
    async fn serve(
        self: Rc<Self>,
        ensure: EnsureSpace,
        deadline: Deadline,
    ) -> Result<Arc<Space>, StoreError> {
        let tenant = ensure.tenant.0;
        let mut connection = self.connection(ensure.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        // Replicas that meet a new tenant together take turns.
        lock_alone(&transaction, tenant).await?;
        let known = all(&transaction, tenant).await?;
        let space = match known.into_iter().find(Space::is_active) {
            Some(space) => space,
            None => insert(&transaction, tenant, &ensure.spec, "active").await?,
        };
        transaction.commit().await?;
        self.done(ensure.tenant, connection);
        Ok(Arc::new(space))
    }
}

/// A new, empty space with its index. A building one is behind from the start.
pub(super) async fn insert(
    transaction: &Transaction<'_>,
    tenant: i64,
    spec: &SpaceSpec,
    state: &str,
) -> Result<Space, StoreError> {
    let sql = format!(
        "INSERT INTO embedding_spaces (tenant_id, model, dimensions, storage, state, behind, activated_at) \
         VALUES ($1, $2, $3, $4, $5, $5 = 'building', CASE WHEN $5 = 'active' THEN now() END) RETURNING {COLUMNS}"
    );
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&tenant, &spec.model, &spec.dimensions, &spec.storage.as_str(), &state];
    let space = Space::read(&transaction.query_one(&sql, &values).await?);
    transaction.execute("SELECT create_space_index($1)", &[&space.id.0]).await?;
    Ok(space)
}

/// The model of each tenant's active space, of at most 1,000 tenants.
#[derive(Debug, Clone)]
pub struct ActiveModels;

impl Request for ActiveModels {
    type Reply = Result<Vec<(TenantId, String, i32)>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<ActiveModels> for Store {
    async fn serve(
        self: Rc<Self>,
        _: ActiveModels,
        deadline: Deadline,
    ) -> Result<Vec<(TenantId, String, i32)>, StoreError> {
        let sql = "SELECT tenant, model, dimensions FROM active_spaces()";
        let rows = self.read(TenantId(0), Sees::OwnWrites, sql, &[], deadline).await?;
        Ok(rows.iter().map(|row| (TenantId(row.get(0)), row.get(1), row.get(2))).collect())
    }
}
