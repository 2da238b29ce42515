//! Collections as vector stores: with any name, counts of files by state, and a time after which an unused one ends.

use super::collections::{Collection, CreateCollection, insert};
use super::error::StoreError;
use super::ids::{CollectionId, TenantId};
use super::keyset::{Keyset, Listed};
use super::read::Sees;
use super::{Store, only_row, publish};
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use serde_json::Value;
use std::rc::Rc;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// How files stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileCounts {
    pub in_progress: i64,
    pub completed: i64,
    pub failed: i64,
    pub cancelled: i64,
}

/// A document's state as that of a file in a vector store.
pub(super) const STATE: &str = "CASE WHEN d.status IN ('queued', 'running') THEN 'in_progress' \
    WHEN d.status = 'ready' THEN 'completed' WHEN d.error = 'cancelled' THEN 'cancelled' ELSE 'failed' END";

/// Four columns: the documents `d` by [`STATE`].
pub(super) fn counted() -> String {
    let states = ["in_progress", "completed", "failed", "cancelled"];
    states.map(|state| format!("count(*) FILTER (WHERE {STATE} = '{state}')")).join(", ")
}

impl FileCounts {
    pub(super) fn read(row: &Row, at: usize) -> Self {
        Self {
            in_progress: row.get(at),
            completed: row.get(at + 1),
            failed: row.get(at + 2),
            cancelled: row.get(at + 3),
        }
    }

    #[must_use]
    pub fn total(&self) -> i64 {
        self.in_progress + self.completed + self.failed + self.cancelled
    }
}

#[derive(Debug, Clone)]
pub struct VectorStore {
    pub id: CollectionId,
    /// The collection's name, by which searches find it.
    pub collection: String,
    pub name: String,
    pub description: String,
    pub metadata: Value,
    pub created_at: OffsetDateTime,
    pub last_active_at: OffsetDateTime,
    pub expires_after_days: Option<i32>,
    pub expires_at: Option<OffsetDateTime>,
    pub expired: bool,
    pub files: FileCounts,
    /// Of all files as they came.
    pub bytes: i64,
}

/// The length of a document of an older version is looked up.
pub(super) const BYTES: &str = "coalesce(d.raw_bytes, (SELECT octet_length(v.raw) FROM document_versions v \
    WHERE v.tenant_id = d.tenant_id AND v.document_id = d.document_id AND v.version = d.version), 0)";

fn select() -> String {
    format!(
        "SELECT c.collection_id, c.name, coalesce(s.name, c.name), c.description, c.metadata, c.created_at, \
         coalesce(s.last_active_at, c.updated_at), s.expires_after_days, \
         s.last_active_at + make_interval(days => s.expires_after_days), \
         coalesce(s.last_active_at + make_interval(days => s.expires_after_days) <= now(), false), n.* \
         FROM collections c LEFT JOIN vector_stores s USING (tenant_id, collection_id) \
         CROSS JOIN LATERAL (SELECT {}, coalesce(sum({BYTES}), 0)::bigint FROM documents d \
             WHERE d.tenant_id = c.tenant_id AND d.collection_id = c.collection_id) n \
         WHERE c.tenant_id = $1",
        counted()
    )
}

impl VectorStore {
    fn read(row: &Row) -> Self {
        Self {
            id: CollectionId(row.get(0)),
            collection: row.get(1),
            name: row.get(2),
            description: row.get(3),
            metadata: row.get(4),
            created_at: row.get(5),
            last_active_at: row.get(6),
            expires_after_days: row.get(7),
            expires_at: row.get(8),
            expired: row.get(9),
            files: FileCounts::read(row, 10),
            bytes: row.get(14),
        }
    }
}

/// A collection and what it has as a vector store, in one transaction.
#[derive(Debug)]
pub struct CreateVectorStore {
    pub collection: CreateCollection,
    pub name: String,
    pub expires_after_days: Option<i32>,
}

impl Request for CreateVectorStore {
    type Reply = Result<Collection, StoreError>;
}

