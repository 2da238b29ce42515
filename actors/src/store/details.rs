//! What a search's second look needs of its results and the search itself does not fetch.

use super::Store;
use super::error::StoreError;
use super::ids::{ChunkId, CollectionId, SpaceId, TenantId};
use super::read::Sees;
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use std::collections::HashMap;
use std::rc::Rc;
use tokio_postgres::types::ToSql;

/// When the documents of some chunks were changed last, and the chunks' vectors if wanted.
#[derive(Debug, Clone)]
pub struct ChunkDetails {
    pub tenant: TenantId,
    /// As they were listed, so that a replica that answers is not behind the search.
    pub collections: Vec<CollectionId>,
    /// A few hundred at most.
    pub chunks: Vec<ChunkId>,
    /// Whose vectors are wanted, if any.
    pub space: Option<SpaceId>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Details {
    /// Seconds since 1970.
    pub updated_at: f64,
    /// Empty unless wanted and there.
    pub vector: Vec<f32>,
}

impl Request for ChunkDetails {
    type Reply = Result<HashMap<ChunkId, Details>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<ChunkDetails> for Store {
    async fn serve(
        self: Rc<Self>,
        wanted: ChunkDetails,
        deadline: Deadline,
    ) -> Result<HashMap<ChunkId, Details>, StoreError> {
        let sql = "SELECT c.chunk_id, extract(epoch FROM d.updated_at)::float8, \
                 coalesce(e.full_embedding::real[], e.embedding::real[]) \
             FROM unnest($2::bigint[]) AS asked(chunk_id) \
             JOIN chunks c ON c.tenant_id = $1 AND c.chunk_id = asked.chunk_id \
             JOIN documents d ON d.tenant_id = c.tenant_id AND d.document_id = c.document_id \
             LEFT JOIN embeddings e ON e.tenant_id = c.tenant_id AND e.chunk_id = c.chunk_id \
                 AND e.space_id = $3";
        let space = wanted.space.map(|space| space.0);
        let chunks: Vec<i64> = wanted.chunks.iter().map(|chunk| chunk.0).collect();
        let parameters: [&(dyn ToSql + Sync); 3] = [&wanted.tenant.0, &chunks, &space];
        let sees = Sees::Listed(&wanted.collections);
        let rows = self.read(wanted.tenant, sees, sql, &parameters, deadline).await?;
        let details = rows.iter().map(|row| {
            let vector: Option<Vec<f32>> = row.get(2);
            (ChunkId(row.get(0)), Details { updated_at: row.get(1), vector: vector.unwrap_or_default() })
        });
        Ok(details.collect())
    }
}
