//! Uploaded files: their bytes as they came, whatever is made of them.

use super::error::StoreError;
use super::ids::{CollectionId, DocumentId, FileId, TenantId};
use super::keyset::{Keyset, Listed};
use super::read::Sees;
use super::{Store, only_row};
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use bytes::Bytes;
use std::rc::Rc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

const COLUMNS: &str = "file_id, filename, purpose, media_type, bytes, digest, created_at, expires_at";
const THERE: &str = "(expires_at IS NULL OR expires_at > now())";

#[derive(Debug, Clone)]
pub struct File {
    pub id: FileId,
    pub filename: String,
    pub purpose: String,
    pub media_type: String,
    pub bytes: i64,
    /// SHA-256 of the content.
    pub digest: Vec<u8>,
    pub created_at: OffsetDateTime,
    pub expires_at: Option<OffsetDateTime>,
}

impl File {
    fn read(row: &Row) -> Self {
        Self {
            id: FileId(row.get(0)),
            filename: row.get(1),
            purpose: row.get(2),
            media_type: row.get(3),
            bytes: row.get(4),
            digest: row.get(5),
            created_at: row.get(6),
            expires_at: row.get(7),
        }
    }
}

/// Keeps a file, unless the tenant's files together would hold more than so many bytes.
#[derive(Debug)]
pub struct CreateFile {
    pub tenant: TenantId,
    pub filename: String,
    pub purpose: String,
    pub media_type: String,
    pub digest: Vec<u8>,
    pub content: Bytes,
    pub expires_after: Option<Duration>,
    pub most_bytes: i64,
}

impl Request for CreateFile {
    /// None: there is no room.
    type Reply = Result<Option<File>, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<CreateFile> for Store {
    async fn serve(self: Rc<Self>, new: CreateFile, deadline: Deadline) -> Result<Option<File>, StoreError> {
        let connection = self.connection(new.tenant, deadline).await?;
        let sql = format!(
            "INSERT INTO files (tenant_id, filename, purpose, media_type, bytes, digest, content, expires_at) \
             SELECT $1, $2, $3, $4, octet_length($6::bytea), $5, $6::bytea, now() + make_interval(secs => $7) \
             WHERE (SELECT coalesce(sum(bytes), 0) FROM files WHERE tenant_id = $1) + octet_length($6::bytea) <= $8::bigint \
             RETURNING {COLUMNS}"
        );
        let statement = connection.prepare_cached(&sql).await?;
        let seconds = new.expires_after.map(|after| after.as_secs_f64());
        let parameters: [&(dyn ToSql + Sync); 8] = [
            &new.tenant.0,
            &new.filename,
            &new.purpose,
            &new.media_type,
            &new.digest,
            &new.content.as_ref(),
            &seconds,
            &new.most_bytes,
        ];
        let row = connection.query_opt(&statement, &parameters).await?;
        self.done(new.tenant, connection);
        Ok(row.map(|row| File::read(&row)))
    }
}

/// Those of these files that are there, in no order.
#[derive(Debug, Clone)]
pub struct GetFiles {
    pub tenant: TenantId,
    pub ids: Vec<FileId>,
}

impl Request for GetFiles {
    type Reply = Result<Vec<File>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<GetFiles> for Store {
    async fn serve(self: Rc<Self>, get: GetFiles, deadline: Deadline) -> Result<Vec<File>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM files WHERE tenant_id = $1 AND file_id = ANY ($2) AND {THERE}");
        let ids: Vec<i64> = get.ids.iter().map(|id| id.0).collect();
        let rows = self.read(get.tenant, Sees::OwnWrites, &sql, &[&get.tenant.0, &ids], deadline).await?;
        Ok(rows.iter().map(File::read).collect())
    }
}

#[derive(Debug, Clone)]
pub struct ListFiles {
    pub tenant: TenantId,
    pub purpose: Option<String>,
    pub page: Keyset,
}

impl Request for ListFiles {
    type Reply = Result<Listed<File>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<ListFiles> for Store {
    async fn serve(self: Rc<Self>, list: ListFiles, deadline: Deadline) -> Result<Listed<File>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM files WHERE tenant_id = $1 AND {THERE} AND ($2::text IS NULL OR purpose = $2) {}",
            list.page.clause("file_id", 3)
        );
        let (page, rows) = (list.page, list.page.rows());
        let parameters: [&(dyn ToSql + Sync); 5] =
            [&list.tenant.0, &list.purpose, &page.after, &page.before, &rows];
        let rows = self.read(list.tenant, Sees::OwnWrites, &sql, &parameters, deadline).await?;
        Ok(page.page(rows.iter().map(File::read).collect()))
    }
}

