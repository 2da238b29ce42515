//! Documents as they are taken in: stored with the job that will make them searchable, in one transaction.
//!
//! What is the same as before costs nothing. Where only metadata differs from what is published (not the title, which
//! is embedded), it is put in its place at once, and nothing is parsed or embedded again.

use super::Store;
use super::error::StoreError;
use super::idempotency::commit;
use super::ids::{BatchId, CollectionId, FileId, JobId, TenantId};
use super::publish::{count, lock_collection};
use super::space::Space;
use super::tasks::Class;
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use bytes::Bytes;
use deadpool_postgres::Transaction;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio_postgres::types::ToSql;

/// A document as a client sent it.
#[derive(Debug)]
pub struct NewDocument {
    pub external_id: String,
    pub title: String,
    pub uri: String,
    pub media_type: String,
    pub attributes: Value,
    pub acl: Vec<String>,
    pub expires_at: Option<OffsetDateTime>,
    pub raw: Raw,
    /// The largest chunk and the overlap, in tokens, where they are not the collection's.
    pub cut: Option<(u32, u32)>,
    /// Over the bytes and all metadata: equal means that nothing has to be done.
    pub content_hash: Vec<u8>,
    /// Over what is parsed and embedded: equal means that only metadata differs.
    pub body_hash: Vec<u8>,
    /// Vectors in the model's space that are known already, by the hash of what was embedded.
    pub vectors: Vec<(Vec<u8>, Vec<f32>)>,
}

/// A document's bytes.
#[derive(Debug)]
pub enum Raw {
    Sent(Bytes),
    /// Those of an uploaded file, which are copied where they are.
    File(FileId),
}

impl Raw {
    fn sent(&self) -> Option<&[u8]> {
        match self {
            Self::Sent(bytes) => Some(bytes),
            Self::File(_) => None,
        }
    }

