//! What changed in a collection since somebody looked last, with all that a search reads of it: for whoever keeps a copy
//! of what is searchable (`migrations/V32__changes.sql`).
//!
//! All statements of one look share a snapshot, so that what they give is the collection's state at one epoch. Who begins
//! reads the collection in pages first, and then what changed since before the first of them.

mod pages;

pub use pages::{Page, ReadDocuments, ReadPage, ReadStamps, Stamp};

use super::Store;
use super::connection::Connection;
use super::error::StoreError;
use super::ids::{ChunkId, CollectionId, DocumentId, TenantId};
use super::space::{self, Space};
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use deadpool_postgres::Transaction;
use serde_json::Value;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Row};

/// Documents of one look or page, unless more were changed; and of their chunks, unless the first alone has more.
const DOCUMENTS: usize = 1_000;
const CHUNKS: i64 = 4_000;

/// A look: what had been committed by then is in it, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The database and its timeline: elsewhere the snapshot means nothing.
    pub history: String,
    /// As PostgreSQL writes it: `10:20:10,14`.
    pub snapshot: String,
}

/// A document as a search may find it.
#[derive(Debug, Clone)]
pub struct FeedDocument {
    pub id: DocumentId,
    /// The one that is published.
    pub version: i32,
    pub external_id: String,
    pub title: String,
    pub uri: String,
    pub media_type: String,
    /// JSON as PostgreSQL writes it, as is `place` of chunks.
    pub attributes: String,
    pub acl: Vec<String>,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    pub expires_at: Option<OffsetDateTime>,
    /// In their order.
    pub chunks: Vec<FeedChunk>,
}

#[derive(Debug, Clone)]
pub struct FeedChunk {
    pub id: ChunkId,
    pub ordinal: i32,
    pub text: String,
    pub headings: Vec<String>,
    pub place: Option<String>,
    pub span: (i32, i32),
    pub matched: Option<(i32, i32)>,
    pub tokens: i32,
    /// In the space that is searched, as it is stored there.
    pub vector: Option<Vec<f32>>,
    /// Of its terms with their counts, and its length in terms.
    pub keys: Vec<i64>,
    pub length: i32,
}

/// A collection's state at one moment.
#[derive(Debug, Clone)]
pub struct Head {
    pub position: Position,
    pub epoch: i64,
    /// What the collection counts: a copy that holds something else is wrong.
    pub documents: i64,
    pub chunks: i64,
    pub terms: i64,
    /// The space that is searched.
    pub space: Option<Arc<Space>>,
}

#[derive(Debug)]
pub enum Changes {
    /// There is no such collection.
    Gone,
    /// What is needed was forgotten, or is of another history: begin anew.
    Lost,
    /// These documents are as follows; those of `changed` that are not among them cannot be found any more.
    Since { head: Head, changed: Vec<DocumentId>, documents: Vec<FeedDocument> },
    /// The same of some of them: no state of one moment. While there are more, they are read from the same position behind
    /// the last of these; then what changed since the position of the first part.
    Part { position: Position, changed: Vec<DocumentId>, documents: Vec<FeedDocument>, more: bool },
}

/// What changed since a look; without one, where the collection stands.
#[derive(Debug, Clone)]
pub struct ReadChanges {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub since: Option<Position>,
    /// Of what changed since then, only documents behind this one: the rest of a [`Changes::Part`].
    pub after: Option<DocumentId>,
}

