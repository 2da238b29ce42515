use super::{Caller, Rag};
use crate::error::Error;
use mcp_rag_actors::store::{GetJob, Job, JobId, ListJobs};

impl Rag {
    /// A job, if it works on what the caller may see.
    pub async fn job(&self, id: JobId, caller: &Caller) -> Result<Job, Error> {
        let job = self.all.call(GetJob { tenant: caller.tenant, id }, caller.deadline).await?;
        match self.catalog.limits(caller).await? {
            Some(limits) if !job.collection.is_some_and(|of| limits.contains(&of)) => {
                Err(Error::not_found("job"))
            }
            _ => Ok(job),
        }
    }

    /// The newest first, one more than `limit` so that more is known.
    pub async fn jobs(&self, after: Option<JobId>, limit: i64, caller: &Caller) -> Result<Vec<Job>, Error> {
        let collections = self.catalog.limits(caller).await?;
        let list = ListJobs { tenant: caller.tenant, after, collections, limit };
        Ok(self.all.call(list, caller.deadline).await?)
    }
}
