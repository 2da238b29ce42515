//! The job queue: leased work that survives the process doing it.
//!
//! A lease is exclusive until it expires; every write on behalf of a job names the worker that
//! holds it, so a worker that lost its lease cannot publish.

use super::error::StoreError;
use super::ids::{CollectionId, DocumentId, JobId, TenantId};
use super::read::Sees;
use super::{Store, only_row};
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use std::rc::Rc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Progress is derived: what is no longer waiting is done.
const SELECT: &str = "SELECT job_id, kind, status, total, (SELECT count(*)::int FROM documents d \
    WHERE d.tenant_id = j.tenant_id AND d.job_id = j.job_id AND d.status IN ('queued', 'running')), \
    failed, attempts, error, created_at, updated_at, collection_id FROM jobs j";

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
    pub collection: CollectionId,
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
            collection: CollectionId(row.get(10)),
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
            "{SELECT} WHERE tenant_id = $1 AND ($2::bigint IS NULL OR job_id < $2) ORDER BY job_id DESC LIMIT $3"
        );
        let after = list.after.map(|id| id.0);
        let parameters: [&(dyn ToSql + Sync); 3] = [&list.tenant.0, &after, &(list.limit + 1)];
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
        let find = "SELECT status FROM jobs WHERE tenant_id = $1 AND job_id = $2 FOR UPDATE";
        let rows = transaction.query(find, &[&cancel.tenant.0, &cancel.id.0]).await?;
        let status: String = only_row(&rows, "job")?.get(0);
        if !matches!(status.as_str(), "queued" | "running") {
            return Err(StoreError::Conflict(format!("the job is over: {status}")));
        }
        end_waiting(&transaction, cancel.tenant.0, cancel.id.0, "cancelled").await?;
        let sql = "UPDATE jobs SET status = 'cancelled', lease_owner = NULL, updated_at = now() \
                   WHERE tenant_id = $1 AND job_id = $2";
        transaction.execute(sql, &[&cancel.tenant.0, &cancel.id.0]).await?;
        transaction.commit().await?;
        self.done(cancel.tenant, connection);
        Ok(())
    }
}

/// A version that will never be published leaves the published one, if any, in place.
async fn end_waiting(
    transaction: &deadpool_postgres::Transaction<'_>,
    tenant: i64,
    job: i64,
    reason: &str,
) -> Result<(), StoreError> {
    let sql = "UPDATE documents SET status = 'failed', error = $3, updated_at = now() \
               WHERE tenant_id = $1 AND job_id = $2 AND status IN ('queued', 'running')";
    transaction.execute(sql, &[&tenant, &job, &reason]).await?;
    Ok(())
}

/// Leases the oldest waiting job of any tenant.
#[derive(Debug)]
pub struct ClaimJob {
    pub worker: String,
    pub lease: Duration,
}

#[derive(Debug, Clone)]
pub struct Claim {
    pub tenant: TenantId,
    pub job: JobId,
    pub worker: String,
}