impl Request for ReadChanges {
    type Reply = Result<Changes, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

const HEAD: &str = "SELECT epoch, documents, chunks, terms, change_history(), pg_current_snapshot()::text, \
    EXISTS (SELECT FROM change_floors f WHERE f.tenant_id = c.tenant_id AND f.collection_id = c.collection_id \
        AND f.xid >= pg_snapshot_xmin($3::text::pg_snapshot) AND f.xid < pg_snapshot_xmax(pg_current_snapshot())) \
    FROM collections c WHERE tenant_id = $1 AND collection_id = $2";

const CHANGED: &str = "SELECT d.document_id, coalesce(o.chunks, 0)::bigint FROM ( \
        SELECT DISTINCT document_id FROM changes WHERE tenant_id = $1 AND collection_id = $2 \
        AND xid >= pg_snapshot_xmin($3::text::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, $3::text::pg_snapshot) \
        AND document_id > $4 ORDER BY document_id LIMIT $5) d \
    LEFT JOIN documents o ON o.tenant_id = $1 AND o.document_id = d.document_id ORDER BY d.document_id";

impl Serve<ReadChanges> for Store {
    async fn serve(self: Rc<Self>, read: ReadChanges, deadline: Deadline) -> Result<Changes, StoreError> {
        let mut connection = self.looking(read.tenant, deadline).await?;
        let transaction = connection.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let transaction = transaction.read_only(true).start().await?;
        let changes = changes(&transaction, &read).await?;
        transaction.commit().await?;
        connection.hand_back();
        Ok(changes)
    }
}

impl Store {
    /// The writer, to look at all that is committed: nothing is written by this.
    async fn looking(&self, tenant: TenantId, deadline: Deadline) -> Result<Connection, StoreError> {
        let connection = self.servers().writer.connection(deadline).await?;
        connection.bind(tenant, deadline).await?;
        Ok(connection)
    }
}

async fn changes(transaction: &Transaction<'_>, read: &ReadChanges) -> Result<Changes, StoreError> {
    let (tenant, collection) = (read.tenant.0, read.collection.0);
    let since = read.since.as_ref().map(|since| since.snapshot.as_str());
    let statement = transaction.prepare_cached(HEAD).await?;
    let Some(row) = transaction.query_opt(&statement, &[&tenant, &collection, &since]).await? else {
        return Ok(Changes::Gone);
    };
    let position = Position { history: row.get(4), snapshot: row.get(5) };
    let space = space::all(transaction, tenant).await?.into_iter().find(Space::is_active).map(Arc::new);
    let head = Head {
        position,
        epoch: row.get(0),
        documents: row.get(1),
        chunks: row.get(2),
        terms: row.get(3),
        space,
    };
    let Some(since) = &read.since else {
        return Ok(Changes::Since { head, changed: Vec::new(), documents: Vec::new() });
    };
    if row.get(6) || since.history != head.position.history {
        return Ok(Changes::Lost);
    }
    let statement = transaction.prepare_cached(CHANGED).await?;
    let (after, most) = (read.after.map_or(0, |after| after.0), i64::try_from(DOCUMENTS).unwrap_or(i64::MAX));
    let parameters: [&(dyn ToSql + Sync); 5] = [&tenant, &collection, &since.snapshot, &after, &most];
    let rows = transaction.query(&statement, &parameters).await?;
    let changed = fitting(&rows);
    let whole = rows.len() < DOCUMENTS && changed.len() == rows.len();
    let documents = documents(transaction, tenant, head.space.as_deref(), &changed).await?;
    let changed = changed.into_iter().map(DocumentId).collect();
    // What an earlier part gave may have changed since.
    Ok(if whole && read.after.is_none() {
        Changes::Since { head, changed, documents }
    } else {
        Changes::Part { position: head.position, changed, documents, more: !whole }
    })
}

/// Ids of rows in which a count of chunks follows, as many as are read at a time.
fn fitting(rows: &[Row]) -> Vec<i64> {
    let mut chunks = 0;
    let fits = |row: &&Row| {
        let first = chunks == 0;
        chunks += row.get::<_, i64>(1).max(1);
        first || chunks <= CHUNKS
    };
    rows.iter().take_while(fits).map(|row| row.get(0)).collect()
}

const DOCUMENT: &str = "SELECT document_id, external_id, title, uri, media_type, attributes::text, acl, created_at, \
    updated_at, expires_at, published_version FROM documents WHERE tenant_id = $1 AND document_id = ANY ($2) AND published_version IS NOT NULL \
    ORDER BY document_id";

/// Those of them that can be found, with their chunks.
async fn documents(
    transaction: &Transaction<'_>,
    tenant: i64,
    space: Option<&Space>,
    ids: &[i64],
) -> Result<Vec<FeedDocument>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let statement = transaction.prepare_cached(DOCUMENT).await?;
    let rows = transaction.query(&statement, &[&tenant, &ids]).await?;
    let mut documents: Vec<FeedDocument> = rows.iter().map(document).collect();
    let places: HashMap<i64, usize> =
        documents.iter().enumerate().map(|(at, document)| (document.id.0, at)).collect();
    let storage = space.map(|space| space.spec.storage).unwrap_or_default();
    let sql = format!(
        "SELECT c.document_id, c.chunk_id, c.text, c.headings, c.place::text, c.span_start, c.span_end, c.match_start, \
             c.match_end, c.tokens, l.keys, l.length, e.{}, c.ordinal FROM chunks c \
         LEFT JOIN lexical_chunks l ON l.tenant_id = c.tenant_id AND l.chunk_id = c.chunk_id \
         LEFT JOIN embeddings e ON e.tenant_id = c.tenant_id AND e.chunk_id = c.chunk_id AND e.space_id = $3 \
         WHERE c.tenant_id = $1 AND c.document_id = ANY ($2) ORDER BY c.document_id, c.ordinal",
        storage.column()
    );
    let statement = transaction.prepare_cached(&sql).await?;
    let space = space.map_or(0, |space| space.id.0);
    for row in transaction.query(&statement, &[&tenant, &ids, &space]).await? {
        let Some(at) = places.get(&row.get::<_, i64>(0)) else { continue };
        let headings: Value = row.get(3);
        let headings = headings.as_array().into_iter().flatten();
        documents[*at].chunks.push(FeedChunk {
            id: ChunkId(row.get(1)),
            text: row.get(2),
            headings: headings.filter_map(|one| one.as_str().map(str::to_owned)).collect(),
            place: row.get(4),
            span: (row.get(5), row.get(6)),
            matched: row.get::<_, Option<i32>>(7).zip(row.get(8)),
            tokens: row.get(9),
            keys: row.get::<_, Option<_>>(10).unwrap_or_default(),
            length: row.get::<_, Option<_>>(11).unwrap_or_default(),
            vector: storage.read(&row, 12),
            ordinal: row.get(13),
        });
    }
    Ok(documents)
}

