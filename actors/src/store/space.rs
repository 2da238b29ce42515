//! The embedding space of the configured model, made when a tenant first needs it.

use super::Store;
use super::error::StoreError;
use super::ids::TenantId;
use super::read::Sees;
use crate::resilience::Deadline;

/// Which vectors belong together.
#[derive(Debug, Clone)]
pub struct Space {
    pub model: String,
    pub dimensions: i32,
}

impl Store {
    /// The tenant's space for the configured model. Its index is created while it is still empty,
    /// which is instant; building it later would block writers.
    pub(super) async fn space(&self, tenant: TenantId, deadline: Deadline) -> Result<i64, StoreError> {
        if let Some(known) = self.spaces.borrow().get(&tenant) {
            return Ok(*known);
        }
        let sql =
            "SELECT space_id FROM embedding_spaces WHERE tenant_id = $1 AND model = $2 AND dimensions = $3";
        let key: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&tenant.0, &self.space.model, &self.space.dimensions];
        // Most often it is there, and then a replica or a read-only writer can tell.
        if let Some(row) = self.read(tenant, Sees::Newest, sql, &key, deadline).await?.first() {
            let id = row.get(0);
            self.spaces.borrow_mut().insert(tenant, id);
            return Ok(id);
        }
        let mut connection = self.connection(tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        // Replicas that meet a new tenant together take turns.
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&tenant.0]).await?;
        let id: i64 = match transaction.query_opt(sql, &key).await? {
            Some(row) => row.get(0),
            None => {
                let sql = "INSERT INTO embedding_spaces (tenant_id, model, dimensions) VALUES ($1, $2, $3) \
                           RETURNING space_id";
                let id = transaction.query_one(sql, &key).await?.get(0);
                transaction.execute("SELECT create_space_index($1)", &[&id]).await?;
                id
            }
        };
        transaction.commit().await?;
        self.done(tenant, connection);
        self.spaces.borrow_mut().insert(tenant, id);
        Ok(id)
    }
}
