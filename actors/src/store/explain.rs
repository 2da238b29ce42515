//! What decides whether a chunk or a document can be seen.

use super::error::StoreError;
use super::ids::{ChunkId, CollectionId, TenantId};
use super::read::Sees;
use super::{Store, only_row};
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use std::rc::Rc;
use time::OffsetDateTime;
use tokio_postgres::types::ToSql;

#[derive(Debug, Clone)]
pub enum About {
    Chunk(ChunkId),
    Document(CollectionId, String),
}

/// For the sight that the call is made with: not found where it does not see it.
#[derive(Debug, Clone)]
pub struct ExplainAccess {
    pub tenant: TenantId,
    pub about: About,
}

#[derive(Debug, Clone)]
pub struct Standing {
    pub collection: String,
    pub external_id: String,
    pub acl: Vec<String>,
    pub published: bool,
    pub expires_at: Option<OffsetDateTime>,
}

impl Request for ExplainAccess {
    type Reply = Result<Standing, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<ExplainAccess> for Store {
    async fn serve(
        self: Rc<Self>,
        explain: ExplainAccess,
        deadline: Deadline,
    ) -> Result<Standing, StoreError> {
        let (chunk, collection, name) = match &explain.about {
            About::Chunk(chunk) => (Some(chunk.0), None, None),
            About::Document(collection, name) => (None, Some(collection.0), Some(name.as_str())),
        };
        let sql = "SELECT k.name, d.external_id, d.acl, d.published_version IS NOT NULL, d.expires_at \
                   FROM documents d JOIN collections k USING (tenant_id, collection_id) \
                   WHERE d.tenant_id = $1 AND (d.collection_id = $3 AND d.external_id = $4 OR d.document_id = \
                       (SELECT c.document_id FROM chunks c WHERE c.tenant_id = $1 AND c.chunk_id = $2))";
        let parameters: [&(dyn ToSql + Sync); 4] = [&explain.tenant.0, &chunk, &collection, &name];
        let rows = self.read(explain.tenant, Sees::Newest, sql, &parameters, deadline).await?;
        let row = only_row(&rows, "chunk or document")?;
        Ok(Standing {
            collection: row.get(0),
            external_id: row.get(1),
            acl: row.get(2),
            published: row.get(3),
            expires_at: row.get(4),
        })
    }
}
