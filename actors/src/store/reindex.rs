//! Cutting, embedding and indexing published documents anew.
//!
//! Each becomes a task of the version it has; until that is published, searches find it as it was. Chunks that come
//! out the same keep their embeddings. What waits or runs already needs no task: it is cut as the collection says
//! when it is published (`publish`), which locks the collection first as this does.

use super::error::StoreError;
use super::idempotency::commit;
use super::ids::{CollectionId, JobId, TenantId};
use super::{Store, publish};
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use deadpool_postgres::Transaction;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Reindex {
    pub job: JobId,
    pub documents: i64,
}

/// Queues all of a collection's ready documents; none if there are none.
#[derive(Debug)]
pub struct ReindexCollection {
    pub tenant: TenantId,
    pub id: CollectionId,
}

impl Request for ReindexCollection {
    type Reply = Result<Option<Reindex>, StoreError>;
}

impl Serve<ReindexCollection> for Store {
    async fn serve(
        self: Rc<Self>,
        reindex: ReindexCollection,
        deadline: Deadline,
    ) -> Result<Option<Reindex>, StoreError> {
        let mut connection = self.connection(reindex.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        publish::lock_collection(&transaction, reindex.tenant.0, reindex.id.0).await?;
        let begun = queue(&transaction, reindex.tenant, reindex.id).await?;
        commit(transaction, &begun).await?;
        self.done(reindex.tenant, connection);
        Ok(begun)
    }
}

/// In the order in which uploads lock documents, so that the two never wait in a circle.
const QUEUE: &str = "
WITH ready AS (
    SELECT tenant_id, document_id FROM documents
    WHERE tenant_id = $1 AND collection_id = $2 AND status = 'ready' ORDER BY external_id FOR NO KEY UPDATE),
queued AS (
    UPDATE documents d SET status = 'queued', error = NULL, job_id = $3, updated_at = now() FROM ready r
    WHERE d.tenant_id = r.tenant_id AND d.document_id = r.document_id RETURNING d.document_id),
tasks AS (
    INSERT INTO tasks (tenant_id, job_id, kind, class, document_id)
    SELECT $1, $3, 'ingest', 1, document_id FROM queued RETURNING 1)
UPDATE jobs SET total = (SELECT count(*) FROM tasks) WHERE tenant_id = $1 AND job_id = $3 RETURNING total::bigint";

/// The same within a transaction that holds the collection.
pub(super) async fn queue(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    collection: CollectionId,
) -> Result<Option<Reindex>, StoreError> {
    let sql = "SELECT EXISTS (SELECT FROM documents WHERE tenant_id = $1 AND collection_id = $2 AND status = 'ready')";
    if !transaction.query_one(sql, &[&tenant.0, &collection.0]).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    let sql = "INSERT INTO jobs (tenant_id, collection_id, kind, total, class) VALUES ($1, $2, 'reindex', 0, 1) \
               RETURNING job_id";
    let job: i64 = transaction.query_one(sql, &[&tenant.0, &collection.0]).await?.get(0);
    let documents = transaction.query_one(QUEUE, &[&tenant.0, &collection.0, &job]).await?.get(0);
    Ok(Some(Reindex { job: JobId(job), documents }))
}
