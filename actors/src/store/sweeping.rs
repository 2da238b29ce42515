//! The end of filling an embedding space, good or bad.

use super::Store;
use super::error::StoreError;
use super::ids::SpaceId;
use super::space;
use super::tasks::Claim;
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use std::rc::Rc;

/// Ends a task whose part lacks nothing any more. The last of a job makes sure that the whole space lacks nothing.
#[derive(Debug, Clone)]
pub struct EndBuild {
    pub claim: Claim,
    pub space: SpaceId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept {
    Done,
    /// The task goes on at this chunk: a document was published without a vector, or a worker was lost.
    From(i64),
}

impl Request for EndBuild {
    type Reply = Result<Swept, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<EndBuild> for Store {
    async fn serve(self: Rc<Self>, end: EndBuild, deadline: Deadline) -> Result<Swept, StoreError> {
        let Claim { tenant, task, job, worker, .. } = &end.claim;
        let (tenant_id, space) = (tenant.0, end.space.0);
        let mut connection = self.connection(*tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        // Who was publishing before is seen below; who publishes from now on says so in `behind`.
        space::lock_alone(&transaction, tenant_id).await?;
        let sql = "SELECT EXISTS (SELECT FROM tasks WHERE tenant_id = $1 AND job_id = $2 AND task_id <> $3)";
        if transaction.query_one(sql, &[&tenant_id, &job.0, &task.0]).await?.get(0) {
            let sql = "DELETE FROM tasks WHERE tenant_id = $1 AND task_id = $2 AND lease_owner = $3";
            transaction.execute(sql, &[&tenant_id, &task.0, &worker.as_ref()]).await?;
            transaction.commit().await?;
            self.done(*tenant, connection);
            return Ok(Swept::Done);
        }
        let sql = "UPDATE embedding_spaces SET behind = false WHERE tenant_id = $1 AND space_id = $2 AND EXISTS ( \
                   SELECT FROM tasks WHERE tenant_id = $1 AND task_id = $3 AND lease_owner = $4)";
        transaction.execute(sql, &[&tenant_id, &space, &task.0, &worker.as_ref()]).await?;
        transaction.commit().await?;
        let sql = "SELECT min(c.chunk_id) FROM chunks c WHERE c.tenant_id = $1 AND NOT EXISTS (SELECT FROM embeddings e \
                   WHERE e.tenant_id = $1 AND e.chunk_id = c.chunk_id AND e.space_id = $2)";
        let lacks: Option<i64> = connection.query_one(sql, &[&tenant_id, &space]).await?.get(0);
        let transaction = connection.transaction().await?;
        space::lock_alone(&transaction, tenant_id).await?;
        let sql = "SELECT behind FROM embedding_spaces WHERE tenant_id = $1 AND space_id = $2";
        let behind = transaction.query_opt(sql, &[&tenant_id, &space]).await?.is_some_and(|row| row.get(0));
        let swept = if lacks.is_some() || behind {
            let from = lacks.unwrap_or(0);
            let sql = "UPDATE embedding_spaces SET behind = true WHERE tenant_id = $1 AND space_id = $2";
            transaction.execute(sql, &[&tenant_id, &space]).await?;
            let sql =
                "UPDATE tasks SET from_chunk = $3, to_chunk = NULL WHERE tenant_id = $1 AND task_id = $2";
            transaction.execute(sql, &[&tenant_id, &task.0, &from]).await?;
            Swept::From(from)
        } else {
            let sql = "WITH ended AS (DELETE FROM tasks WHERE tenant_id = $1 AND task_id = $2 AND lease_owner = $3 \
                           RETURNING job_id) \
                       UPDATE jobs SET status = 'succeeded', remaining = 0, updated_at = now() FROM ended \
                       WHERE jobs.tenant_id = $1 AND jobs.job_id = ended.job_id";
            transaction.execute(sql, &[&tenant_id, &task.0, &worker.as_ref()]).await?;
            Swept::Done
        };
        transaction.commit().await?;
        self.done(*tenant, connection);
        Ok(swept)
    }
}

/// Gives the work on a space up. What is filled stays; building it again goes on from there.
#[derive(Debug, Clone)]
pub struct FailBuild {
    pub claim: Claim,
    pub reason: String,
}

impl Request for FailBuild {
    type Reply = Result<(), StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<FailBuild> for Store {
    async fn serve(self: Rc<Self>, fail: FailBuild, deadline: Deadline) -> Result<(), StoreError> {
        let Claim { tenant, task, worker, .. } = &fail.claim;
        let mut connection = self.connection(*tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        let sql = "WITH job AS (SELECT job_id FROM tasks WHERE tenant_id = $1 AND task_id = $2 AND lease_owner = $3), \
                   failed AS (UPDATE jobs SET status = 'failed', error = $4, updated_at = now() FROM job \
                       WHERE jobs.tenant_id = $1 AND jobs.job_id = job.job_id) \
                   DELETE FROM tasks t USING job WHERE t.tenant_id = $1 AND t.job_id = job.job_id";
        transaction.execute(sql, &[&tenant.0, &task.0, &worker.as_ref(), &fail.reason]).await?;
        transaction.commit().await?;
        self.done(*tenant, connection);
        Ok(())
    }
}