/// A file's bytes, as they came.
#[derive(Debug, Clone)]
pub struct GetFileContent {
    pub tenant: TenantId,
    pub id: FileId,
}

impl Request for GetFileContent {
    type Reply = Result<Vec<u8>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<GetFileContent> for Store {
    async fn serve(self: Rc<Self>, get: GetFileContent, deadline: Deadline) -> Result<Vec<u8>, StoreError> {
        let sql = format!("SELECT content FROM files WHERE tenant_id = $1 AND file_id = $2 AND {THERE}");
        let key: [&(dyn ToSql + Sync); 2] = [&get.tenant.0, &get.id.0];
        let rows = self.read(get.tenant, Sees::OwnWrites, &sql, &key, deadline).await?;
        Ok(only_row(&rows, "file")?.get(0))
    }
}

/// The documents made of a file, by collection and external id: at most so many.
#[derive(Debug, Clone)]
pub struct DocumentsOfFile {
    pub tenant: TenantId,
    pub id: FileId,
    pub most: u16,
}

impl Request for DocumentsOfFile {
    type Reply = Result<Vec<(CollectionId, DocumentId, String)>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<DocumentsOfFile> for Store {
    async fn serve(
        self: Rc<Self>,
        of: DocumentsOfFile,
        deadline: Deadline,
    ) -> Result<Vec<(CollectionId, DocumentId, String)>, StoreError> {
        let sql = "SELECT collection_id, document_id, external_id FROM documents \
                   WHERE tenant_id = $1 AND file_id = $2 ORDER BY document_id LIMIT $3";
        let most = i64::from(of.most);
        let parameters: [&(dyn ToSql + Sync); 3] = [&of.tenant.0, &of.id.0, &most];
        let rows = self.read(of.tenant, Sees::Newest, sql, &parameters, deadline).await?;
        let read = |row: &Row| (CollectionId(row.get(0)), DocumentId(row.get(1)), row.get(2));
        Ok(rows.iter().map(read).collect())
    }
}

/// Forgets a file's bytes; documents made of it are not touched.
#[derive(Debug)]
pub struct DeleteFile {
    pub tenant: TenantId,
    pub id: FileId,
}

impl Request for DeleteFile {
    type Reply = Result<(), StoreError>;
}

impl Serve<DeleteFile> for Store {
    async fn serve(self: Rc<Self>, delete: DeleteFile, deadline: Deadline) -> Result<(), StoreError> {
        let connection = self.connection(delete.tenant, deadline).await?;
        let sql = "DELETE FROM files WHERE tenant_id = $1 AND file_id = $2 RETURNING 1";
        let statement = connection.prepare_cached(sql).await?;
        let rows = connection.query(&statement, &[&delete.tenant.0, &delete.id.0]).await?;
        self.done(delete.tenant, connection);
        only_row(&rows, "file").map(drop)
    }
}

/// Deletes files whose time is over, and has documents of vector stores whose time is over expire: of any tenant, so
/// many of each at most.
#[derive(Debug)]
pub struct SweepFiles {
    pub most: i32,
}

impl Request for SweepFiles {
    /// How many rows that were.
    type Reply = Result<i64, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<SweepFiles> for Store {
    async fn serve(self: Rc<Self>, sweep: SweepFiles, deadline: Deadline) -> Result<i64, StoreError> {
        let connection = self.connection(TenantId(0), deadline).await?;
        let statement = connection.prepare_cached("SELECT sweep_files($1)").await?;
        let row = connection.query_one(&statement, &[&sweep.most]).await?;
        connection.hand_back();
        Ok(row.get(0))
    }
}
