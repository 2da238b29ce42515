//! What a tenant and its keys have in place of the configured limits: JSON, which this layer only keeps.

use super::error::StoreError;
use super::ids::{KeyId, TenantId};
use super::keys::COLUMNS;
use super::read::Sees;
use super::{ApiKey, Store, only_row};
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use serde_json::Value;
use std::rc::Rc;

/// Of a tenant, and of one of its keys: what was set, `{}` where nothing was.
#[derive(Debug, Clone)]
pub struct FindLimits {
    pub tenant: TenantId,
    pub key: Option<KeyId>,
}

#[derive(Debug, Clone)]
pub struct FoundLimits {
    pub tenant: Value,
    pub key: Value,
}

impl Request for FindLimits {
    type Reply = Result<FoundLimits, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<FindLimits> for Store {
    async fn serve(self: Rc<Self>, find: FindLimits, deadline: Deadline) -> Result<FoundLimits, StoreError> {
        let sql = "SELECT t.limits, coalesce((SELECT k.limits FROM api_keys k \
                   WHERE k.tenant_id = t.tenant_id AND k.key_id = $2), '{}') FROM tenants t WHERE t.tenant_id = $1";
        let key = find.key.map(|key| key.0);
        let rows = self.read(find.tenant, Sees::Newest, sql, &[&find.tenant.0, &key], deadline).await?;
        let row = only_row(&rows, "tenant")?;
        Ok(FoundLimits { tenant: row.get(0), key: row.get(1) })
    }
}

/// Replaces what was set for a key. Again is the same as once.
#[derive(Debug, Clone)]
pub struct LimitKey {
    pub tenant: TenantId,
    pub id: KeyId,
    pub limits: Value,
}

impl Request for LimitKey {
    type Reply = Result<ApiKey, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<LimitKey> for Store {
    async fn serve(self: Rc<Self>, limit: LimitKey, deadline: Deadline) -> Result<ApiKey, StoreError> {
        let connection = self.connection(limit.tenant, deadline).await?;
        let sql = format!(
            "UPDATE api_keys SET limits = $3 WHERE tenant_id = $1 AND key_id = $2 RETURNING {COLUMNS}"
        );
        let rows = connection.query(&sql, &[&limit.tenant.0, &limit.id.0, &limit.limits]).await?;
        self.done(limit.tenant, connection);
        Ok(ApiKey::read(only_row(&rows, "key")?))
    }
}
