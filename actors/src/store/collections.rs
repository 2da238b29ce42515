//! Collections: named sets of documents with one language and one way of chunking.

use super::chunking::Chunking;
use super::error::StoreError;
use super::idempotency::commit;
use super::ids::{CollectionId, TenantId};
use super::read::Sees;
use super::reindex::Reindex;
use super::{Store, chunking, hidden, only_row, publish, reindex};
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use deadpool_postgres::Transaction;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::rc::Rc;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

const COLUMNS: &str = "collection_id, name, description, metadata, language, epoch, documents, chunks, \
    created_at, updated_at, max_tokens, overlap_tokens, chunk_strategy, window_sentences, chunk_context";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Collection {
    pub id: CollectionId,
    pub name: String,
    pub description: String,
    pub metadata: Value,
    pub language: String,
    pub chunking: Chunking,
    /// Changes whenever what a search can return changes.
    pub epoch: i64,
    /// Searchable documents and chunks.
    pub documents: i64,
    pub chunks: i64,
    /// Whether a document in it is not everyone's.
    #[serde(default)]
    pub restricted: bool,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

impl Collection {
    fn read(row: &Row) -> Self {
        Self {
            id: CollectionId(row.get(0)),
            name: row.get(1),
            description: row.get(2),
            metadata: row.get(3),
            language: row.get(4),
            epoch: row.get(5),
            documents: row.get(6),
            chunks: row.get(7),
            created_at: row.get(8),
            updated_at: row.get(9),
            chunking: Chunking::read(row, 10),
            restricted: false,
        }
    }
}

#[derive(Debug)]
pub struct CreateCollection {
    pub tenant: TenantId,
    pub name: String,
    pub description: String,
    pub metadata: Value,
    pub language: String,
    pub chunking: Chunking,
}

impl Request for CreateCollection {
    type Reply = Result<Collection, StoreError>;
}

impl Serve<CreateCollection> for Store {
    async fn serve(
        self: Rc<Self>,
        new: CreateCollection,
        deadline: Deadline,
    ) -> Result<Collection, StoreError> {
        let mut connection = self.connection(new.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        let created = insert(&transaction, &new).await;
        match &created {
            Ok(created) => commit(transaction, created).await?,
            Err(_) => transaction.rollback().await?,
        }
        self.done(new.tenant, connection);
        created
    }
}

/// The collection's row; a name that is taken is a conflict.
pub(super) async fn insert(
    transaction: &Transaction<'_>,
    new: &CreateCollection,
) -> Result<Collection, StoreError> {
    let sql = format!(
        "INSERT INTO collections (tenant_id, name, description, metadata, language, {}) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (tenant_id, name) DO NOTHING \
         RETURNING {COLUMNS}",
        chunking::COLUMNS
    );
    let statement = transaction.prepare_cached(&sql).await?;
    let (max, overlap, strategy, sentences, context) = new.chunking.columns();
    let parameters: [&(dyn ToSql + Sync); 10] = [
        &new.tenant.0,
        &new.name,
        &new.description,
        &new.metadata,
        &new.language,
        &max,
        &overlap,
        &strategy,
        &sentences,
        &context,
    ];
    let row = transaction.query_opt(&statement, &parameters).await?;
    let taken = || StoreError::Conflict("a collection with this name exists already".to_owned());
    row.map(|row| Collection::read(&row)).ok_or_else(taken)
}

/// Every collection of a tenant, by name: the catalogue that requests are resolved against. For whoever sees all.
#[derive(Debug, Clone)]
pub struct ListCollections {
    pub tenant: TenantId,
}

impl Request for ListCollections {
    type Reply = Result<Vec<Collection>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<ListCollections> for Store {
    async fn serve(
        self: Rc<Self>,
        list: ListCollections,
        deadline: Deadline,
    ) -> Result<Vec<Collection>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, EXISTS (SELECT FROM documents d WHERE d.tenant_id = c.tenant_id \
             AND d.collection_id = c.collection_id AND d.acl <> '{{}}') \
             FROM collections c WHERE tenant_id = $1 ORDER BY name LIMIT 10000"
        );
        let rows = self.read(list.tenant, Sees::Newest, &sql, &[&list.tenant.0], deadline).await?;
        let listed = |row: &Row| Collection { restricted: row.get(15), ..Collection::read(row) };
        let collections: Vec<Collection> = rows.iter().map(listed).collect();
        self.epochs.learn(collections.iter().map(|collection| (collection.id, collection.epoch)));
        Ok(collections)
    }
}

/// New values; `None` keeps the old one. Another chunking queues the collection's documents in the same transaction.
#[derive(Debug)]
pub struct UpdateCollection {
    pub tenant: TenantId,
    pub id: CollectionId,
    pub description: Option<String>,
    pub metadata: Option<Value>,
    pub chunking: Option<Chunking>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Updated {
    pub collection: Collection,
    pub reindex: Option<Reindex>,
}

impl Request for UpdateCollection {
    type Reply = Result<Updated, StoreError>;
}

impl Serve<UpdateCollection> for Store {
    async fn serve(
        self: Rc<Self>,
        change: UpdateCollection,
        deadline: Deadline,
    ) -> Result<Updated, StoreError> {
        let (tenant, id) = (change.tenant.0, change.id.0);
        let mut connection = self.connection(change.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        publish::lock_collection(&transaction, tenant, id).await?;
        let mut reindex = None;
        if let Some(wanted) = change.chunking {
            let (max, overlap, strategy, sentences, context) = wanted.columns();
            let sql = "UPDATE collections SET max_tokens = $3, overlap_tokens = $4, chunk_strategy = $5, \
                       window_sentences = $6, chunk_context = $7 WHERE tenant_id = $1 AND collection_id = $2 \
                       AND (max_tokens, overlap_tokens, chunk_strategy, window_sentences, chunk_context) \
                           IS DISTINCT FROM ($3, $4, $5, $6, $7)";
            let values: [&(dyn ToSql + Sync); 7] =
                [&tenant, &id, &max, &overlap, &strategy, &sentences, &context];
            if transaction.execute(sql, &values).await? > 0 {
                reindex = reindex::queue(&transaction, change.tenant, change.id).await?;
            }
        }
        let sql = format!(
            "UPDATE collections SET description = coalesce($3, description), metadata = coalesce($4, metadata), \
             updated_at = now() WHERE tenant_id = $1 AND collection_id = $2 RETURNING {COLUMNS}"
        );
        let statement = transaction.prepare_cached(&sql).await?;
        let values: [&(dyn ToSql + Sync); 4] = [&tenant, &id, &change.description, &change.metadata];
        let rows = transaction.query(&statement, &values).await?;
        let collection = Collection::read(only_row(&rows, "collection")?);
        let updated = Updated { collection, reindex };
        commit(transaction, &updated).await?;
        self.done(change.tenant, connection);
        Ok(updated)
    }
}

/// What a delete removed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Receipt {
    pub documents: i64,
    pub chunks: i64,
    pub embeddings: i64,
}

#[derive(Debug)]
pub struct DeleteCollection {
    pub tenant: TenantId,
    pub id: CollectionId,
}

impl Request for DeleteCollection {
    type Reply = Result<Receipt, StoreError>;
}

impl Serve<DeleteCollection> for Store {
    async fn serve(
        self: Rc<Self>,
        delete: DeleteCollection,
        deadline: Deadline,
    ) -> Result<Receipt, StoreError> {
        let mut connection = self.connection(delete.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        let key: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&delete.tenant.0, &delete.id.0];
        // Writers of this collection hold the same lock, so the counts are of what is deleted.
        let lock = "SELECT 1 FROM collections WHERE tenant_id = $1 AND collection_id = $2 FOR UPDATE";
        only_row(&transaction.query(lock, &key).await?, "collection")?;
        hidden::none(&transaction, delete.id).await?;
        let mut removed = [0_i64; 5];
        let tables = ["embeddings", "lexical_chunks", "lexical_terms", "chunks", "documents"];
        for (table, count) in tables.iter().zip(&mut removed) {
            let sql = format!("DELETE FROM {table} WHERE tenant_id = $1 AND collection_id = $2");
            *count = i64::try_from(transaction.execute(&sql, &key).await?).unwrap_or(i64::MAX);
        }
        transaction
            .execute("DELETE FROM collections WHERE tenant_id = $1 AND collection_id = $2", &key)
            .await?;
        let [embeddings, _, _, chunks, documents] = removed;
        let receipt = Receipt { documents, chunks, embeddings };
        commit(transaction, &receipt).await?;
        self.done(delete.tenant, connection);
        Ok(receipt)
    }
}
