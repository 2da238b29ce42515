//! Names that begin like this: what people are offered while they type.

use super::Store;
use super::error::StoreError;
use super::ids::{CollectionId, TenantId};
use super::read::Sees;
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use std::rc::Rc;
use tokio_postgres::types::ToSql;

/// External ids of searchable documents, in order, `limit` at most. Reads the collection's index of names until it has
/// found as many: give it a short deadline.
#[derive(Debug, Clone)]
pub struct CompleteExternalId {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub prefix: String,
    pub limit: i64,
}

impl Request for CompleteExternalId {
    type Reply = Result<Vec<String>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<CompleteExternalId> for Store {
    async fn serve(
        self: Rc<Self>,
        complete: CompleteExternalId,
        deadline: Deadline,
    ) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT external_id FROM documents WHERE tenant_id = $1 AND collection_id = $2 \
                   AND published_version IS NOT NULL AND starts_with(external_id, $3) ORDER BY external_id LIMIT $4";
        let parameters: [&(dyn ToSql + Sync); 4] =
            [&complete.tenant.0, &complete.collection.0, &complete.prefix, &complete.limit];
        let rows = self.read(complete.tenant, Sees::OwnWrites, sql, &parameters, deadline).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
