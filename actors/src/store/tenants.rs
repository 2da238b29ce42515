//! Tenants, made and listed by whoever owns the schema: the role that serves requests sees its own alone.

use super::Store;
use super::address::Address;
use super::error::StoreError;
use super::ids::TenantId;
use super::preflight::{PreflightError, connect, unreachable};
use super::read::Sees;
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use serde_json::Value;
use std::rc::Rc;
use time::OffsetDateTime;
use tokio_postgres::Row;

#[derive(Debug, Clone)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    pub created_at: OffsetDateTime,
    /// In place of the configured ones; an object.
    pub limits: Value,
}

impl Tenant {
    fn read(row: &Row) -> Self {
        Self { id: TenantId(row.get(0)), name: row.get(1), created_at: row.get(2), limits: row.get(3) }
    }
}

/// Makes a tenant; none when the name is taken.
pub async fn create_tenant(owner: &Address, name: &str) -> Result<Option<Tenant>, PreflightError> {
    let client = connect(owner).await?;
    let sql = "INSERT INTO tenants (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING tenant_id, name, created_at, limits";
    let row = client.query_opt(sql, &[&name]).await.map_err(|error| unreachable(&error))?;
    Ok(row.as_ref().map(Tenant::read))
}

/// All tenants, oldest first.
pub async fn list_tenants(owner: &Address) -> Result<Vec<Tenant>, PreflightError> {
    let client = connect(owner).await?;
    let sql = "SELECT tenant_id, name, created_at, limits FROM tenants ORDER BY tenant_id";
    let rows = client.query(sql, &[]).await.map_err(|error| unreachable(&error))?;
    Ok(rows.iter().map(Tenant::read).collect())
}

/// The tenant that is called so, or has this id where the name is one (`ten_2`).
#[derive(Debug, Clone)]
pub struct FindTenant {
    pub name: String,
}

impl Request for FindTenant {
    type Reply = Result<Option<TenantId>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<FindTenant> for Store {
    async fn serve(
        self: Rc<Self>,
        find: FindTenant,
        deadline: Deadline,
    ) -> Result<Option<TenantId>, StoreError> {
        let sql = "SELECT find_tenant($1)";
        let rows = self.read(TenantId(0), Sees::Newest, sql, &[&find.name], deadline).await?;
        Ok(rows.first().and_then(|row| row.get::<_, Option<i64>>(0)).map(TenantId))
    }
}

/// Replaces what a tenant has in place of the configured limits; none when there is no such tenant.
pub async fn limit_tenant(
    owner: &Address,
    name: &str,
    limits: &Value,
) -> Result<Option<Tenant>, PreflightError> {
    let client = connect(owner).await?;
    let sql = "UPDATE tenants SET limits = $2 WHERE name = $1 RETURNING tenant_id, name, created_at, limits";
    let row = client.query_opt(sql, &[&name, limits]).await.map_err(|error| unreachable(&error))?;
    Ok(row.as_ref().map(Tenant::read))
}
