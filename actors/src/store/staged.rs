//! Vectors that exist already, so that no text is embedded twice: those of the published chunks, and those of a
//! document under way, kept batch by batch until it is published.

use super::Store;
use super::error::StoreError;
use super::ids::{DocumentId, TenantId};
use super::read::Sees;
use super::tasks::Claim;
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use pgvector::HalfVector;
use std::collections::HashMap;
use std::rc::Rc;
use tokio_postgres::types::ToSql;

/// A document's known embeddings, by the hash of what was embedded.
#[derive(Debug, Clone)]
pub struct KnownEmbeddings {
    pub tenant: TenantId,
    pub document: DocumentId,
}

impl Request for KnownEmbeddings {
    type Reply = Result<HashMap<Vec<u8>, Vec<f32>>, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<KnownEmbeddings> for Store {
    async fn serve(
        self: Rc<Self>,
        known: KnownEmbeddings,
        deadline: Deadline,
    ) -> Result<HashMap<Vec<u8>, Vec<f32>>, StoreError> {
        let space = self.space(known.tenant, deadline).await?;
        let sql = "SELECT c.content_hash, e.embedding FROM chunks c JOIN embeddings e USING (tenant_id, chunk_id) \
                   WHERE c.tenant_id = $1 AND c.document_id = $2 AND e.space_id = $3 \
                   UNION ALL SELECT content_hash, embedding FROM staged_embeddings \
                   WHERE tenant_id = $1 AND document_id = $2 AND space_id = $3";
        let parameters: [&(dyn ToSql + Sync); 3] = [&known.tenant.0, &known.document.0, &space];
        let rows = self.read(known.tenant, Sees::Newest, sql, &parameters, deadline).await?;
        let read = |row: &tokio_postgres::Row| {
            let vector: HalfVector = row.get(1);
            (row.get(0), vector.to_vec().into_iter().map(f32::from).collect())
        };
        Ok(rows.iter().map(read).collect())
    }
}

/// Keeps a batch of vectors for the worker that goes on when this one is lost.
#[derive(Debug, Clone)]
pub struct StageEmbeddings {
    pub claim: Claim,
    pub document: DocumentId,
    /// Hash of what was embedded, and its vector.
    pub vectors: Vec<(Vec<u8>, Vec<f32>)>,
}

impl Request for StageEmbeddings {
    type Reply = Result<(), StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<StageEmbeddings> for Store {
    async fn serve(self: Rc<Self>, stage: StageEmbeddings, deadline: Deadline) -> Result<(), StoreError> {
        let Claim { tenant, task, worker, .. } = &stage.claim;
        let space = self.space(*tenant, deadline).await?;
        let connection = self.connection(*tenant, deadline).await?;
        let sql = "INSERT INTO staged_embeddings (tenant_id, document_id, space_id, content_hash, embedding) \
                   SELECT $1, $2, $3, staged.hash, staged.embedding FROM unnest($4::bytea[], $5::halfvec[]) AS staged(hash, embedding) \
                   WHERE EXISTS (SELECT FROM tasks WHERE tenant_id = $1 AND task_id = $6 AND lease_owner = $7) \
                   ON CONFLICT DO NOTHING";
        let statement = connection.prepare_cached(sql).await?;
        let (hashes, vectors): (Vec<Vec<u8>>, Vec<HalfVector>) = stage
            .vectors
            .into_iter()
            .map(|(hash, vector)| (hash, HalfVector::from_f32_slice(&vector)))
            .unzip();
        let parameters: [&(dyn ToSql + Sync); 7] =
            [&tenant.0, &stage.document.0, &space, &hashes, &vectors, &task.0, &worker.as_ref()];
        connection.execute(&statement, &parameters).await?;
        self.done(*tenant, connection);
        Ok(())
    }
}
