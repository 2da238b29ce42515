//! Tenants, made, listed and found by name by whoever owns the schema: the role that serves requests sees its own alone.

use super::Store;
use super::error::StoreError;
use super::ids::TenantId;
use super::preflight::{PreflightError, connect, unreachable};
use super::read::Sees;
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use std::rc::Rc;
use time::OffsetDateTime;
use tokio_postgres::{Config, Row};

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
pub async fn create_tenant(owner: &Config, name: &str) -> Result<Option<Tenant>, PreflightError> {
    let client = connect(owner).await?;
    let sql = "INSERT INTO tenants (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING tenant_id, name, created_at";
    let row = client.query_opt(sql, &[&name]).await.map_err(|error| unreachable(&error))?;
    Ok(row.as_ref().map(Tenant::read))
}

/// All tenants, oldest first.
pub async fn list_tenants(owner: &Config) -> Result<Vec<Tenant>, PreflightError> {
    let client = connect(owner).await?;
    let sql = "SELECT tenant_id, name, created_at FROM tenants ORDER BY tenant_id";
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
        if let Ok(tenant) = find.name.parse() {
            // Whoever acts for it sees that it is there.
            let rows = self.read(tenant, Sees::Newest, "SELECT 1 FROM tenants", &[], deadline).await?;
            return Ok(rows.first().map(|_| tenant));
        }
        // Over a connection of its own: whoever asks remembers the answer for long.
        let owner = self.shared.settings.load().owner.clone();
        let found = async {
            let client = connect(&owner).await?;
            let sql = "SELECT tenant_id FROM tenants WHERE name = $1";
            client.query_opt(sql, &[&find.name]).await.map_err(|error| unreachable(&error))
        };
        match tokio::time::timeout_at(deadline.instant().into(), found).await {
            Ok(Ok(row)) => Ok(row.map(|row| TenantId(row.get(0)))),
            Ok(Err(error)) => Err(StoreError::Unavailable(error.to_string())),
            Err(_) => Err(StoreError::Timeout),
        }
    }
}
