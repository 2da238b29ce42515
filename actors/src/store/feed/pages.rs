//! A collection's documents as they are now, for whoever begins a copy of it, or compares one: a page at a time, by their
//! stamps, or some of them.

use super::{DOCUMENTS, FeedDocument, documents, fitting};
use crate::resilience::Deadline;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::ids::{CollectionId, DocumentId, TenantId};
use crate::store::space::{self, Space};
use crate::supervise::{Priority, Request, Serve};
use std::rc::Rc;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Row};

/// The next documents of a collection that can be found, in the order of their names.
#[derive(Debug, Clone)]
pub struct ReadPage {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub after: Option<String>,
}

/// Some documents, and where to go on; nowhere at the end.
#[derive(Debug)]
pub struct Page {
    pub documents: Vec<FeedDocument>,
    pub next: Option<String>,
    /// The space that their vectors are of.
    pub space: Option<Arc<Space>>,
}

impl Request for ReadPage {
    type Reply = Result<Page, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

const PAGE: &str = "SELECT document_id, chunks::bigint, external_id FROM documents \
    WHERE tenant_id = $1 AND collection_id = $2 AND external_id > $3 AND published_version IS NOT NULL \
    ORDER BY external_id LIMIT $4";

impl Serve<ReadPage> for Store {
    async fn serve(self: Rc<Self>, read: ReadPage, deadline: Deadline) -> Result<Page, StoreError> {
        let mut connection = self.looking(read.tenant, deadline).await?;
        let transaction = connection.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let transaction = transaction.read_only(true).start().await?;
        let space = space::all(&transaction, read.tenant.0).await?.into_iter().find(Space::is_active);
        let statement = transaction.prepare_cached(PAGE).await?;
        let after = read.after.as_deref().unwrap_or_default();
        let most = i64::try_from(DOCUMENTS).unwrap_or(i64::MAX);
        let parameters: [&(dyn ToSql + Sync); 4] = [&read.tenant.0, &read.collection.0, &after, &most];
        let rows = transaction.query(&statement, &parameters).await?;
        let ids = fitting(&rows);
        let last = rows.get(ids.len().saturating_sub(1)).map(|row| row.get(2));
        let next = last.filter(|_| ids.len() == DOCUMENTS || ids.len() < rows.len());
        let documents = documents(&transaction, read.tenant.0, space.as_ref(), &ids).await?;
        transaction.commit().await?;
        connection.hand_back();
        Ok(Page { documents, next, space: space.map(Arc::new) })
    }
}

/// Which version of a document it is, so that two can be told apart without their texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub document: DocumentId,
    pub version: i32,
    pub updated_at: OffsetDateTime,
    pub expires_at: Option<OffsetDateTime>,
}

/// The next documents that can be found, in the order of their ids, by their stamps alone; none at the end.
#[derive(Debug, Clone)]
pub struct ReadStamps {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub after: DocumentId,
}

impl Request for ReadStamps {
    type Reply = Result<Vec<Stamp>, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// By the primary key: ids of one collection lie close together.
const STAMPS: &str = "SELECT document_id, published_version, updated_at, expires_at FROM documents \
    WHERE tenant_id = $1 AND collection_id = $2 AND document_id > $3 AND published_version IS NOT NULL \
    ORDER BY document_id LIMIT 10000";

impl Serve<ReadStamps> for Store {
    async fn serve(self: Rc<Self>, read: ReadStamps, deadline: Deadline) -> Result<Vec<Stamp>, StoreError> {
        let connection = self.looking(read.tenant, deadline).await?;
        let statement = connection.prepare_cached(STAMPS).await?;
        let parameters: [&(dyn ToSql + Sync); 3] = [&read.tenant.0, &read.collection.0, &read.after.0];
        let rows = connection.query(&statement, &parameters).await?;
        connection.hand_back();
        let stamp = |row: &Row| Stamp {
            document: DocumentId(row.get(0)),
            version: row.get(1),
            updated_at: row.get(2),
            expires_at: row.get(3),
        };
        Ok(rows.iter().map(stamp).collect())
    }
}

/// Some documents as they are now; those that cannot be found are left out.
#[derive(Debug, Clone)]
pub struct ReadDocuments {
    pub tenant: TenantId,
    pub documents: Vec<DocumentId>,
}

impl Request for ReadDocuments {
    type Reply = Result<Page, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<ReadDocuments> for Store {
    async fn serve(self: Rc<Self>, read: ReadDocuments, deadline: Deadline) -> Result<Page, StoreError> {
        let mut connection = self.looking(read.tenant, deadline).await?;
        let transaction = connection.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let transaction = transaction.read_only(true).start().await?;
        let space = space::all(&transaction, read.tenant.0).await?.into_iter().find(Space::is_active);
        let ids: Vec<i64> = read.documents.iter().map(|document| document.0).collect();
        let documents = documents(&transaction, read.tenant.0, space.as_ref(), &ids).await?;
        transaction.commit().await?;
        connection.hand_back();
        Ok(Page { documents, next: None, space: space.map(Arc::new) })
    }
}
