//! What a chat model said about the chunks of a document, by the hash of what it was asked.

use super::Store;
use super::error::StoreError;
use super::ids::{DocumentId, TenantId};
use super::tasks::Claim;
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use std::collections::HashMap;
use std::rc::Rc;

/// Those known of these hashes; any other of the document is forgotten, because no chunk of it asks for it any more.
#[derive(Debug, Clone)]
pub struct KnownContexts {
    pub tenant: TenantId,
    pub document: DocumentId,
    pub hashes: Vec<Vec<u8>>,
}

impl Request for KnownContexts {
    type Reply = Result<HashMap<Vec<u8>, String>, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<KnownContexts> for Store {
    async fn serve(
        self: Rc<Self>,
        known: KnownContexts,
        deadline: Deadline,
    ) -> Result<HashMap<Vec<u8>, String>, StoreError> {
        let connection = self.connection(known.tenant, deadline).await?;
        let sql = "DELETE FROM chunk_contexts WHERE tenant_id = $1 AND document_id = $2 AND hash <> ALL ($3)";
        let forget = connection.prepare_cached(sql).await?;
        connection.execute(&forget, &[&known.tenant.0, &known.document.0, &known.hashes]).await?;
        let sql = "SELECT hash, context FROM chunk_contexts WHERE tenant_id = $1 AND document_id = $2";
        let find = connection.prepare_cached(sql).await?;
        let rows = connection.query(&find, &[&known.tenant.0, &known.document.0]).await?;
        self.done(known.tenant, connection);
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}

/// Keeps what was just said, for whoever cuts the document next.
#[derive(Debug, Clone)]
pub struct KeepContexts {
    pub claim: Claim,
    pub document: DocumentId,
    /// Hash and text.
    pub contexts: Vec<(Vec<u8>, String)>,
}

impl Request for KeepContexts {
    type Reply = Result<(), StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<KeepContexts> for Store {
    async fn serve(self: Rc<Self>, keep: KeepContexts, deadline: Deadline) -> Result<(), StoreError> {
        let Claim { tenant, task, worker, .. } = &keep.claim;
        let connection = self.connection(*tenant, deadline).await?;
        let sql = "INSERT INTO chunk_contexts (tenant_id, document_id, hash, context) \
                   SELECT $1, $2, said.hash, said.context FROM unnest($3::bytea[], $4::text[]) AS said(hash, context) \
                   WHERE EXISTS (SELECT FROM tasks WHERE tenant_id = $1 AND task_id = $5 AND lease_owner = $6) \
                   ON CONFLICT DO NOTHING";
        let statement = connection.prepare_cached(sql).await?;
        let (hashes, texts): (Vec<Vec<u8>>, Vec<String>) = keep.contexts.into_iter().unzip();
        connection
            .execute(&statement, &[&tenant.0, &keep.document.0, &hashes, &texts, &task.0, &worker.as_ref()])
            .await?;
        self.done(*tenant, connection);
        Ok(())
    }
}