impl Request for ClaimJob {
    type Reply = Result<Option<Claim>, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<ClaimJob> for Store {
    async fn serve(self: Rc<Self>, claim: ClaimJob, deadline: Deadline) -> Result<Option<Claim>, StoreError> {
        let connection = self.connection(TenantId(0), deadline).await?;
        let statement = connection
            .prepare_cached("SELECT tenant, job FROM claim_job($1, make_interval(secs => $2))")
            .await?;
        let seconds = claim.lease.as_secs_f64();
        let Some(row) = connection.query_opt(&statement, &[&claim.worker, &seconds]).await? else {
            connection.hand_back();
            return Ok(None);
        };
        let (tenant, job) = (TenantId(row.get(0)), JobId(row.get(1)));
        // What the worker before us had begun starts again.
        connection.bind(tenant, deadline).await?;
        let sql = "UPDATE documents SET status = 'queued' WHERE tenant_id = $1 AND job_id = $2 AND status = 'running'";
        connection.execute(sql, &[&tenant.0, &job.0]).await?;
        self.done(tenant, connection);
        Ok(Some(Claim { tenant, job, worker: claim.worker }))
    }
}

/// Extends the lease; `NotFound` means that it was lost or the job cancelled.
#[derive(Debug)]
pub struct RenewLease {
    pub claim: Claim,
    pub lease: Duration,
}

impl Request for RenewLease {
    type Reply = Result<(), StoreError>;
}

impl Serve<RenewLease> for Store {
    async fn serve(self: Rc<Self>, renew: RenewLease, deadline: Deadline) -> Result<(), StoreError> {
        let connection = self.connection(renew.claim.tenant, deadline).await?;
        let sql = "UPDATE jobs SET lease_until = now() + make_interval(secs => $4), updated_at = now() \
                   WHERE tenant_id = $1 AND job_id = $2 AND lease_owner = $3 AND status = 'running'";
        let statement = connection.prepare_cached(sql).await?;
        let Claim { tenant, job, worker } = &renew.claim;
        let seconds = renew.lease.as_secs_f64();
        let renewed = connection.execute(&statement, &[&tenant.0, &job.0, worker, &seconds]).await?;
        connection.hand_back();
        match renewed {
            0 => Err(StoreError::NotFound("lease")),
            _ => Ok(()),
        }
    }
}

/// Gives a lease back before its time, so that another worker goes on at once; without it, as after a
/// crash, the job waits until the lease runs out. A lease that was lost meanwhile is left alone.
#[derive(Debug)]
pub struct ReleaseLease {
    pub claim: Claim,
}

impl Request for ReleaseLease {
    type Reply = Result<(), StoreError>;
}

impl Serve<ReleaseLease> for Store {
    async fn serve(self: Rc<Self>, release: ReleaseLease, deadline: Deadline) -> Result<(), StoreError> {
        let connection = self.connection(release.claim.tenant, deadline).await?;
        // Not the job's fault either: what it was begun with does not count as an attempt.
        let sql = "UPDATE jobs SET status = 'queued', lease_owner = NULL, lease_until = NULL, \
                   attempts = greatest(attempts - 1, 0), updated_at = now() \
                   WHERE tenant_id = $1 AND job_id = $2 AND lease_owner = $3 AND status = 'running'";
        let Claim { tenant, job, worker } = &release.claim;
        connection.execute(sql, &[&tenant.0, &job.0, worker]).await?;
        self.done(*tenant, connection);
        Ok(())
    }
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

/// Takes up to `limit` of a leased job's documents, oldest first.
#[derive(Debug)]
pub struct TakeDocuments {
    pub claim: Claim,
    pub limit: i64,
}

impl Request for TakeDocuments {
    type Reply = Result<Vec<WaitingDocument>, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<TakeDocuments> for Store {
    async fn serve(
        self: Rc<Self>,
        take: TakeDocuments,
        deadline: Deadline,
    ) -> Result<Vec<WaitingDocument>, StoreError> {
        let connection = self.connection(take.claim.tenant, deadline).await?;
        let sql = "WITH taken AS (UPDATE documents SET status = 'running' WHERE (tenant_id, document_id) IN ( \
                       SELECT d.tenant_id, d.document_id FROM documents d JOIN jobs j USING (tenant_id, job_id) \
                       WHERE d.tenant_id = $1 AND d.job_id = $2 AND d.status = 'queued' AND j.lease_owner = $3 \
                       ORDER BY d.document_id LIMIT $4) \
                   RETURNING tenant_id, document_id, collection_id, version) \
                   SELECT document_id, collection_id, version, title, media_type, raw \
                   FROM taken JOIN document_versions USING (tenant_id, document_id, version) ORDER BY document_id";
        let statement = connection.prepare_cached(sql).await?;
        let Claim { tenant, job, worker } = &take.claim;
        let rows = connection.query(&statement, &[&tenant.0, &job.0, worker, &take.limit]).await?;
        self.done(*tenant, connection);
        let read = |row: &Row| WaitingDocument {
            id: DocumentId(row.get(0)),
            collection: CollectionId(row.get(1)),
            version: row.get(2),
            title: row.get(3),
            media_type: row.get(4),
            raw: row.get(5),
        };
        Ok(rows.iter().map(read).collect())
    }
}

/// Records why a document cannot be made searchable; its published version, if any, stays.
#[derive(Debug)]
pub struct FailDocument {
    pub claim: Claim,
    pub document: DocumentId,
    pub version: i32,
    pub reason: String,
}

impl Request for FailDocument {
    type Reply = Result<(), StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<FailDocument> for Store {
    async fn serve(self: Rc<Self>, fail: FailDocument, deadline: Deadline) -> Result<(), StoreError> {
        let connection = self.connection(fail.claim.tenant, deadline).await?;
        let sql = "WITH failed AS (UPDATE documents SET status = 'failed', error = $5, updated_at = now() \
                       WHERE tenant_id = $1 AND document_id = $3 AND version = $4 RETURNING 1) \
                   UPDATE jobs SET failed = failed + 1, updated_at = now() \
                   WHERE tenant_id = $1 AND job_id = $2 AND EXISTS (SELECT FROM failed)";
        let statement = connection.prepare_cached(sql).await?;
        let Claim { tenant, job, .. } = &fail.claim;
        connection
            .execute(&statement, &[&tenant.0, &job.0, &fail.document.0, &fail.version, &fail.reason])
            .await?;
        self.done(*tenant, connection);
        Ok(())
    }
}

/// Ends a leased job of which nothing waits any more; one whose documents could not be worked on
/// stays leased, and is leased again when that runs out.
#[derive(Debug, Clone)]
pub struct FinishJob {
    pub claim: Claim,
}

impl Request for FinishJob {
    type Reply = Result<(), StoreError>;
}

impl Serve<FinishJob> for Store {
    async fn serve(self: Rc<Self>, finish: FinishJob, deadline: Deadline) -> Result<(), StoreError> {
        let connection = self.connection(finish.claim.tenant, deadline).await?;
        let sql = "UPDATE jobs SET status = CASE WHEN failed >= total AND total > 0 THEN 'failed' ELSE 'succeeded' END, \
                   error = CASE WHEN failed > 0 THEN failed || ' of ' || total || ' documents failed' END, \
                   lease_owner = NULL, updated_at = now() \
                   WHERE tenant_id = $1 AND job_id = $2 AND lease_owner = $3 AND status = 'running' \
                   AND NOT EXISTS (SELECT FROM documents d WHERE d.tenant_id = $1 AND d.job_id = $2 \
                                   AND d.status IN ('queued', 'running'))";
        let statement = connection.prepare_cached(sql).await?;
        let Claim { tenant, job, worker } = &finish.claim;
        connection.execute(&statement, &[&tenant.0, &job.0, worker]).await?;
        self.done(*tenant, connection);
        Ok(())
    }
}
