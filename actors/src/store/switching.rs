//! Which space is searched: switched, and switched back, in one transaction.

use super::Store;
use super::error::StoreError;
use super::ids::{SpaceId, TenantId};
use super::space::{self, Space, SpaceState};
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use deadpool_postgres::Transaction;
use std::rc::Rc;

/// Has this space searched from now on; the one before is kept.
#[derive(Debug)]
pub struct ActivateSpace {
    pub tenant: TenantId,
    pub id: SpaceId,
}

impl Request for ActivateSpace {
    type Reply = Result<Space, StoreError>;
}

impl Serve<ActivateSpace> for Store {
    async fn serve(self: Rc<Self>, activate: ActivateSpace, deadline: Deadline) -> Result<Space, StoreError> {
        let tenant = activate.tenant.0;
        let mut connection = self.connection(activate.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        space::lock_alone(&transaction, tenant).await?;
        let known = space::all(&transaction, tenant).await?;
        let wanted = find(&known, activate.id)?;
        let space = switch(&transaction, tenant, wanted).await?;
        transaction.commit().await?;
        self.done(activate.tenant, connection);
        Ok(space)
    }
}

/// Has the space searched again that was before this one, which is active and is kept.
#[derive(Debug)]
pub struct RollBack {
    pub tenant: TenantId,
    pub id: SpaceId,
}

impl Request for RollBack {
    type Reply = Result<Space, StoreError>;
}

impl Serve<RollBack> for Store {
    async fn serve(self: Rc<Self>, back: RollBack, deadline: Deadline) -> Result<Space, StoreError> {
        let tenant = back.tenant.0;
        let mut connection = self.connection(back.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        space::lock_alone(&transaction, tenant).await?;
        let known = space::all(&transaction, tenant).await?;
        if !find(&known, back.id)?.is_active() {
            return Err(StoreError::Conflict(format!(
                "{} is not active: only the active space is rolled back",
                back.id
            )));
        }
        let retired = known.iter().filter(|one| one.state == SpaceState::Retired);
        let before = retired.max_by_key(|one| one.retired_at).ok_or_else(|| {
            StoreError::Conflict(
                "no space from before is left to go back to: build one, POST /v1/spaces".to_owned(),
            )
        })?;
        let space = switch(&transaction, tenant, before).await?;
        transaction.commit().await?;
        self.done(back.tenant, connection);
        Ok(space)
    }
}

pub(super) fn find(known: &[Space], id: SpaceId) -> Result<&Space, StoreError> {
    known.iter().find(|one| one.id == id).ok_or(StoreError::NotFound("embedding space"))
}

async fn switch(transaction: &Transaction<'_>, tenant: i64, wanted: &Space) -> Result<Space, StoreError> {
    let id = wanted.id;
    if wanted.is_active() {
        return Ok(wanted.clone());
    }
    if !wanted.is_filled() {
        return Err(StoreError::Conflict(format!("{id} is being removed")));
    }
    let sql = "SELECT EXISTS (SELECT FROM tasks WHERE tenant_id = $1 AND space_id = $2)";
    let under_way: bool = transaction.query_one(sql, &[&tenant, &id.0]).await?.get(0);
    if under_way {
        return Err(StoreError::Conflict(format!("{id} is still being built: wait for its job")));
    }
    if wanted.behind {
        return Err(StoreError::Conflict(format!(
            "{id} lacks vectors of some chunks: complete it with POST /v1/spaces and wait for its job"
        )));
    }
    let sql = "UPDATE embedding_spaces SET state = 'retired', retired_at = now() WHERE tenant_id = $1 AND state = 'active'";
    transaction.execute(sql, &[&tenant]).await?;
    let sql = format!(
        "UPDATE embedding_spaces SET state = 'active', activated_at = now(), retired_at = NULL \
         WHERE tenant_id = $1 AND space_id = $2 RETURNING {}",
        space::COLUMNS
    );
    Ok(Space::read(&transaction.query_one(&sql, &[&tenant, &id.0]).await?))
}
