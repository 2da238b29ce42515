//! Tenants, made and listed by whoever owns the schema: the role that serves requests can do neither.

use super::address::Address;
use super::ids::TenantId;
use super::preflight::{PreflightError, connect, unreachable};
use time::OffsetDateTime;
use tokio_postgres::Row;

#[derive(Debug, Clone)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    pub created_at: OffsetDateTime,
}

impl Tenant {
    fn read(row: &Row) -> Self {
        Self { id: TenantId(row.get(0)), name: row.get(1), created_at: row.get(2) }
    }
}

/// Makes a tenant; none when the name is taken.
pub async fn create_tenant(owner: &Address, name: &str) -> Result<Option<Tenant>, PreflightError> {
    let client = connect(owner).await?;
    let sql = "INSERT INTO tenants (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING tenant_id, name, created_at";
    let row = client.query_opt(sql, &[&name]).await.map_err(|error| unreachable(&error))?;
    Ok(row.as_ref().map(Tenant::read))
}

/// All tenants, oldest first.
pub async fn list_tenants(owner: &Address) -> Result<Vec<Tenant>, PreflightError> {
    let client = connect(owner).await?;
    let sql = "SELECT tenant_id, name, created_at FROM tenants ORDER BY tenant_id";
    let rows = client.query(sql, &[]).await.map_err(|error| unreachable(&error))?;
    Ok(rows.iter().map(Tenant::read).collect())
}