    fn file(&self) -> Option<i64> {
        match self {
            Self::Sent(_) => None,
            Self::File(id) => Some(id.0),
        }
    }
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
    /// Where vectors that came with documents wait; without it they are not used.
    pub staging: Option<Arc<Space>>,
    /// Whether the files they are made of are to be known as a batch.
    pub as_batch: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Accepted {
    /// Absent when nothing is left to be worked on.
    pub job: Option<JobId>,
    /// With a new version, or new metadata.
    pub changed: usize,
    pub batch: Option<BatchId>,
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
WITH given AS MATERIALIZED (
    SELECT coalesce($11::bytea, (SELECT content FROM files WHERE tenant_id = $1 AND file_id = $15)) AS raw),
accepted AS (
    INSERT INTO documents AS d (tenant_id, collection_id, external_id, status, job_id, title, uri, media_type,
                                attributes, acl, expires_at, file_id, raw_bytes, max_tokens, overlap_tokens)
    SELECT $1, $2, $3, 'queued', $4, $5, $6, $7, $8, $9, $13, $15, octet_length(given.raw), $16, $17 FROM given
    ON CONFLICT (tenant_id, collection_id, external_id) DO UPDATE
    SET version = d.version + 1, status = 'queued', error = NULL, job_id = $4, expires_at = $13, updated_at = now(),
        file_id = $15, raw_bytes = excluded.raw_bytes, max_tokens = $16, overlap_tokens = $17
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
                               acl, raw, body_hash)
SELECT $1, document_id, version, $10, $5, $6, $7, $8, $9, given.raw, $14 FROM accepted, given";

/// Those of which nothing but metadata differs from what is published.
const ALIKE: &str = "
SELECT d.external_id FROM unnest($3::text[], $4::bytea[], $5::bytea[]) AS sent(external_id, content_hash, body_hash)
JOIN documents d ON d.tenant_id = $1 AND d.collection_id = $2 AND d.external_id = sent.external_id
JOIN document_versions v ON v.tenant_id = $1 AND v.document_id = d.document_id AND v.version = d.version
WHERE d.status = 'ready' AND d.version = d.published_version
  AND v.body_hash = sent.body_hash AND v.content_hash <> sent.content_hash";

/// The document's row is locked first, as by whoever accepts a newer version.
const RETOUCH: &str = "
WITH d AS MATERIALIZED (
    SELECT document_id, version FROM documents
    WHERE tenant_id = $1 AND collection_id = $2 AND external_id = $3 AND status = 'ready'
      AND version = published_version FOR UPDATE),
v AS (
    UPDATE document_versions v SET version = v.version + 1, content_hash = $5, uri = $6, attributes = $7, acl = $8
    FROM d WHERE v.tenant_id = $1 AND v.document_id = d.document_id AND v.version = d.version
      AND v.body_hash = $4 AND v.content_hash <> $5
    RETURNING v.document_id, v.version)
UPDATE documents SET version = v.version, published_version = v.version, uri = $6, attributes = $7, acl = $8,
                     expires_at = $9, updated_at = now()
FROM v WHERE documents.tenant_id = $1 AND documents.document_id = v.document_id";

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
        hold_files(&transaction, &accept).await?;
        let alike = alike(&transaction, &accept).await?;
        if !alike.is_empty() {
            // Before any document's lock, as everywhere.
            lock_collection(&transaction, tenant, collection).await?;
        }
        let start = "INSERT INTO jobs (tenant_id, collection_id, kind, total, class, webhook) \
                     VALUES ($1, $2, 'ingest', 0, $3, $4) RETURNING job_id";
        let class = accept.class as i16;
        let webhook = accept.webhook.take().map(|url| json!({"url": url}));
        let job: i64 = match transaction
            .query_one(start, &[&tenant, &collection, &class, &webhook])
            .await
            .map_err(StoreError::from)
        {
            Err(StoreError::Conflict(_)) => return Err(StoreError::NotFound("collection")),
            other => other?.get(0),
        };
        let statement = transaction.prepare_cached(ACCEPT).await?;
        let (mut waiting, mut retouched) = (0, 0);
        for new in &accept.documents {
            if alike.contains(&new.external_id) && retouch(&transaction, tenant, collection, new).await? {
                retouched += 1;
                continue;
            }
            let accepted = transaction
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
                        &new.raw.sent(),
                        &class,
                        &new.expires_at,
                        &new.body_hash,
                        &new.raw.file(),
                        &new.cut.map(|(max, _)| max.cast_signed()),
                        &new.cut.map(|(_, overlap)| overlap.cast_signed()),
                    ],
                )
                .await?;
            if let Some(space) = accept.staging.as_ref().filter(|_| accepted > 0 && !new.vectors.is_empty()) {
                stage(&transaction, tenant, collection, space, new).await?;
            }
            waiting += usize::try_from(accepted).unwrap_or(usize::MAX);
        }
        if retouched > 0 {
            count(&transaction, tenant, collection, [0; 3]).await?; // results show it: the epoch rises
        }
        let job_left = (waiting > 0).then_some(JobId(job));
        let batch =
            if accept.as_batch { Some(note_batch(&transaction, &accept, job_left).await?) } else { None };
        let accepted = Accepted { job: job_left, changed: waiting + retouched, batch };
        let end = if waiting > 0 {
            // A document that stands twice in one request is still one document.
            "UPDATE jobs SET total = (SELECT count(*) FROM documents WHERE tenant_id = $1 AND job_id = $2 \
             AND status IN ('queued', 'running')) WHERE tenant_id = $1 AND job_id = $2"
        } else {
            "DELETE FROM jobs WHERE tenant_id = $1 AND job_id = $2"
        };
        transaction.execute(end, &[&tenant, &job]).await?;
        commit(transaction, &accepted).await?;
        self.done(accept.tenant, connection);
        Ok(accepted)
    }
}