impl Serve<CreateVectorStore> for Store {
    async fn serve(
        self: Rc<Self>,
        new: CreateVectorStore,
        deadline: Deadline,
    ) -> Result<Collection, StoreError> {
        let tenant = new.collection.tenant;
        let mut connection = self.connection(tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        let created = match insert(&transaction, &new.collection).await {
            Ok(created) => created,
            Err(error) => {
                transaction.rollback().await?;
                self.done(tenant, connection);
                return Err(error);
            }
        };
        let sql = "INSERT INTO vector_stores (tenant_id, collection_id, name, expires_after_days) \
                   VALUES ($1, $2, $3, $4)";
        let values: [&(dyn ToSql + Sync); 4] = [&tenant.0, &created.id.0, &new.name, &new.expires_after_days];
        transaction.execute(sql, &values).await?;
        transaction.commit().await?;
        self.done(tenant, connection);
        Ok(created)
    }
}

#[derive(Debug, Clone)]
pub struct GetVectorStore {
    pub tenant: TenantId,
    pub id: CollectionId,
}

impl Request for GetVectorStore {
    type Reply = Result<VectorStore, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<GetVectorStore> for Store {
    async fn serve(
        self: Rc<Self>,
        get: GetVectorStore,
        deadline: Deadline,
    ) -> Result<VectorStore, StoreError> {
        let sql = format!("{} AND c.collection_id = $2", select());
        let key: [&(dyn ToSql + Sync); 2] = [&get.tenant.0, &get.id.0];
        let rows = self.read(get.tenant, Sees::OwnWrites, &sql, &key, deadline).await?;
        Ok(VectorStore::read(only_row(&rows, "vector store")?))
    }
}

#[derive(Debug, Clone)]
pub struct ListVectorStores {
    pub tenant: TenantId,
    pub page: Keyset,
}

impl Request for ListVectorStores {
    type Reply = Result<Listed<VectorStore>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<ListVectorStores> for Store {
    async fn serve(
        self: Rc<Self>,
        list: ListVectorStores,
        deadline: Deadline,
    ) -> Result<Listed<VectorStore>, StoreError> {
        let sql = format!("{} {}", select(), list.page.clause("c.collection_id", 2));
        let (page, rows) = (list.page, list.page.rows());
        let parameters: [&(dyn ToSql + Sync); 4] = [&list.tenant.0, &page.after, &page.before, &rows];
        let rows = self.read(list.tenant, Sees::OwnWrites, &sql, &parameters, deadline).await?;
        Ok(page.page(rows.iter().map(VectorStore::read).collect()))
    }
}

/// New values; `None` keeps the old one. Counts as use.
#[derive(Debug)]
pub struct UpdateVectorStore {
    pub tenant: TenantId,
    pub id: CollectionId,
    pub name: Option<String>,
    pub metadata: Option<Value>,
    /// `Some(None)`: it does not end any more.
    pub expires_after_days: Option<Option<i32>>,
}

impl Request for UpdateVectorStore {
    type Reply = Result<(), StoreError>;
}

impl Serve<UpdateVectorStore> for Store {
    async fn serve(self: Rc<Self>, change: UpdateVectorStore, deadline: Deadline) -> Result<(), StoreError> {
        let (tenant, id) = (change.tenant.0, change.id.0);
        let mut connection = self.connection(change.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        publish::lock_collection(&transaction, tenant, id).await?;
        let sql = "UPDATE collections SET metadata = $3, updated_at = now() WHERE tenant_id = $1 AND collection_id = $2";
        if let Some(metadata) = &change.metadata {
            transaction.execute(sql, &[&tenant, &id, metadata]).await?;
        }
        let sql = "INSERT INTO vector_stores AS s (tenant_id, collection_id, name, expires_after_days) \
                   SELECT tenant_id, collection_id, coalesce($3, name), $4 FROM collections \
                   WHERE tenant_id = $1 AND collection_id = $2 \
                   ON CONFLICT (tenant_id, collection_id) DO UPDATE SET name = coalesce($3, s.name), \
                   expires_after_days = CASE WHEN $5 THEN $4 ELSE s.expires_after_days END, last_active_at = now()";
        let (days, given) = (change.expires_after_days.flatten(), change.expires_after_days.is_some());
        let values: [&(dyn ToSql + Sync); 5] = [&tenant, &id, &change.name, &days, &given];
        transaction.execute(sql, &values).await?;
        transaction.commit().await?;
        self.done(change.tenant, connection);
        Ok(())
    }
}

/// Notes that vector stores are used, to the minute.
#[derive(Debug, Clone)]
pub struct TouchVectorStores {
    pub tenant: TenantId,
    pub ids: Vec<CollectionId>,
}

impl Request for TouchVectorStores {
    type Reply = Result<(), StoreError>;
}

impl Serve<TouchVectorStores> for Store {
    async fn serve(self: Rc<Self>, touch: TouchVectorStores, deadline: Deadline) -> Result<(), StoreError> {
        let connection = self.connection(touch.tenant, deadline).await?;
        let sql = "UPDATE vector_stores SET last_active_at = now() WHERE tenant_id = $1 AND collection_id = ANY ($2) \
                   AND last_active_at < now() - interval '1 minute' \
                   AND coalesce(last_active_at + make_interval(days => expires_after_days) > now(), true)";
        let statement = connection.prepare_cached(sql).await?;
        let ids: Vec<i64> = touch.ids.iter().map(|id| id.0).collect();
        connection.execute(&statement, &[&touch.tenant.0, &ids]).await?;
        self.done(touch.tenant, connection);
        Ok(())
    }
}

/// Whether vector stores may still be used.
#[derive(Debug, Clone)]
pub struct GetExpiry {
    pub tenant: TenantId,
    pub ids: Vec<CollectionId>,
}

/// Of a vector store whose use matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    pub id: CollectionId,
    pub expired: bool,
    /// Whether its use was noted a minute ago or longer.
    pub idle: bool,
}

impl Request for GetExpiry {
    /// Without those that are no more than collections.
    type Reply = Result<Vec<Expiry>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<GetExpiry> for Store {
    async fn serve(self: Rc<Self>, get: GetExpiry, deadline: Deadline) -> Result<Vec<Expiry>, StoreError> {
        let sql = "SELECT collection_id, \
                   coalesce(last_active_at + make_interval(days => expires_after_days) <= now(), false), \
                   last_active_at < now() - interval '1 minute' \
                   FROM vector_stores WHERE tenant_id = $1 AND collection_id = ANY ($2)";
        let ids: Vec<i64> = get.ids.iter().map(|id| id.0).collect();
        let rows = self.read(get.tenant, Sees::OwnWrites, sql, &[&get.tenant.0, &ids], deadline).await?;
        let read = |row: &Row| Expiry { id: CollectionId(row.get(0)), expired: row.get(1), idle: row.get(2) };
        Ok(rows.iter().map(read).collect())
    }
}
