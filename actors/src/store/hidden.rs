//! What exists and a caller may not see: how much to leave out of what is counted, and which names it may not write.

use super::Store;
use super::error::StoreError;
use super::ids::{CollectionId, TenantId};
use super::read::Sees;
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use deadpool_postgres::Transaction;
use std::collections::HashMap;
use std::rc::Rc;

const COUNTS: &str = "SELECT collection, documents, chunks FROM hidden_counts($1)";

/// How many searchable documents and chunks of these collections the caller may not see.
#[derive(Debug, Clone)]
pub struct HiddenCounts {
    pub tenant: TenantId,
    pub collections: Vec<CollectionId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hidden {
    pub documents: i64,
    pub chunks: i64,
}

impl Request for HiddenCounts {
    /// Of each collection that has some.
    type Reply = Result<HashMap<CollectionId, Hidden>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<HiddenCounts> for Store {
    async fn serve(
        self: Rc<Self>,
        count: HiddenCounts,
        deadline: Deadline,
    ) -> Result<HashMap<CollectionId, Hidden>, StoreError> {
        let of: Vec<i64> = count.collections.iter().map(|collection| collection.0).collect();
        let rows = self.read(count.tenant, Sees::OwnWrites, COUNTS, &[&of], deadline).await?;
        let hidden = |row: &tokio_postgres::Row| Hidden { documents: row.get(1), chunks: row.get(2) };
        Ok(rows.iter().map(|row| (CollectionId(row.get(0)), hidden(row))).collect())
    }
}

/// Which of these names are taken by documents that the caller may not see.
#[derive(Debug, Clone)]
pub struct HiddenNames {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub names: Vec<String>,
}

impl Request for HiddenNames {
    type Reply = Result<Vec<String>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<HiddenNames> for Store {
    async fn serve(self: Rc<Self>, find: HiddenNames, deadline: Deadline) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT name FROM hidden_names($1, $2)";
        let rows =
            self.read(find.tenant, Sees::Newest, sql, &[&find.collection.0, &find.names], deadline).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

/// # Errors
/// [`StoreError::Hidden`] where the collection has documents that the caller may not see.
pub(super) async fn none(transaction: &Transaction<'_>, of: CollectionId) -> Result<(), StoreError> {
    // Those that wait count too, so it is asked whether there is a row at all.
    let statement = transaction.prepare_cached(COUNTS).await?;
    if transaction.query(&statement, &[&vec![of.0]]).await?.is_empty() {
        return Ok(());
    }
    Err(StoreError::Hidden("the collection has documents that are not for this credential"))
}