/// Keeps the files that documents are made of until the end of the transaction.
async fn hold_files(transaction: &Transaction<'_>, accept: &AcceptDocuments) -> Result<(), StoreError> {
    let mut files: Vec<i64> = accept.documents.iter().filter_map(|new| new.raw.file()).collect();
    if files.is_empty() {
        return Ok(());
    }
    files.sort_unstable();
    files.dedup();
    let sql = "SELECT 1 FROM files WHERE tenant_id = $1 AND file_id = ANY ($2) \
               AND (expires_at IS NULL OR expires_at > now()) ORDER BY file_id FOR KEY SHARE";
    let held = transaction.query(sql, &[&accept.tenant.0, &files]).await?;
    if held.len() == files.len() { Ok(()) } else { Err(StoreError::NotFound("file")) }
}

/// The files sent together, under one name.
async fn note_batch(
    transaction: &Transaction<'_>,
    accept: &AcceptDocuments,
    job: Option<JobId>,
) -> Result<BatchId, StoreError> {
    let files: Vec<i64> = accept.documents.iter().filter_map(|new| new.raw.file()).collect();
    let sql = "INSERT INTO file_batches (tenant_id, collection_id, job_id, files) VALUES ($1, $2, $3, $4) RETURNING batch_id";
    let job = job.map(|job| job.0);
    let row = transaction.query_one(sql, &[&accept.tenant.0, &accept.collection.0, &job, &files]).await?;
    Ok(BatchId(row.get(0)))
}

async fn alike(
    transaction: &Transaction<'_>,
    accept: &AcceptDocuments,
) -> Result<HashSet<String>, StoreError> {
    let ids: Vec<&str> = accept.documents.iter().map(|new| new.external_id.as_str()).collect();
    let contents: Vec<&[u8]> = accept.documents.iter().map(|new| new.content_hash.as_slice()).collect();
    let bodies: Vec<&[u8]> = accept.documents.iter().map(|new| new.body_hash.as_slice()).collect();
    let statement = transaction.prepare_cached(ALIKE).await?;
    let (tenant, collection) = (accept.tenant.0, accept.collection.0);
    let rows = transaction.query(&statement, &[&tenant, &collection, &ids, &contents, &bodies]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Whether nothing else was to be done.
async fn retouch(
    transaction: &Transaction<'_>,
    tenant: i64,
    collection: i64,
    new: &NewDocument,
) -> Result<bool, StoreError> {
    let statement = transaction.prepare_cached(RETOUCH).await?;
    let retouched = transaction
        .execute(
            &statement,
            &[
                &tenant,
                &collection,
                &new.external_id,
                &new.body_hash,
                &new.content_hash,
                &new.uri,
                &new.attributes,
                &new.acl,
                &new.expires_at,
            ],
        )
        .await?;
    Ok(retouched > 0)
}

/// Vectors that came with a document wait where its worker looks first.
async fn stage(
    transaction: &Transaction<'_>,
    tenant: i64,
    collection: i64,
    space: &Space,
    new: &NewDocument,
) -> Result<(), StoreError> {
    let storage = space.spec.storage;
    let (column, of) = (storage.column(), storage.sql_type());
    let sql = format!(
        "INSERT INTO staged_embeddings (tenant_id, document_id, space_id, content_hash, {column}) \
         SELECT $1, d.document_id, $4, staged.hash, staged.embedding \
         FROM documents d, unnest($5::bytea[], $6::{of}[]) AS staged(hash, embedding) \
         WHERE d.tenant_id = $1 AND d.collection_id = $2 AND d.external_id = $3 ON CONFLICT DO NOTHING"
    );
    let statement = transaction.prepare_cached(&sql).await?;
    let hashes: Vec<&[u8]> = new.vectors.iter().map(|(hash, _)| hash.as_slice()).collect();
    let vectors = storage.parameters(new.vectors.iter().map(|(_, vector)| vector.as_slice()));
    let vectors: &(dyn ToSql + Sync) = vectors.as_ref();
    transaction
        .execute(&statement, &[&tenant, &collection, &new.external_id, &space.id.0, &hashes, vectors])
        .await?;
    Ok(())
}
