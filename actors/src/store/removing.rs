//! Removal of an embedding space: out of the way at once, its index dropped and its rows deleted bit by bit.

use super::Store;
use super::error::StoreError;
use super::ids::{JobId, SpaceId, TenantId};
use super::space::{self, Space};
use super::switching::find;
use super::tasks::Claim;
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use std::rc::Rc;
use std::time::Duration;

/// Takes a space that is not searched out of the way.
#[derive(Debug)]
pub struct RemoveSpace {
    pub tenant: TenantId,
    pub id: SpaceId,
    /// How long after its last switch a search may still be under way in it.
    pub grace: Duration,
}

impl Request for RemoveSpace {
    type Reply = Result<(Space, JobId), StoreError>;
}

impl Serve<RemoveSpace> for Store {
    async fn serve(
        self: Rc<Self>,
        remove: RemoveSpace,
        deadline: Deadline,
    ) -> Result<(Space, JobId), StoreError> {
        let (tenant, id) = (remove.tenant.0, remove.id);
        let mut connection = self.connection(remove.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        space::lock_alone(&transaction, tenant).await?;
        let known = space::all(&transaction, tenant).await?;
        let found = find(&known, id)?;
        if found.is_active() {
            return Err(StoreError::Conflict(format!("{id} is searched: activate another space first")));
        }
        if let (false, Some(job)) = (found.is_filled(), found.job) {
            return Ok((found.clone(), job)); // it is on its way
        }
        let sql = "WITH gone AS (DELETE FROM tasks WHERE tenant_id = $1 AND space_id = $2 RETURNING job_id) \
                   UPDATE jobs SET status = 'cancelled', updated_at = now() FROM gone \
                   WHERE jobs.tenant_id = $1 AND jobs.job_id = gone.job_id";
        transaction.execute(sql, &[&tenant, &id.0]).await?;
        let sql = "INSERT INTO jobs (tenant_id, kind, total, remaining, class) \
                   SELECT $1, 'remove_space', count(*)::int, count(*)::int, 1 FROM embeddings \
                   WHERE tenant_id = $1 AND space_id = $2 RETURNING job_id";
        let job: i64 = transaction.query_one(sql, &[&tenant, &id.0]).await?.get(0);
        let sql = format!(
            "UPDATE embedding_spaces SET state = 'removing', behind = true, job_id = $3 \
             WHERE tenant_id = $1 AND space_id = $2 RETURNING {}",
            space::COLUMNS
        );
        let space = Space::read(&transaction.query_one(&sql, &[&tenant, &id.0, &job]).await?);
        let sql = "INSERT INTO tasks (tenant_id, job_id, kind, class, space_id, due_at) \
                   SELECT $1, $3, 'remove_space', 1, $2, greatest(now(), retired_at + make_interval(secs => $4)) \
                   FROM embedding_spaces WHERE tenant_id = $1 AND space_id = $2";
        transaction.execute(sql, &[&tenant, &id.0, &job, &remove.grace.as_secs_f64()]).await?;
        transaction.commit().await?;
        self.done(remove.tenant, connection);
        Ok((space, JobId(job)))
    }
}

/// Deletes up to `most` vectors of a space on its way out, the index before the first, the space with the last.
#[derive(Debug, Clone)]
pub struct ShrinkSpace {
    pub claim: Claim,
    pub space: SpaceId,
    pub most: i64,
}

impl Request for ShrinkSpace {
    /// Whether there is more.
    type Reply = Result<bool, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<ShrinkSpace> for Store {
    async fn serve(self: Rc<Self>, shrink: ShrinkSpace, deadline: Deadline) -> Result<bool, StoreError> {
        let Claim { tenant, task, worker, .. } = &shrink.claim;
        let (tenant_id, space) = (tenant.0, shrink.space.0);
        let mut connection = self.connection(*tenant, deadline).await?;
        // Before the rows: deleting them one by one from an index would cost more than they did.
        connection.execute("SELECT drop_space_index($1)", &[&space]).await?;
        let sql = "WITH held AS (SELECT job_id FROM tasks WHERE tenant_id = $1 AND task_id = $3 AND lease_owner = $4), \
                   gone AS (DELETE FROM embeddings e USING ( \
                           SELECT chunk_id FROM embeddings WHERE tenant_id = $1 AND space_id = $2 LIMIT $5) batch \
                       WHERE e.tenant_id = $1 AND e.space_id = $2 AND e.chunk_id = batch.chunk_id \
                         AND EXISTS (SELECT FROM held) RETURNING 1), \
                   counted AS (UPDATE jobs SET remaining = greatest(remaining - (SELECT count(*)::int FROM gone), 0), \
                           updated_at = now() WHERE tenant_id = $1 AND job_id IN (SELECT job_id FROM held)) \
                   SELECT (SELECT count(*) FROM gone)";
        let row =
            connection.query_one(sql, &[&tenant_id, &space, &task.0, &worker.as_ref(), &shrink.most]).await?;
        if row.get::<_, i64>(0) > 0 {
            self.done(*tenant, connection);
            return Ok(true);
        }
        let transaction = connection.transaction().await?;
        let sql = "WITH ended AS (DELETE FROM tasks WHERE tenant_id = $1 AND task_id = $2 AND lease_owner = $3 \
                       RETURNING job_id) \
                   UPDATE jobs SET status = 'succeeded', remaining = 0, updated_at = now() FROM ended \
                   WHERE jobs.tenant_id = $1 AND jobs.job_id = ended.job_id";
        let ended = transaction.execute(sql, &[&tenant_id, &task.0, &worker.as_ref()]).await?;
        if ended > 0 {
            let sql = "DELETE FROM staged_embeddings WHERE tenant_id = $1 AND space_id = $2";
            transaction.execute(sql, &[&tenant_id, &space]).await?;
            let sql = "DELETE FROM embedding_spaces WHERE tenant_id = $1 AND space_id = $2";
            transaction.execute(sql, &[&tenant_id, &space]).await?;
        }
        transaction.commit().await?;
        self.done(*tenant, connection);
        Ok(false)
    }
}
