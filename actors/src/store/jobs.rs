//! Jobs: what one request asked for, done as tasks ([`super::tasks`]). A job's progress is derived from what still
//! waits, and it ends when nothing does.

use super::error::StoreError;
use super::idempotency::commit;
use super::ids::{CollectionId, JobId, TenantId};
use super::read::Sees;
use super::{Store, only_row};
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use serde_json::Value;
use std::rc::Rc;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Progress is derived: what is no longer waiting is done.
const SELECT: &str = "SELECT job_id, kind, status, total, coalesce(remaining, (SELECT count(*)::int FROM documents d \
    WHERE d.tenant_id = j.tenant_id AND d.job_id = j.job_id AND d.status IN ('queued', 'running'))), \
    failed, attempts, error, created_at, updated_at, collection_id, webhook FROM jobs j";

#[derive(Debug, Clone)]
pub struct Job {
    pub id: JobId,
    pub kind: String,
    /// queued, running, succeeded, failed or cancelled.
    pub status: String,
    pub total: i32,
    pub waiting: i32,
    pub failed: i32,
    pub attempts: i32,
    pub error: Option<String>,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    /// None: work on an embedding space.
    pub collection: Option<CollectionId>,
    /// `{url, delivered?, attempts?, error?}`: who is told of the job's end, and whether that has worked.
    pub webhook: Option<Value>,
}

impl Job {
    fn read(row: &Row) -> Self {
        Self {
            id: JobId(row.get(0)),
            kind: row.get(1),
            status: row.get(2),
            total: row.get(3),
            waiting: row.get(4),
            failed: row.get(5),
            attempts: row.get(6),
            error: row.get(7),
            created_at: row.get(8),
            updated_at: row.get(9),
            collection: row.get::<_, Option<i64>>(10).map(CollectionId),
            webhook: row.get(11),
        }
    }

    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "succeeded" | "failed" | "cancelled")
    }
}

#[derive(Debug, Clone)]
pub struct GetJob {
    pub tenant: TenantId,
    pub id: JobId,
}