fn document(row: &Row) -> FeedDocument {
    FeedDocument {
        id: DocumentId(row.get(0)),
        external_id: row.get(1),
        title: row.get(2),
        uri: row.get(3),
        media_type: row.get(4),
        attributes: row.get(5),
        acl: row.get(6),
        created_at: row.get(7),
        updated_at: row.get(8),
        expires_at: row.get(9),
        version: row.get(10),
        chunks: Vec::new(),
    }
}

/// Which of some collections have changed since a look, or are gone: one question for all of a tenant's.
#[derive(Debug, Clone)]
pub struct FindChanged {
    pub tenant: TenantId,
    pub looks: Vec<(CollectionId, Position)>,
}

impl Request for FindChanged {
    type Reply = Result<Vec<CollectionId>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// A change of the space that is searched, or of the history, changes all.
const STIRRED: &str = "SELECT looked.id FROM unnest($2::bigint[], $3::text[], $4::text[]) AS looked(id, snapshot, history) \
    WHERE looked.history <> change_history() \
       OR NOT EXISTS (SELECT FROM collections c WHERE c.tenant_id = $1 AND c.collection_id = looked.id) \
       OR EXISTS (SELECT FROM changes h WHERE h.tenant_id = $1 AND h.collection_id = looked.id \
           AND h.xid >= pg_snapshot_xmin(looked.snapshot::pg_snapshot) \
           AND NOT pg_visible_in_snapshot(h.xid, looked.snapshot::pg_snapshot))";

impl Serve<FindChanged> for Store {
    async fn serve(
        self: Rc<Self>,
        find: FindChanged,
        deadline: Deadline,
    ) -> Result<Vec<CollectionId>, StoreError> {
        let ids: Vec<i64> = find.looks.iter().map(|(id, _)| id.0).collect();
        let snapshots: Vec<&str> = find.looks.iter().map(|(_, look)| look.snapshot.as_str()).collect();
        let histories: Vec<&str> = find.looks.iter().map(|(_, look)| look.history.as_str()).collect();
        let parameters: [&(dyn ToSql + Sync); 4] = [&find.tenant.0, &ids, &snapshots, &histories];
        let connection = self.looking(find.tenant, deadline).await?;
        let statement = connection.prepare_cached(STIRRED).await?;
        let rows = connection.query(&statement, &parameters).await?;
        connection.hand_back();
        Ok(rows.iter().map(|row| CollectionId(row.get(0))).collect())
    }
}

/// Forgets changes that are older, and of the others all but so many.
#[derive(Debug)]
pub struct SweepChanges {
    pub older_than: Duration,
    pub most: i64,
    /// At a time.
    pub batch: i32,
}

impl Request for SweepChanges {
    /// How many.
    type Reply = Result<i64, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<SweepChanges> for Store {
    async fn serve(self: Rc<Self>, sweep: SweepChanges, deadline: Deadline) -> Result<i64, StoreError> {
        let connection = self.connection(TenantId(0), deadline).await?;
        let statement =
            connection.prepare_cached("SELECT sweep_changes(make_interval(secs => $1), $2, $3)").await?;
        let seconds = sweep.older_than.as_secs_f64();
        let row = connection.query_one(&statement, &[&seconds, &sweep.most, &sweep.batch]).await?;
        connection.hand_back();
        Ok(row.get(0))
    }
}
