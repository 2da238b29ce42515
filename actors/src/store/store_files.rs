//! Documents as files of a vector store, and files put into one together.

use super::error::StoreError;
use super::idempotency::commit;
use super::ids::{BatchId, CollectionId, DocumentId, FileId, JobId, TenantId};
use super::keyset::{Keyset, Listed};
use super::publish::{count, lock_collection};
use super::read::Sees;
use super::vector_stores::{BYTES, FileCounts, STATE, counted};
use super::{Store, only_row};
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use serde_json::Value;
use std::rc::Rc;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// A document as a file.
#[derive(Debug, Clone)]
pub struct StoreFile {
    pub document: DocumentId,
    /// The uploaded file it was made of; absent where it came another way.
    pub file: Option<FileId>,
    pub external_id: String,
    /// in_progress, completed, cancelled or failed.
    pub state: String,
    pub error: Option<String>,
    pub bytes: i64,
    pub attributes: Value,
    pub max_tokens: i32,
    pub overlap_tokens: i32,
    pub created_at: OffsetDateTime,
    /// Whether an earlier version is searchable.
    pub published: bool,
}

impl StoreFile {
    fn read(row: &Row) -> Self {
        Self {
            document: DocumentId(row.get(0)),
            file: row.get::<_, Option<i64>>(1).map(FileId),
            external_id: row.get(2),
            state: row.get(3),
            error: row.get(4),
            bytes: row.get(5),
            attributes: row.get(6),
            max_tokens: row.get(7),
            overlap_tokens: row.get(8),
            created_at: row.get(9),
            published: row.get(10),
        }
    }
}

/// The attributes of the version accepted last, which are in force once it is published.
fn select() -> String {
    format!(
        "SELECT d.document_id, d.file_id, d.external_id, {STATE}, d.error, {BYTES}, \
         coalesce((SELECT v.attributes FROM document_versions v WHERE v.tenant_id = d.tenant_id \
             AND v.document_id = d.document_id AND v.version = d.version), d.attributes), \
         coalesce(d.max_tokens, c.max_tokens), coalesce(d.overlap_tokens, c.overlap_tokens), d.created_at, \
         d.published_version IS NOT NULL \
         FROM documents d JOIN collections c USING (tenant_id, collection_id) \
         WHERE d.tenant_id = $1 AND d.collection_id = $2"
    )
}

/// Which file of a vector store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFileId {
    Uploaded(FileId),
    Document(DocumentId),
}

impl StoreFileId {
    fn condition(self) -> (&'static str, i64) {
        match self {
            Self::Uploaded(id) => ("d.file_id", id.0),
            Self::Document(id) => ("d.document_id", id.0),
        }
    }
}

#[derive(Debug, Clone)]
pub struct GetStoreFile {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub id: StoreFileId,
}

