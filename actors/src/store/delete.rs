//! Documents taken away: by their name, or because their time is over; `matching.rs`, by a filter. One transaction removes all that hangs on
//! them and raises the epoch, so that no cache finds them any more.

use super::collections::Receipt;
use super::error::StoreError;
use super::idempotency::commit;
use super::ids::{CollectionId, DocumentId, TenantId};
use super::lexical::Changes;
use super::publish::{count, lock_collection, withdraw};
use super::{Store, only_row};
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use deadpool_postgres::Transaction;
use std::rc::Rc;
use tokio_postgres::types::ToSql;

/// Removes documents with all their chunks, embeddings and statistics; the collection and they are locked.
pub(super) async fn remove(
    transaction: &Transaction<'_>,
    tenant: i64,
    collection: i64,
    documents: &[i64],
) -> Result<Receipt, StoreError> {
    let mut changes = Changes::default();
    let (receipt, length) = withdraw(transaction, tenant, documents, &mut changes).await?;
    changes.apply(transaction, tenant, collection).await?;
    count(transaction, tenant, collection, [-receipt.documents, -receipt.chunks, -length]).await?;
    let sql = "DELETE FROM documents WHERE tenant_id = $1 AND document_id = ANY ($2)";
    let statement = transaction.prepare_cached(sql).await?;
    let gone = transaction.execute(&statement, &[&tenant, &documents]).await?;
    // Those that were not searchable yet count too.
    Ok(Receipt { documents: i64::try_from(gone).unwrap_or(i64::MAX), ..receipt })
}

#[derive(Debug)]
pub struct DeleteDocument {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub external_id: String,
}

impl Request for DeleteDocument {
    type Reply = Result<Receipt, StoreError>;
}

impl Serve<DeleteDocument> for Store {
    async fn serve(
        self: Rc<Self>,
        delete: DeleteDocument,
        deadline: Deadline,
    ) -> Result<Receipt, StoreError> {
        let (tenant, collection) = (delete.tenant.0, delete.collection.0);
        let mut connection = self.connection(delete.tenant, deadline).await?;
        let find = "SELECT document_id FROM documents WHERE tenant_id = $1 AND collection_id = $2 AND external_id = $3";
        let key: [&(dyn ToSql + Sync); 3] = [&tenant, &collection, &delete.external_id];
        // Whoever writes its chunks, which may take long, is waited for without the collection's lock: it needs that too.
        let (transaction, document) = loop {
            let rows = connection.query(&format!("{find} FOR UPDATE"), &key).await?;
            let document: i64 = only_row(&rows, "document")?.get(0);
            let transaction = connection.transaction().await?;
            lock_collection(&transaction, tenant, collection).await?;
            let free = transaction.query(&format!("{find} FOR UPDATE SKIP LOCKED"), &key).await?;
            if !free.is_empty() {
                break (transaction, document);
            }
            transaction.rollback().await?;
        };
        let receipt = remove(&transaction, tenant, collection, &[document]).await?;
        commit(transaction, &receipt).await?;
        self.done(delete.tenant, connection);
        Ok(receipt)
    }
}

/// Documents of one collection whose time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub documents: Vec<DocumentId>,
}

/// The `most` documents of any tenant whose time has been over the longest.
#[derive(Debug)]
pub struct ListExpired {
    pub most: i32,
}

impl Request for ListExpired {
    type Reply = Result<Vec<Expired>, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<ListExpired> for Store {
    async fn serve(
        self: Rc<Self>,
        list: ListExpired,
        deadline: Deadline,
    ) -> Result<Vec<Expired>, StoreError> {
        let connection = self.connection(TenantId(0), deadline).await?;
        let sql = "SELECT tenant, collection, array_agg(document) FROM expired_documents($1) GROUP BY 1, 2";
        let statement = connection.prepare_cached(sql).await?;
        let rows = connection.query(&statement, &[&list.most]).await?;
        connection.hand_back();
        let expired = rows.iter().map(|row| Expired {
            tenant: TenantId(row.get(0)),
            collection: CollectionId(row.get(1)),
            documents: row.get::<_, Vec<i64>>(2).into_iter().map(DocumentId).collect(),
        });
        Ok(expired.collect())
    }
}

/// Deletes documents whose time is over, as a client would; one that was given more time meanwhile stays, and one that is
/// being written is left for the next time.
#[derive(Debug, Clone)]
pub struct Expire(pub Expired);

impl Request for Expire {
    type Reply = Result<Receipt, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<Expire> for Store {
    async fn serve(
        self: Rc<Self>,
        Expire(expired): Expire,
        deadline: Deadline,
    ) -> Result<Receipt, StoreError> {
        let (tenant, collection) = (expired.tenant.0, expired.collection.0);
        let mut connection = self.connection(expired.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        lock_collection(&transaction, tenant, collection).await?;
        let find = "SELECT document_id FROM documents WHERE tenant_id = $1 AND document_id = ANY ($2) \
                    AND expires_at <= now() ORDER BY external_id FOR UPDATE SKIP LOCKED";
        let statement = transaction.prepare_cached(find).await?;
        let documents: Vec<i64> = expired.documents.iter().map(|document| document.0).collect();
        let rows = transaction.query(&statement, &[&tenant, &documents]).await?;
        let documents: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        let receipt = remove(&transaction, tenant, collection, &documents).await?;
        transaction.commit().await?;
        self.done(expired.tenant, connection);
        Ok(receipt)
    }
}
