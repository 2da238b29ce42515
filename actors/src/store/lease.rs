//! Work that one process of all does at a time: a lease by name, and the sweeps done under it.

use super::Store;
use super::error::StoreError;
use super::ids::TenantId;
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Takes a lease that is free, or extends one's own.
#[derive(Debug, Clone)]
pub struct TakeLease {
    pub name: &'static str,
    pub owner: Arc<str>,
    pub span: Duration,
}

impl Request for TakeLease {
    /// Whether it is held now.
    type Reply = Result<bool, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<TakeLease> for Store {
    async fn serve(self: Rc<Self>, take: TakeLease, deadline: Deadline) -> Result<bool, StoreError> {
        let connection = self.connection(TenantId(0), deadline).await?;
        let sql = "SELECT take_lease($1, $2, make_interval(secs => $3))";
        let statement = connection.prepare_cached(sql).await?;
        let seconds = take.span.as_secs_f64();
        let row = connection.query_one(&statement, &[&take.name, &take.owner.as_ref(), &seconds]).await?;
        connection.hand_back();
        Ok(row.get(0))
    }
}

/// Forgets idempotency keys that were kept long enough.
#[derive(Debug)]
pub struct SweepKeys {
    pub most: i32,
}

impl Request for SweepKeys {
    /// How many.
    type Reply = Result<i64, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<SweepKeys> for Store {
    async fn serve(self: Rc<Self>, sweep: SweepKeys, deadline: Deadline) -> Result<i64, StoreError> {
        let connection = self.connection(TenantId(0), deadline).await?;
        let statement = connection.prepare_cached("SELECT sweep_idempotency_keys($1)").await?;
        let row = connection.query_one(&statement, &[&sweep.most]).await?;
        connection.hand_back();
        Ok(row.get(0))
    }
}