impl Request for GetStoreFile {
    type Reply = Result<StoreFile, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<GetStoreFile> for Store {
    async fn serve(self: Rc<Self>, get: GetStoreFile, deadline: Deadline) -> Result<StoreFile, StoreError> {
        let (column, id) = get.id.condition();
        let sql = format!("{} AND {column} = $3 ORDER BY d.document_id LIMIT 1", select());
        let key: [&(dyn ToSql + Sync); 3] = [&get.tenant.0, &get.collection.0, &id];
        let rows = self.read(get.tenant, Sees::OwnWrites, &sql, &key, deadline).await?;
        Ok(StoreFile::read(only_row(&rows, "file in this vector store")?))
    }
}

#[derive(Debug, Clone)]
pub struct ListStoreFiles {
    pub tenant: TenantId,
    pub collection: CollectionId,
    /// in_progress, completed, cancelled or failed.
    pub state: Option<String>,
    /// Of this batch alone.
    pub batch: Option<BatchId>,
    pub page: Keyset,
}

impl Request for ListStoreFiles {
    type Reply = Result<Listed<StoreFile>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<ListStoreFiles> for Store {
    async fn serve(
        self: Rc<Self>,
        list: ListStoreFiles,
        deadline: Deadline,
    ) -> Result<Listed<StoreFile>, StoreError> {
        let sql = format!(
            "{} AND ($3::text IS NULL OR {STATE} = $3) AND ($4::bigint IS NULL OR d.file_id = ANY (( \
             SELECT b.files FROM file_batches b WHERE b.tenant_id = $1 AND b.batch_id = $4)::bigint[])) {}",
            select(),
            list.page.clause("d.document_id", 5)
        );
        let (page, rows, batch) = (list.page, list.page.rows(), list.batch.map(|id| id.0));
        let parameters: [&(dyn ToSql + Sync); 7] =
            [&list.tenant.0, &list.collection.0, &list.state, &batch, &page.after, &page.before, &rows];
        let rows = self.read(list.tenant, Sees::OwnWrites, &sql, &parameters, deadline).await?;
        Ok(page.page(rows.iter().map(StoreFile::read).collect()))
    }
}

/// Other attributes for a document; what is parsed and embedded of it stays.
#[derive(Debug)]
pub struct SetAttributes {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub document: DocumentId,
    pub attributes: Value,
}

impl Request for SetAttributes {
    type Reply = Result<(), StoreError>;
}

/// All versions: the published one, and one that waits. What was sent before is no longer what there is.
const SET: &str = "
WITH d AS MATERIALIZED (
    SELECT document_id FROM documents WHERE tenant_id = $1 AND collection_id = $2 AND document_id = $3 FOR NO KEY UPDATE),
v AS (
    UPDATE document_versions v SET attributes = $4, content_hash = sha256(v.content_hash || convert_to($4::jsonb::text, 'UTF8'))
    FROM d WHERE v.tenant_id = $1 AND v.document_id = d.document_id)
UPDATE documents SET attributes = $4, updated_at = now()
FROM d WHERE documents.tenant_id = $1 AND documents.document_id = d.document_id RETURNING 1";

impl Serve<SetAttributes> for Store {
    async fn serve(self: Rc<Self>, set: SetAttributes, deadline: Deadline) -> Result<(), StoreError> {
        let (tenant, collection) = (set.tenant.0, set.collection.0);
        let mut connection = self.connection(set.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        lock_collection(&transaction, tenant, collection).await?;
        let statement = transaction.prepare_cached(SET).await?;
        let values: [&(dyn ToSql + Sync); 4] = [&tenant, &collection, &set.document.0, &set.attributes];
        only_row(&transaction.query(&statement, &values).await?, "file in this vector store")?;
        count(&transaction, tenant, collection, [0; 3]).await?; // results show it: the epoch rises
        commit(transaction, &()).await?;
        self.done(set.tenant, connection);
        Ok(())
    }
}

/// Files put into a vector store together, and how they stand.
#[derive(Debug, Clone)]
pub struct FileBatch {
    pub id: BatchId,
    pub collection: CollectionId,
    pub job: Option<JobId>,
    pub cancelled: bool,
    pub created_at: OffsetDateTime,
    /// Of those that are still in the vector store.
    pub files: FileCounts,
}

#[derive(Debug, Clone)]
pub struct GetFileBatch {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub id: BatchId,
}

impl Request for GetFileBatch {
    type Reply = Result<FileBatch, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<GetFileBatch> for Store {
    async fn serve(self: Rc<Self>, get: GetFileBatch, deadline: Deadline) -> Result<FileBatch, StoreError> {
        let sql = format!(
            "SELECT b.batch_id, b.collection_id, b.job_id, b.cancelled, b.created_at, n.* FROM file_batches b \
             CROSS JOIN LATERAL (SELECT {} FROM documents d WHERE d.tenant_id = b.tenant_id \
                 AND d.collection_id = b.collection_id AND d.file_id = ANY (b.files)) n \
             WHERE b.tenant_id = $1 AND b.collection_id = $2 AND b.batch_id = $3",
            counted()
        );
        let key: [&(dyn ToSql + Sync); 3] = [&get.tenant.0, &get.collection.0, &get.id.0];
        let rows = self.read(get.tenant, Sees::OwnWrites, &sql, &key, deadline).await?;
        let row = only_row(&rows, "file batch")?;
        Ok(FileBatch {
            id: BatchId(row.get(0)),
            collection: CollectionId(row.get(1)),
            job: row.get::<_, Option<i64>>(2).map(JobId),
            cancelled: row.get(3),
            created_at: row.get(4),
            files: FileCounts::read(row, 5),
        })
    }
}

/// Notes that a batch was cancelled; its job is cancelled like any other.
#[derive(Debug)]
pub struct NoteCancelled {
    pub tenant: TenantId,
    pub id: BatchId,
}

impl Request for NoteCancelled {
    type Reply = Result<(), StoreError>;
}

impl Serve<NoteCancelled> for Store {
    async fn serve(self: Rc<Self>, note: NoteCancelled, deadline: Deadline) -> Result<(), StoreError> {
        let connection = self.connection(note.tenant, deadline).await?;
        let sql = "UPDATE file_batches SET cancelled = true WHERE tenant_id = $1 AND batch_id = $2";
        connection.execute(sql, &[&note.tenant.0, &note.id.0]).await?;
        self.done(note.tenant, connection);
        Ok(())
    }
}
