//! Documents that fulfil a filter: counted, or deleted as each would be by its name.
//!
//! Batches are transactions of their own, so that other writers of the collection have their turn between them and a
//! deletion of any size needs a bounded amount of memory. What one that is broken off has deleted stays deleted.

use super::collections::Receipt;
use super::connection::Connection;
use super::delete::remove;
use super::error::StoreError;
use super::filter::{Filter, Scope, narrowed};
use super::idempotency::commit;
use super::ids::{CollectionId, TenantId};
use super::publish::lock_collection;
use super::read::Sees;
use super::{Store, only_row};
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use serde::{Deserialize, Serialize};
use std::rc::Rc;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Documents of one transaction, and of their chunks, unless the first alone has more.
const BATCH: usize = 200;
const BATCH_CHUNKS: i64 = 10_000;

/// Searchable documents of one collection that fulfil the filter.
#[derive(Debug, Clone)]
pub struct Matching {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub filter: Filter,
}

/// What a statement has beside its text: the tenant, the collection, one of its own, the filter's.
type Parameters<'a> = Vec<&'a (dyn ToSql + Sync)>;

impl Matching {
    /// The condition on `d`, a row of `documents`, and the values of its placeholders from `$4` on; `$1` and `$2` are
    /// the tenant and the collection.
    fn condition(&self) -> (String, Vec<Box<dyn ToSql + Sync>>) {
        let mut values: Vec<Box<dyn ToSql + Sync>> = Vec::new();
        let mut bind = |value| {
            values.push(value);
            format!("${}", values.len() + 3)
        };
        let scope = Scope { tenant: "$1", collections: "ARRAY[$2::bigint]" };
        let fulfils = narrowed(&self.filter, "d.document_id", scope, &mut bind);
        let condition = format!(
            "d.tenant_id = $1 AND d.collection_id = $2::bigint AND d.published_version IS NOT NULL AND {fulfils}"
        );
        (condition, values)
    }

    fn parameters<'a>(
        &'a self,
        own: &'a (dyn ToSql + Sync),
        values: &'a [Box<dyn ToSql + Sync>],
    ) -> Parameters<'a> {
        let mut parameters: Parameters<'a> = vec![&self.tenant.0, &self.collection.0, own];
        parameters.extend(values.iter().map(Box::as_ref));
        parameters
    }
}

/// What deleting them would remove.
#[derive(Debug, Clone)]
pub struct CountMatching(pub Matching);

impl Request for CountMatching {
    type Reply = Result<Receipt, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<CountMatching> for Store {
    async fn serve(
        self: Rc<Self>,
        CountMatching(matching): CountMatching,
        deadline: Deadline,
    ) -> Result<Receipt, StoreError> {
        let (condition, values) = matching.condition();
        let sql = format!(
            "WITH found AS MATERIALIZED (SELECT d.document_id FROM documents d \
                 WHERE {condition} AND d.document_id > $3::bigint), \
             cut AS MATERIALIZED (SELECT c.chunk_id FROM chunks c JOIN found USING (document_id) WHERE c.tenant_id = $1) \
             SELECT (SELECT count(*) FROM found), (SELECT count(*) FROM cut), \
                 (SELECT count(*) FROM embeddings e JOIN cut USING (chunk_id) WHERE e.tenant_id = $1)"
        );
        let parameters = matching.parameters(&0_i64, &values);
        let rows = self.read(matching.tenant, Sees::OwnWrites, &sql, &parameters, deadline).await?;
        let row = only_row(&rows, "count")?;
        Ok(Receipt { documents: row.get(0), chunks: row.get(1), embeddings: row.get(2) })
    }
}

/// Deletes them, for as long as half of the time that is left.
#[derive(Debug)]
pub struct DeleteMatching(pub Matching);

/// What was deleted, and whether that was all.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Deleted {
    pub deleted: Receipt,
    pub complete: bool,
}

