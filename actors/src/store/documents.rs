//! Documents, looked up; `accept.rs` takes them in, `publish.rs` makes them searchable, `delete.rs` takes them away.

use super::error::StoreError;
use super::ids::{CollectionId, DocumentId, JobId, TenantId};
use super::read::Sees;
use super::{Store, only_row};
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use serde_json::Value;
use std::rc::Rc;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

const COLUMNS: &str = "document_id, collection_id, external_id, version, status, error, job_id, title, \
                       uri, media_type, attributes, acl, chunks, created_at, updated_at, warnings, expires_at";

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
    pub expires_at: Option<OffsetDateTime>,
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
            expires_at: row.get(16),
        }
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
