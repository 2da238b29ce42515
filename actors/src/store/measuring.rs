//! What is known of an embedding space by looking: its size, and texts to try it with.

use super::ids::{SpaceId, TenantId};
use super::read::Sees;
use super::{Store, StoreError};
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use std::rc::Rc;

#[derive(Debug, Clone, Copy)]
pub struct SpaceSize {
    pub vectors: i64,
    /// Chunks in all of the tenant's collections.
    pub chunks: i64,
    pub index_bytes: i64,
}

#[derive(Debug, Clone)]
pub struct MeasureSpace {
    pub tenant: TenantId,
    pub id: SpaceId,
}

impl Request for MeasureSpace {
    type Reply = Result<SpaceSize, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<MeasureSpace> for Store {
    async fn serve(
        self: Rc<Self>,
        measure: MeasureSpace,
        deadline: Deadline,
    ) -> Result<SpaceSize, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM embeddings WHERE tenant_id = $1 AND space_id = $2), \
                   (SELECT coalesce(sum(chunks), 0)::bigint FROM collections WHERE tenant_id = $1), \
                   coalesce(pg_relation_size(to_regclass('embeddings_hnsw_' || $2::bigint)), 0)";
        let rows = self
            .read(measure.tenant, Sees::OwnWrites, sql, &[&measure.tenant.0, &measure.id.0], deadline)
            .await?;
        let row = super::only_row(&rows, "embedding space")?;
        Ok(SpaceSize { vectors: row.get(0), chunks: row.get(1), index_bytes: row.get(2) })
    }
}

/// The beginnings of chunks at these places between the oldest and the newest, each within 0..=1.
#[derive(Debug, Clone)]
pub struct SampleTexts {
    pub tenant: TenantId,
    pub places: Vec<f64>,
}

impl Request for SampleTexts {
    type Reply = Result<Vec<String>, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<SampleTexts> for Store {
    async fn serve(
        self: Rc<Self>,
        sample: SampleTexts,
        deadline: Deadline,
    ) -> Result<Vec<String>, StoreError> {
        let sql = "WITH ends AS (SELECT min(chunk_id) AS low, max(chunk_id) AS high FROM chunks WHERE tenant_id = $1) \
                   SELECT left(c.text, 200) FROM unnest($2::float8[]) AS drawn(share), ends, LATERAL ( \
                       SELECT text FROM chunks WHERE tenant_id = $1 AND chunk_id >= low + floor(share * (high - low))::bigint \
                       ORDER BY chunk_id LIMIT 1) c";
        let rows = self
            .read(sample.tenant, Sees::OwnWrites, sql, &[&sample.tenant.0, &sample.places], deadline)
            .await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
