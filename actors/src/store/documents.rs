//! Documents as accepted, looked up and deleted; `publish.rs` makes them searchable.

use super::collections::Receipt;
use super::error::StoreError;
use super::ids::{CollectionId, DocumentId, JobId, TenantId};
use super::read::Sees;
use super::tasks::Class;
use super::{Store, only_row, publish};
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use bytes::Bytes;
use serde_json::{Value, json};
use std::rc::Rc;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

pub(super) const COLUMNS: &str = "document_id, collection_id, external_id, version, status, error, job_id, title, \
                                  uri, media_type, attributes, acl, chunks, created_at, updated_at, warnings";

#[derive(Debug, Clone)]
pub struct Document {
    pub id: DocumentId,
    pub collection: CollectionId,
    pub external_id: String,
    pub version: i32,
    /// queued, running, ready or failed.
    pub status: String,
    pub error: Option<String>,
    pub job: Option<JobId>,
    pub title: String,
    pub uri: String,
    pub media_type: String,
    pub attributes: Value,
    pub acl: Vec<String>,
    pub chunks: i32,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    /// What the published version had to do without.
    pub warnings: Vec<String>,
}

impl Document {
    fn read(row: &Row) -> Self {
        Self {
            id: DocumentId(row.get(0)),
            collection: CollectionId(row.get(1)),
            external_id: row.get(2),
            version: row.get(3),
            status: row.get(4),
            error: row.get(5),
            job: row.get::<_, Option<i64>>(6).map(JobId),
            title: row.get(7),
            uri: row.get(8),
            media_type: row.get(9),
            attributes: row.get(10),
            acl: row.get(11),
            chunks: row.get(12),
            created_at: row.get(13),
            updated_at: row.get(14),
            warnings: row.get(15),
        }
    }
}

/// A document as a client sent it.
#[derive(Debug)]
pub struct NewDocument {
    pub external_id: String,
    pub title: String,
    pub uri: String,
    pub media_type: String,
    pub attributes: Value,
    pub acl: Vec<String>,
    pub raw: Bytes,
    /// Over the bytes and all metadata: equal means that nothing has to be done.
    pub content_hash: Vec<u8>,
}

/// Stores documents and the job that will make them searchable, in one transaction.
#[derive(Debug)]
pub struct AcceptDocuments {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub documents: Vec<NewDocument>,
    pub class: Class,
    /// The URL that is told of the job's end.
    pub webhook: Option<String>,
}

#[derive(Debug)]
pub struct Accepted {
    /// Absent when every document is unchanged.
    pub job: Option<JobId>,
    pub changed: usize,
}

