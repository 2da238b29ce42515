//! The work queue: tasks, leased one by one, that survive the process at work on them.
//!
//! A lease is exclusive until it ends; every write on behalf of a task names the worker that holds it and takes the
//! task away in the same transaction, so a worker that lost its lease changes nothing, and nothing is done twice.
//! Where rows of both are locked, a document's comes before its task's: no two writers wait in a circle.

use super::Store;
use super::building::{self, Part};
use super::chunking::Chunking;
use super::error::StoreError;
use super::ids::{CollectionId, DocumentId, JobId, TaskId, TenantId};
use super::space::Space;
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Row;

/// Whether somebody waits for it; the numbers are the column's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Interactive = 0,
    Bulk = 1,
}

/// A lease on one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub tenant: TenantId,
    pub task: TaskId,
    pub job: JobId,
    pub worker: Arc<str>,
    /// The document's or its collection's as the lease was taken: what is cut in another way since is not published.
    pub chunking: Chunking,
}

/// A task with all that is needed to do it.
#[derive(Debug)]
pub struct Task {
    pub claim: Claim,
    pub work: Work,
    /// Workers that began it, this one included.
    pub attempts: i32,
    /// How often it was put off since.
    pub put_offs: i32,
    pub age: Duration,
}

#[derive(Debug)]
pub enum Work {
    Ingest(WaitingDocument),
    /// The URL that is to be told of the job's end.
    Webhook(String),
    /// Part of an embedding space to fill.
    Build(Part),
    /// An embedding space to remove.
    Remove(Space),
    /// Done by somebody else meanwhile.
    Nothing,
}

/// A document to parse, chunk and embed.
#[derive(Debug)]
pub struct WaitingDocument {
    pub id: DocumentId,
    pub collection: CollectionId,
    pub version: i32,
    pub title: String,
    pub media_type: String,
    pub raw: Vec<u8>,
}

/// Leases up to `most` tasks of the tenant whose turn it is.
#[derive(Debug)]
pub struct ClaimTasks {
    pub worker: Arc<str>,
    pub lease: Duration,
    pub most: i32,
}

