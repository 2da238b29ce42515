//! Reading an index before anybody waits for it: a sample of its own vectors is searched for, so that what
//! searches walk through is in memory. Needs no extension and no right that a search does not need.

use super::Store;
use super::error::StoreError;
use super::ids::TenantId;
use super::read::Sees;
use super::space::Space;
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use std::rc::Rc;
use std::sync::Arc;

/// Searches of the tenant's index for some of its own vectors; replies how many chunks were found.
#[derive(Debug, Clone)]
pub struct WarmIndex {
    pub tenant: TenantId,
    pub space: Arc<Space>,
    /// Searches made; at most one per chunk.
    pub searches: u16,
    /// In the index; where that is far off, fewer searches are made or they are less spread.
    pub chunks: i64,
}

impl Request for WarmIndex {
    type Reply = Result<i64, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<WarmIndex> for Store {
    async fn serve(self: Rc<Self>, warm: WarmIndex, deadline: Deadline) -> Result<i64, StoreError> {
        let WarmIndex { tenant, space, searches, chunks } = warm;
        let percent = (f64::from(searches) * 100.0 / chunks.max(1) as f64).clamp(0.001, 100.0) as f32;
        let near = space.spec.storage.expressions("sample.vector", space.spec.dimensions);
        let (space, column) = (space.id.0, space.spec.storage.column());
        let sql = format!(
            "SELECT count(near.chunk_id) FROM ( \
                 SELECT e.{column} AS vector FROM embeddings e TABLESAMPLE SYSTEM ($2) \
                 WHERE e.tenant_id = $1 AND e.space_id = {space} LIMIT {searches}) sample, \
             LATERAL (SELECT e.chunk_id FROM embeddings e WHERE e.tenant_id = $1 AND e.space_id = {space} \
                 ORDER BY {} LIMIT 10) near",
            near.indexed
        );
        let rows = self.read(tenant, Sees::Newest, &sql, &[&tenant.0, &percent], deadline).await?;
        Ok(rows.first().map_or(0, |row| row.get(0)))
    }
}