impl Request for AcceptDocuments {
    type Reply = Result<Accepted, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

/// Inserts a document or its next version; returns nothing when it is unchanged. A failed document
/// is tried again even with the same content.
const ACCEPT: &str = "
WITH accepted AS (
    INSERT INTO documents AS d (tenant_id, collection_id, external_id, status, job_id, title, uri, media_type,
                                attributes, acl)
    VALUES ($1, $2, $3, 'queued', $4, $5, $6, $7, $8, $9)
    ON CONFLICT (tenant_id, collection_id, external_id) DO UPDATE
    SET version = d.version + 1, status = 'queued', error = NULL, job_id = $4, updated_at = now()
    WHERE d.status = 'failed' OR $10 IS DISTINCT FROM (
        SELECT v.content_hash FROM document_versions v
        WHERE v.tenant_id = d.tenant_id AND v.document_id = d.document_id AND v.version = d.version)
    RETURNING d.document_id, d.version),
queued AS (
    INSERT INTO tasks (tenant_id, job_id, kind, class, document_id)
    SELECT $1, $4, 'ingest', $12, document_id FROM accepted
    ON CONFLICT (tenant_id, document_id) DO UPDATE
    SET job_id = $4, class = $12, due_at = now(), lease_owner = NULL, attempts = 0, put_offs = 0, created_at = now())
INSERT INTO document_versions (tenant_id, document_id, version, content_hash, title, uri, media_type, attributes,
                               acl, raw)
SELECT $1, document_id, version, $10, $5, $6, $7, $8, $9, $11 FROM accepted";

impl Serve<AcceptDocuments> for Store {
    async fn serve(
        self: Rc<Self>,
        mut accept: AcceptDocuments,
        deadline: Deadline,
    ) -> Result<Accepted, StoreError> {
        // One order for all writers: two uploads of the same documents do not wait for each other in a
        // circle. Stable, so that of several with one id the last still wins.
        accept.documents.sort_by(|a, b| a.external_id.cmp(&b.external_id));
        let (tenant, collection) = (accept.tenant.0, accept.collection.0);
        let mut connection = self.connection(accept.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        let start = "INSERT INTO jobs (tenant_id, collection_id, kind, total, class, webhook) \
                     VALUES ($1, $2, 'ingest', 0, $3, $4) RETURNING job_id";
        let class = accept.class as i16;
        let webhook = accept.webhook.map(|url| json!({"url": url}));
        let job: i64 = match transaction
            .query_one(start, &[&tenant, &collection, &class, &webhook])
            .await
            .map_err(StoreError::from)
        {
            Err(StoreError::Conflict(_)) => return Err(StoreError::NotFound("collection")),
            other => other?.get(0),
        };
        let statement = transaction.prepare_cached(ACCEPT).await?;
        let mut changed = 0;
        for new in &accept.documents {
            changed += transaction
                .execute(
                    &statement,
                    &[
                        &tenant,
                        &collection,
                        &new.external_id,
                        &job,
                        &new.title,
                        &new.uri,
                        &new.media_type,
                        &new.attributes,
                        &new.acl,
                        &new.content_hash,
                        &new.raw.as_ref(),
                        &class,
                    ],
                )
                .await?;
        }
        if changed == 0 {
            transaction.rollback().await?;
            self.done(accept.tenant, connection);
            return Ok(Accepted { job: None, changed: 0 });
        }
        // A document that stands twice in one request is still one document.
        let finish = "UPDATE jobs SET total = (SELECT count(*) FROM documents WHERE tenant_id = $1 AND job_id = $2 \
                      AND status IN ('queued', 'running')) WHERE tenant_id = $1 AND job_id = $2";
        transaction.execute(finish, &[&tenant, &job]).await?;
        transaction.commit().await?;
        self.done(accept.tenant, connection);
        Ok(Accepted { job: Some(JobId(job)), changed: usize::try_from(changed).unwrap_or(usize::MAX) })
    }
}

#[derive(Debug, Clone)]
pub struct GetDocument {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub external_id: String,
}

impl Request for GetDocument {
    type Reply = Result<Document, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<GetDocument> for Store {
    async fn serve(self: Rc<Self>, get: GetDocument, deadline: Deadline) -> Result<Document, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM documents WHERE tenant_id = $1 AND collection_id = $2 AND external_id = $3"
        );
        let key: [&(dyn ToSql + Sync); 3] = [&get.tenant.0, &get.collection.0, &get.external_id];
        let rows = self.read(get.tenant, Sees::OwnWrites, &sql, &key, deadline).await?;
        Ok(Document::read(only_row(&rows, "document")?))
    }
}

/// One page of a collection's documents in id order, `limit + 1` rows so that more is known.
#[derive(Debug, Clone)]
pub struct ListDocuments {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub status: Option<String>,
    pub after: Option<DocumentId>,
    pub before: Option<DocumentId>,
    pub descending: bool,
    pub limit: i64,
}

impl Request for ListDocuments {
    type Reply = Result<Vec<Document>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<ListDocuments> for Store {
    async fn serve(
        self: Rc<Self>,
        list: ListDocuments,
        deadline: Deadline,
    ) -> Result<Vec<Document>, StoreError> {
        // `after` and `before` are positions in the order asked for.
        let (order, follows, precedes) = if list.descending { ("DESC", "<", ">") } else { ("ASC", ">", "<") };
        let sql = format!(
            "SELECT {COLUMNS} FROM documents WHERE tenant_id = $1 AND collection_id = $2 \
             AND ($3::text IS NULL OR status = $3) \
             AND ($4::bigint IS NULL OR document_id {follows} $4) \
             AND ($5::bigint IS NULL OR document_id {precedes} $5) ORDER BY document_id {order} LIMIT $6"
        );
        let (after, before) = (list.after.map(|id| id.0), list.before.map(|id| id.0));
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&list.tenant.0, &list.collection.0, &list.status, &after, &before, &(list.limit + 1)];
        let rows = self.read(list.tenant, Sees::OwnWrites, &sql, &parameters, deadline).await?;
        Ok(rows.iter().map(Document::read).collect())
    }
}

/// The text that spans and citations of the published version point into.
#[derive(Debug, Clone)]
pub struct GetContent {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub external_id: String,
}

impl Request for GetContent {
    type Reply = Result<String, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<GetContent> for Store {
    async fn serve(self: Rc<Self>, get: GetContent, deadline: Deadline) -> Result<String, StoreError> {
        let sql = "SELECT v.text, CASE WHEN v.text IS NULL THEN v.raw END FROM documents d \
                   JOIN document_versions v ON v.tenant_id = d.tenant_id AND v.document_id = d.document_id \
                   AND v.version = d.published_version \
                   WHERE d.tenant_id = $1 AND d.collection_id = $2 AND d.external_id = $3";
        let key: [&(dyn ToSql + Sync); 3] = [&get.tenant.0, &get.collection.0, &get.external_id];
        let rows = self.read(get.tenant, Sees::OwnWrites, sql, &key, deadline).await?;
        let row = only_row(&rows, "published document")?;
        Ok(match (row.get::<_, Option<String>>(0), row.get::<_, Option<Vec<u8>>>(1)) {
            (Some(text), _) => text,
            (None, raw) => String::from_utf8_lossy(&raw.unwrap_or_default()).into_owned(),
        })
    }
}

/// Removes a document with all its chunks, embeddings and statistics.
#[derive(Debug)]
pub struct DeleteDocument {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub external_id: String,
}

impl Request for DeleteDocument {
    type Reply = Result<Receipt, StoreError>;
}

impl Serve<DeleteDocument> for Store {
    async fn serve(
        self: Rc<Self>,
        delete: DeleteDocument,
        deadline: Deadline,
    ) -> Result<Receipt, StoreError> {
        let (tenant, collection) = (delete.tenant.0, delete.collection.0);
        let mut connection = self.connection(delete.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        publish::lock_collection(&transaction, tenant, collection).await?;
        let find = "SELECT document_id FROM documents \
                    WHERE tenant_id = $1 AND collection_id = $2 AND external_id = $3 FOR UPDATE";
        let rows = transaction.query(find, &[&tenant, &collection, &delete.external_id]).await?;
        let document: i64 = only_row(&rows, "document")?.get(0);
        let receipt = publish::retract(&transaction, tenant, collection, document).await?;
        let sql = "DELETE FROM documents WHERE tenant_id = $1 AND document_id = $2";
        transaction.execute(sql, &[&tenant, &document]).await?;
        transaction.commit().await?;
        self.done(delete.tenant, connection);
        Ok(Receipt { documents: 1, ..receipt })
    }
}