impl Request for ClaimTasks {
    type Reply = Result<Vec<Task>, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

const BEGIN: &str = "
WITH begun AS (
    UPDATE documents d SET status = 'running' FROM tasks t
    WHERE t.tenant_id = $1 AND t.task_id = ANY ($2) AND d.tenant_id = $1 AND d.document_id = t.document_id
      AND d.status IN ('queued', 'running')
    RETURNING d.tenant_id, d.document_id, d.collection_id, d.version, d.max_tokens, d.overlap_tokens),
started AS (
    UPDATE jobs j SET status = CASE WHEN j.status = 'queued' THEN 'running' ELSE j.status END, attempts = t.attempts,
                      updated_at = now()
    FROM (SELECT job_id, max(attempts) AS attempts FROM tasks WHERE tenant_id = $1 AND task_id = ANY ($2)
          GROUP BY job_id) t
    WHERE j.tenant_id = $1 AND j.job_id = t.job_id AND (j.status = 'queued' OR j.attempts < t.attempts))
SELECT t.task_id, t.job_id, t.kind, t.attempts, t.put_offs, extract(epoch FROM now() - t.created_at)::float8,
       b.document_id, b.collection_id, b.version, v.title, v.media_type, v.raw, j.webhook ->> 'url',
       coalesce(b.max_tokens, c.max_tokens), coalesce(b.overlap_tokens, c.overlap_tokens), c.chunk_strategy,
       c.window_sentences, c.chunk_context
FROM tasks t JOIN jobs j USING (tenant_id, job_id) JOIN collections c USING (tenant_id, collection_id)
LEFT JOIN begun b ON b.tenant_id = t.tenant_id AND b.document_id = t.document_id
LEFT JOIN document_versions v ON v.tenant_id = b.tenant_id AND v.document_id = b.document_id AND v.version = b.version
WHERE t.tenant_id = $1 AND t.task_id = ANY ($2) AND t.lease_owner = $3 AND t.space_id IS NULL ORDER BY t.task_id";

impl Serve<ClaimTasks> for Store {
    async fn serve(self: Rc<Self>, claim: ClaimTasks, deadline: Deadline) -> Result<Vec<Task>, StoreError> {
        let connection = self.connection(TenantId(0), deadline).await?;
        let sql = "SELECT tenant, task FROM claim_tasks($1, make_interval(secs => $2), $3)";
        let statement = connection.prepare_cached(sql).await?;
        let seconds = claim.lease.as_secs_f64();
        let leased = connection.query(&statement, &[&claim.worker.as_ref(), &seconds, &claim.most]).await?;
        let Some(tenant) = leased.first().map(|row| TenantId(row.get(0))) else {
            connection.hand_back();
            return Ok(Vec::new());
        };
        let tasks: Vec<i64> = leased.iter().map(|row| row.get(1)).collect();
        connection.bind(tenant, deadline).await?;
        let statement = connection.prepare_cached(BEGIN).await?;
        let rows = connection.query(&statement, &[&tenant.0, &tasks, &claim.worker.as_ref()]).await?;
        let of_spaces = if rows.len() < tasks.len() {
            building::claimed(&connection, tenant, &tasks, &claim.worker).await?
        } else {
            Vec::new()
        };
        self.done(tenant, connection);
        let of_documents = rows.iter().map(|row| read(row, tenant, &claim.worker));
        Ok(of_documents.chain(of_spaces).collect())
    }
}

fn read(row: &Row, tenant: TenantId, worker: &Arc<str>) -> Task {
    let document = || {
        Some(WaitingDocument {
            id: DocumentId(row.get::<_, Option<i64>>(6)?),
            collection: CollectionId(row.get(7)),
            version: row.get(8),
            // Absent where a newer version was accepted while this one was claimed: its task is queued anew.
            title: row.get::<_, Option<String>>(9)?,
            media_type: row.get(10),
            raw: row.get(11),
        })
    };
    let work = match row.get(2) {
        "webhook" => row.get::<_, Option<String>>(12).map_or(Work::Nothing, Work::Webhook),
        _ => document().map_or(Work::Nothing, Work::Ingest),
    };
    Task {
        claim: Claim {
            tenant,
            task: TaskId(row.get(0)),
            job: JobId(row.get(1)),
            worker: Arc::clone(worker),
            chunking: Chunking::read(row, 13),
        },
        work,
        attempts: row.get(3),
        put_offs: row.get(4),
        age: Duration::try_from_secs_f64(row.get(5)).unwrap_or_default(),
    }
}

/// Extends a worker's leases on these tasks; returns what it still holds. The rest was taken over, done or cancelled.
#[derive(Debug, Clone)]
pub struct RenewLeases {
    pub worker: Arc<str>,
    pub lease: Duration,
    pub tasks: Vec<TaskId>,
}

impl Request for RenewLeases {
    type Reply = Result<Vec<(TenantId, TaskId)>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<RenewLeases> for Store {
    async fn serve(
        self: Rc<Self>,
        renew: RenewLeases,
        deadline: Deadline,
    ) -> Result<Vec<(TenantId, TaskId)>, StoreError> {
        let connection = self.connection(TenantId(0), deadline).await?;
        let sql = "SELECT tenant, task FROM renew_leases($1, make_interval(secs => $2), $3)";
        let statement = connection.prepare_cached(sql).await?;
        let tasks: Vec<i64> = renew.tasks.iter().map(|task| task.0).collect();
        let seconds = renew.lease.as_secs_f64();
        let held = connection.query(&statement, &[&renew.worker.as_ref(), &seconds, &tasks]).await?;
        connection.hand_back();
        Ok(held.iter().map(|row| (TenantId(row.get(0)), TaskId(row.get(1)))).collect())
    }
}

/// Makes all that a worker holds due at once. Given back in good order it counts as no attempt; after a crash of
/// the worker's incarnation it does.
#[derive(Debug, Clone)]
pub struct ReleaseLeases {
    pub worker: Arc<str>,
    pub crashed: bool,
}

impl Request for ReleaseLeases {
    /// How many there were.
    type Reply = Result<i64, StoreError>;
}

impl Serve<ReleaseLeases> for Store {
    async fn serve(self: Rc<Self>, release: ReleaseLeases, deadline: Deadline) -> Result<i64, StoreError> {
        let connection = self.connection(TenantId(0), deadline).await?;
        let sql = "SELECT release_leases($1, $2)";
        let row = connection.query_one(sql, &[&release.worker.as_ref(), &release.crashed]).await?;
        connection.hand_back();
        Ok(row.get(0))
    }
}

/// Gives one task back for a while, because something it needs is away: not its fault, so not an attempt.
#[derive(Debug, Clone)]
pub struct PutOff {
    pub claim: Claim,
    pub pause: Duration,
}

impl Request for PutOff {
    type Reply = Result<(), StoreError>;
}

impl Serve<PutOff> for Store {
    async fn serve(self: Rc<Self>, put: PutOff, deadline: Deadline) -> Result<(), StoreError> {
        let connection = self.connection(put.claim.tenant, deadline).await?;
        let sql = "UPDATE tasks SET lease_owner = NULL, due_at = now() + make_interval(secs => $4), \
                   put_offs = put_offs + 1, attempts = greatest(attempts - 1, 0) \
                   WHERE tenant_id = $1 AND task_id = $2 AND lease_owner = $3";
        let statement = connection.prepare_cached(sql).await?;
        let Claim { tenant, task, worker, .. } = &put.claim;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&tenant.0, &task.0, &worker.as_ref(), &put.pause.as_secs_f64()];
        connection.execute(&statement, &parameters).await?;
        self.done(*tenant, connection);
        Ok(())
    }
}

/// Ends a task that needs no more doing; with a reason, its document fails, whose published version, if any, stays.
#[derive(Debug, Clone)]
pub struct EndTask {
    pub claim: Claim,
    pub failed: Option<String>,
}

impl Request for EndTask {
    type Reply = Result<(), StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<EndTask> for Store {
    async fn serve(self: Rc<Self>, end: EndTask, deadline: Deadline) -> Result<(), StoreError> {
        let Claim { tenant, task, worker, .. } = &end.claim;
        let mut connection = self.connection(*tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        let mut failed = 0;
        if let Some(reason) = &end.failed {
            let sql = "UPDATE documents d SET status = 'failed', error = $4, updated_at = now() FROM tasks t \
                       WHERE t.tenant_id = $1 AND t.task_id = $2 AND t.lease_owner = $3 AND d.tenant_id = $1 \
                       AND d.document_id = t.document_id AND d.job_id = t.job_id";
            let statement = transaction.prepare_cached(sql).await?;
            failed = transaction.execute(&statement, &[&tenant.0, &task.0, &worker.as_ref(), reason]).await?;
        }
        let sql = "DELETE FROM tasks WHERE tenant_id = $1 AND task_id = $2 AND lease_owner = $3 \
                   RETURNING job_id, document_id";
        let statement = transaction.prepare_cached(sql).await?;
        let gone = transaction.query_opt(&statement, &[&tenant.0, &task.0, &worker.as_ref()]).await?;
        let Some(gone) = gone else {
            return Ok(transaction.rollback().await?); // the lease was lost meanwhile
        };
        let (job, document): (i64, Option<i64>) = (gone.get(0), gone.get(1));
        if failed > 0 {
            let sql = "UPDATE jobs SET failed = failed + 1, updated_at = now() WHERE tenant_id = $1 AND job_id = $2";
            transaction.execute(sql, &[&tenant.0, &job]).await?;
            let sql = "DELETE FROM staged_embeddings WHERE tenant_id = $1 AND document_id = $2";
            transaction.execute(sql, &[&tenant.0, &document]).await?;
        }
        transaction.commit().await?;
        self.done(*tenant, connection);
        Ok(())
    }
}