impl Request for DeleteMatching {
    type Reply = Result<Deleted, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<DeleteMatching> for Store {
    async fn serve(
        self: Rc<Self>,
        DeleteMatching(matching): DeleteMatching,
        deadline: Deadline,
    ) -> Result<Deleted, StoreError> {
        // The rest is for the batch that is under way then, and for saying so.
        let enough = Deadline::within(deadline.remaining() / 2);
        let mut connection = self.connection(matching.tenant, deadline).await?;
        let receipt = Receipt { documents: 0, chunks: 0, embeddings: 0 };
        let mut all = Deleted { deleted: receipt, complete: false };
        let mut after = 0_i64;
        loop {
            let (batch, last) = matching.batch(&connection, after).await?;
            let Some(end) = batch.last().copied() else {
                all.complete = true;
                break;
            };
            let busy = matching.delete(&mut connection, &batch, last, &mut all).await?;
            if all.complete {
                self.done(matching.tenant, connection);
                return Ok(all);
            }
            if enough.has_passed() {
                break;
            }
            match busy {
                // Whoever writes its chunks is waited for without the collection's lock: it needs that too.
                Some(document) => {
                    let wait = "SELECT 1 FROM documents WHERE tenant_id = $1 AND document_id = $2 FOR UPDATE";
                    connection.query(wait, &[&matching.tenant.0, &document]).await?;
                }
                None => after = end,
            }
        }
        commit(connection.transaction().await?, &all).await?;
        self.done(matching.tenant, connection);
        Ok(all)
    }
}

impl Matching {
    /// The first of them behind `after`, in the order of their ids, and whether there are no more.
    async fn batch(&self, connection: &Connection, after: i64) -> Result<(Vec<i64>, bool), StoreError> {
        let (condition, values) = self.condition();
        let sql = format!(
            "SELECT d.document_id, d.chunks FROM documents d WHERE {condition} AND d.document_id > $3::bigint \
             ORDER BY d.document_id LIMIT {BATCH}"
        );
        let rows = connection.query(&sql, &self.parameters(&after, &values)).await?;
        let mut chunks = 0;
        let fits = |row: &&Row| {
            let first = chunks == 0;
            chunks += i64::from(row.get::<_, i32>(1));
            first || chunks <= BATCH_CHUNKS
        };
        let batch: Vec<i64> = rows.iter().take_while(fits).map(|row| row.get(0)).collect();
        let last = rows.len() < BATCH && batch.len() == rows.len();
        Ok((batch, last))
    }

    /// Deletes those of a batch that still fulfil the filter and nobody is writing, in one transaction; returns one that
    /// somebody is writing. The last batch's transaction has the whole deletion's reply, if nobody is.
    async fn delete(
        &self,
        connection: &mut Connection,
        batch: &[i64],
        last: bool,
        all: &mut Deleted,
    ) -> Result<Option<i64>, StoreError> {
        let (tenant, collection) = (self.tenant.0, self.collection.0);
        let (condition, values) = self.condition();
        let parameters = self.parameters(&batch, &values);
        let find = format!(
            "SELECT d.document_id FROM documents d WHERE {condition} AND d.document_id = ANY ($3::bigint[])"
        );
        let transaction = connection.transaction().await?;
        lock_collection(&transaction, tenant, collection).await?;
        let ids = |rows: Vec<Row>| rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>();
        let free = format!("{find} FOR UPDATE OF d SKIP LOCKED");
        let free = ids(transaction.query(&free, &parameters).await?);
        if !free.is_empty() {
            let receipt = remove(&transaction, tenant, collection, &free).await?;
            all.deleted.documents += receipt.documents;
            all.deleted.chunks += receipt.chunks;
            all.deleted.embeddings += receipt.embeddings;
        }
        let busy = ids(transaction.query(&find, &parameters).await?).first().copied();
        all.complete = last && busy.is_none();
        if all.complete {
            commit(transaction, all).await?;
        } else {
            transaction.commit().await?;
        }
        Ok(busy)
    }
}
