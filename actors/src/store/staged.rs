//! Vectors that exist already, so that no text is embedded twice: those of the published chunks, and those of a
//! document under way, kept batch by batch until it is published.

use super::Store;
use super::error::StoreError;
use super::ids::{DocumentId, TenantId};
use super::read::Sees;
use super::space::Space;
use super::tasks::Claim;
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use tokio_postgres::types::ToSql;

/// A document's known embeddings, by the hash of what was embedded.
#[derive(Debug, Clone)]
pub struct KnownEmbeddings {
    pub tenant: TenantId,
    pub document: DocumentId,
    pub space: Arc<Space>,
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
        let storage = known.space.spec.storage;
        let column = storage.column();
        let sql = format!(
            "SELECT c.content_hash, e.{column} FROM chunks c JOIN embeddings e USING (tenant_id, chunk_id) \
             WHERE c.tenant_id = $1 AND c.document_id = $2 AND e.space_id = $3 \
             UNION ALL SELECT content_hash, {column} FROM staged_embeddings \
             WHERE tenant_id = $1 AND document_id = $2 AND space_id = $3"
        );
        let parameters: [&(dyn ToSql + Sync); 3] = [&known.tenant.0, &known.document.0, &known.space.id.0];
        let rows = self.read(known.tenant, Sees::Newest, &sql, &parameters, deadline).await?;
        Ok(rows.iter().filter_map(|row| Some((row.get(0), storage.read(row, 1)?))).collect())
    }
}

/// Keeps a batch of vectors for the worker that goes on when this one is lost.
#[derive(Debug, Clone)]
pub struct StageEmbeddings {
    pub claim: Claim,
    pub document: DocumentId,
    pub space: Arc<Space>,
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
        let storage = stage.space.spec.storage;
        let (column, of) = (storage.column(), storage.sql_type());
        let connection = self.connection(*tenant, deadline).await?;
        let sql = format!(
            "INSERT INTO staged_embeddings (tenant_id, document_id, space_id, content_hash, {column}) \
             SELECT $1, $2, $3, staged.hash, staged.embedding FROM unnest($4::bytea[], $5::{of}[]) AS staged(hash, embedding) \
             WHERE EXISTS (SELECT FROM tasks WHERE tenant_id = $1 AND task_id = $6 AND lease_owner = $7) \
             ON CONFLICT DO NOTHING"
        );
        let statement = connection.prepare_cached(&sql).await?;
        let (hashes, vectors): (Vec<Vec<u8>>, Vec<Vec<f32>>) = stage.vectors.into_iter().unzip();
        let vectors = storage.parameters(vectors.iter().map(Vec::as_slice));
        let vectors: &(dyn ToSql + Sync) = vectors.as_ref();
        let parameters: [&(dyn ToSql + Sync); 7] =
            [&tenant.0, &stage.document.0, &stage.space.id.0, &hashes, vectors, &task.0, &worker.as_ref()];
        connection.execute(&statement, &parameters).await?;
        self.done(*tenant, connection);
        Ok(())
    }
}