impl Request for GetJob {
    type Reply = Result<Job, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<GetJob> for Store {
    async fn serve(self: Rc<Self>, get: GetJob, deadline: Deadline) -> Result<Job, StoreError> {
        let sql = format!("{SELECT} WHERE tenant_id = $1 AND job_id = $2");
        let rows =
            self.read(get.tenant, Sees::OwnWrites, &sql, &[&get.tenant.0, &get.id.0], deadline).await?;
        Ok(Job::read(only_row(&rows, "job")?))
    }
}

/// The newest jobs first, `limit + 1` rows so that more is known.
#[derive(Debug, Clone)]
pub struct ListJobs {
    pub tenant: TenantId,
    pub after: Option<JobId>,
    /// Of these collections alone.
    pub collections: Option<Vec<CollectionId>>,
    pub limit: i64,
}

impl Request for ListJobs {
    type Reply = Result<Vec<Job>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<ListJobs> for Store {
    async fn serve(self: Rc<Self>, list: ListJobs, deadline: Deadline) -> Result<Vec<Job>, StoreError> {
        let sql = format!(
            "{SELECT} WHERE tenant_id = $1 AND ($2::bigint IS NULL OR job_id < $2) \
             AND ($4::bigint[] IS NULL OR collection_id = ANY ($4)) ORDER BY job_id DESC LIMIT $3"
        );
        let after = list.after.map(|id| id.0);
        let of = list.collections.map(|of| of.iter().map(|collection| collection.0).collect::<Vec<_>>());
        let parameters: [&(dyn ToSql + Sync); 4] = [&list.tenant.0, &after, &(list.limit + 1), &of];
        let rows = self.read(list.tenant, Sees::OwnWrites, &sql, &parameters, deadline).await?;
        Ok(rows.iter().map(Job::read).collect())
    }
}

/// Ends a job; what is already published stays, what still waits is marked failed.
#[derive(Debug)]
pub struct CancelJob {
    pub tenant: TenantId,
    pub id: JobId,
}

impl Request for CancelJob {
    type Reply = Result<(), StoreError>;
}

impl Serve<CancelJob> for Store {
    async fn serve(self: Rc<Self>, cancel: CancelJob, deadline: Deadline) -> Result<(), StoreError> {
        let mut connection = self.connection(cancel.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        let (tenant, job) = (cancel.tenant.0, cancel.id.0);
        // Documents, then tasks, then the job: as workers take them, who would wait for each other otherwise.
        let sql = "SELECT 1 FROM documents WHERE tenant_id = $1 AND job_id = $2 AND status IN ('queued', 'running') \
                   ORDER BY document_id FOR UPDATE";
        transaction.execute(sql, &[&tenant, &job]).await?;
        // A version that will never be published leaves the published one, if any, in place; what was to be cut
        // anew stays as it was.
        let sql = "UPDATE documents SET status = CASE WHEN version = published_version THEN 'ready' ELSE 'failed' END, \
                   error = CASE WHEN version IS DISTINCT FROM published_version THEN 'cancelled' END, updated_at = now() \
                   WHERE tenant_id = $1 AND job_id = $2 AND status IN ('queued', 'running')";
        transaction.execute(sql, &[&tenant, &job]).await?;
        let sql = "DELETE FROM tasks WHERE tenant_id = $1 AND job_id = $2";
        transaction.execute(sql, &[&tenant, &job]).await?;
        let find = "SELECT status FROM jobs WHERE tenant_id = $1 AND job_id = $2 FOR UPDATE";
        let rows = transaction.query(find, &[&tenant, &job]).await?;
        let status: String = only_row(&rows, "job")?.get(0);
        if !matches!(status.as_str(), "queued" | "running") {
            // What was done above goes with the transaction.
            return Err(StoreError::Conflict(format!("the job is over: {status}")));
        }
        let sql =
            "UPDATE jobs SET status = 'cancelled', updated_at = now() WHERE tenant_id = $1 AND job_id = $2";
        transaction.execute(sql, &[&tenant, &job]).await?;
        transaction.execute(TELL, &[&tenant, &job]).await?;
        commit(transaction, &()).await?;
        self.done(cancel.tenant, connection);
        Ok(())
    }
}

/// Somebody asked to be told of the end: a task like any other.
const TELL: &str = "INSERT INTO tasks (tenant_id, job_id, kind, class) \
    SELECT tenant_id, job_id, 'webhook', 0 FROM jobs WHERE tenant_id = $1 AND job_id = $2 AND webhook IS NOT NULL";

/// Ends a job of which nothing waits any more; any other is left as it is.
#[derive(Debug, Clone)]
pub struct FinishJob {
    pub tenant: TenantId,
    pub id: JobId,
}

impl Request for FinishJob {
    type Reply = Result<(), StoreError>;
}

impl Serve<FinishJob> for Store {
    async fn serve(self: Rc<Self>, finish: FinishJob, deadline: Deadline) -> Result<(), StoreError> {
        let mut connection = self.connection(finish.tenant, deadline).await?;
        // Of several workers that end a job's last tasks at once, the one that commits last sees none left.
        let sql = "SELECT 1 FROM tasks WHERE tenant_id = $1 AND job_id = $2 AND kind <> 'webhook' LIMIT 1";
        let waiting = connection.prepare_cached(sql).await?;
        if connection.query_opt(&waiting, &[&finish.tenant.0, &finish.id.0]).await?.is_some() {
            connection.hand_back();
            return Ok(());
        }
        let transaction = connection.transaction().await?;
        let sql = "UPDATE jobs SET status = CASE WHEN failed >= total AND total > 0 THEN 'failed' ELSE 'succeeded' END, \
                   error = CASE WHEN failed > 0 THEN failed || ' of ' || total || ' documents failed' END, \
                   updated_at = now() WHERE tenant_id = $1 AND job_id = $2 AND status IN ('queued', 'running')";
        let end = transaction.prepare_cached(sql).await?;
        if transaction.execute(&end, &[&finish.tenant.0, &finish.id.0]).await? > 0 {
            transaction.execute(TELL, &[&finish.tenant.0, &finish.id.0]).await?;
        }
        transaction.commit().await?;
        self.done(finish.tenant, connection);
        Ok(())
    }
}

/// Takes up a job's failed documents again, whatever they failed of.
#[derive(Debug)]
pub struct RetryJob {
    pub tenant: TenantId,
    pub id: JobId,
}

impl Request for RetryJob {
    /// How many documents.
    type Reply = Result<i64, StoreError>;
}

impl Serve<RetryJob> for Store {
    async fn serve(self: Rc<Self>, retry: RetryJob, deadline: Deadline) -> Result<i64, StoreError> {
        let mut connection = self.connection(retry.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        let (tenant, job) = (retry.tenant.0, retry.id.0);
        let find = "SELECT 1 FROM jobs WHERE tenant_id = $1 AND job_id = $2 FOR UPDATE";
        only_row(&transaction.query(find, &[&tenant, &job]).await?, "job")?;
        let sql = "WITH again AS (UPDATE documents SET status = 'queued', error = NULL, updated_at = now() \
                       WHERE tenant_id = $1 AND job_id = $2 AND status = 'failed' RETURNING document_id), \
                   queued AS (INSERT INTO tasks (tenant_id, job_id, kind, class, document_id) \
                       SELECT $1, $2, 'ingest', j.class, document_id FROM again, jobs j \
                       WHERE j.tenant_id = $1 AND j.job_id = $2) \
                   SELECT count(*) FROM again";
        let again: i64 = transaction.query_one(sql, &[&tenant, &job]).await?.get(0);
        if again == 0 {
            return Err(StoreError::Conflict("no document of the job has failed".to_owned()));
        }
        let sql = "UPDATE jobs SET status = 'queued', failed = greatest(failed - $3::bigint::int, 0), error = NULL, \
                   updated_at = now() WHERE tenant_id = $1 AND job_id = $2";
        transaction.execute(sql, &[&tenant, &job, &again]).await?;
        commit(transaction, &again).await?;
        self.done(retry.tenant, connection);
        Ok(again)
    }
}

/// Writes down how telling of a job's end went.
#[derive(Debug, Clone)]
pub struct NoteDelivery {
    pub tenant: TenantId,
    pub id: JobId,
    /// Laid over the job's `webhook`.
    pub note: Value,
}

impl Request for NoteDelivery {
    type Reply = Result<(), StoreError>;
}

impl Serve<NoteDelivery> for Store {
    async fn serve(self: Rc<Self>, note: NoteDelivery, deadline: Deadline) -> Result<(), StoreError> {
        let connection = self.connection(note.tenant, deadline).await?;
        let sql = "UPDATE jobs SET webhook = webhook || $3 WHERE tenant_id = $1 AND job_id = $2";
        connection.execute(sql, &[&note.tenant.0, &note.id.0, &note.note]).await?;
        self.done(note.tenant, connection);
        Ok(())
    }
}

/// Jobs of any tenant whose tasks are all gone, though their end is not written.
#[derive(Debug)]
pub struct EndedJobs {
    /// Whether to look for documents without a task first, and give them one.
    pub adopt: bool,
}

impl Request for EndedJobs {
    type Reply = Result<Vec<(TenantId, JobId)>, StoreError>;
}

impl Serve<EndedJobs> for Store {
    async fn serve(
        self: Rc<Self>,
        ended: EndedJobs,
        deadline: Deadline,
    ) -> Result<Vec<(TenantId, JobId)>, StoreError> {
        let connection = self.connection(TenantId(0), deadline).await?;
        if ended.adopt {
            connection.query_one("SELECT adopt_documents()", &[]).await?;
        }
        let find = connection.prepare_cached("SELECT tenant, job FROM ended_jobs()").await?;
        let rows = connection.query(&find, &[]).await?;
        connection.hand_back();
        Ok(rows.iter().map(|row| (TenantId(row.get(0)), JobId(row.get(1)))).collect())
    }
}
