//! Making a document searchable: chunks, embeddings, lexical index and statistics in one transaction.
//!
//! Writers of one collection take turns by a lock on its row, held for the few milliseconds in which statistics and
//! counters change; everything slow (parsing, embedding, writing a long document's chunks) is done before. Readers never
//! wait. Locks are taken in one order: the collection, the document, its task; while chunks are written, the document can be
//! changed and not deleted.

use super::chunking::Chunking;
use super::collections::Receipt;
use super::connection::Connection;
use super::error::StoreError;
use super::ids::{CollectionId, DocumentId};
use super::lexical::Changes;
use super::rows::{BATCH, entries, insert};
use super::space::{self, Space};
use super::tasks::Claim;
use super::{Store, only_row};
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use deadpool_postgres::Transaction;
use serde_json::Value;
use std::rc::Rc;
use std::sync::Arc;

/// A chunk with all that is stored of it.
#[derive(Debug, Clone)]
pub struct NewChunk {
    pub text: String,
    /// Bytes of the document's parsed text.
    pub span: (i32, i32),
    /// Of those, the bytes that were embedded and indexed, where the text is a window around them.
    pub matched: Option<(i32, i32)>,
    /// The page, slide or sheet it begins on, as JSON.
    pub place: Option<Value>,
    pub headings: Vec<String>,
    pub tokens: i32,
    /// Of the text that was embedded.
    pub content_hash: Vec<u8>,
    /// Distinct terms with their counts, and the length in terms.
    pub terms: Vec<(String, u32)>,
    pub length: u32,
    /// What was embedded.
    pub reads: String,
    /// One for each of the spaces it is published into.
    pub embeddings: Vec<Vec<f32>>,
}

impl NewChunk {
    /// What stands before the text in what was embedded; or all of it, where it is another text.
    pub(super) fn embedded(&self) -> (Option<&str>, Option<&str>) {
        let prefix = self.reads.strip_suffix(self.text.as_str());
        (prefix, prefix.is_none().then_some(self.reads.as_str()))
    }
}

/// Replaces a document's searchable content, atomically.
#[derive(Debug)]
pub struct PublishDocument {
    pub claim: Claim,
    pub collection: CollectionId,
    pub document: DocumentId,
    pub version: i32,
    pub title: String,
    /// The parsed text where it differs from the raw bytes.
    pub text: Option<String>,
    /// Shared with who repeats the call: a long document has a hundred thousand.
    pub chunks: Arc<Vec<NewChunk>>,
    /// What it had to do without.
    pub warnings: Vec<String>,
    /// The active one, and others that embeddings could be had for.
    pub spaces: Vec<Arc<Space>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    Done,
    /// A newer version, a lost lease or a cancelled job.
    Unwanted,
    /// Another space is active by now: embed for it and publish again.
    SpaceChanged,
}

impl Request for PublishDocument {
    type Reply = Result<Published, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

/// Writers of one collection take turns; inserting documents into it is not held up.
pub(super) async fn lock_collection(
    transaction: &Transaction<'_>,
    tenant: i64,
    collection: i64,
) -> Result<(), StoreError> {
    let sql = "SELECT 1 FROM collections WHERE tenant_id = $1 AND collection_id = $2 FOR NO KEY UPDATE";
    let statement = transaction.prepare_cached(sql).await?;
    only_row(&transaction.query(&statement, &[&tenant, &collection]).await?, "collection").map(drop)
}

/// Deletes documents' chunks with what hangs on them; `changes` learns of the terms. Returns what was deleted, with
/// `documents` the number of those that were searchable, and the length in terms.
pub(super) async fn withdraw(
    transaction: &Transaction<'_>,
    tenant: i64,
    documents: &[i64],
    changes: &mut Changes,
) -> Result<(Receipt, i64), StoreError> {
    let sql = "SELECT l.keys, l.length FROM chunks c JOIN lexical_chunks l USING (tenant_id, chunk_id) \
               WHERE c.tenant_id = $1 AND c.document_id = ANY ($2)";
    let statement = transaction.prepare_cached(sql).await?;
    let mut length = 0;
    for row in transaction.query(&statement, &[&tenant, &documents]).await? {
        changes.add(row.get::<_, Vec<i64>>(0), -1);
        length += i64::from(row.get::<_, i32>(1));
    }
    let sql = "WITH gone AS (DELETE FROM chunks WHERE tenant_id = $1 AND document_id = ANY ($2) RETURNING tenant_id, chunk_id) \
               SELECT count(*), (SELECT count(*) FROM embeddings e JOIN gone g USING (tenant_id, chunk_id)), \
               (SELECT count(*) FROM documents WHERE tenant_id = $1 AND document_id = ANY ($2) AND published_version IS NOT NULL) \
               FROM gone";
    let statement = transaction.prepare_cached(sql).await?;
    let row = transaction.query_one(&statement, &[&tenant, &documents]).await?;
    Ok((Receipt { documents: row.get(2), chunks: row.get(0), embeddings: row.get(1) }, length))
}

/// Adds to the collection's counters of searchable documents, chunks and terms, and raises its epoch.
pub(super) async fn count(
    transaction: &Transaction<'_>,
    tenant: i64,
    collection: i64,
    [documents, chunks, terms]: [i64; 3],
) -> Result<(), StoreError> {
    let sql = "UPDATE collections SET epoch = epoch + 1, documents = documents + $3, chunks = chunks + $4, \
               terms = terms + $5, updated_at = now() WHERE tenant_id = $1 AND collection_id = $2";
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, &[&tenant, &collection, &documents, &chunks, &terms]).await?;
    Ok(())
}

/// Whether the document is still to be cut as it was.
async fn is_cut_as_wanted(
    transaction: &Transaction<'_>,
    publish: &PublishDocument,
) -> Result<bool, StoreError> {
    let sql = "SELECT coalesce(d.max_tokens, c.max_tokens), coalesce(d.overlap_tokens, c.overlap_tokens), \
               c.chunk_strategy, c.window_sentences, c.chunk_context \
               FROM collections c LEFT JOIN documents d ON d.tenant_id = c.tenant_id AND d.document_id = $3 \
               WHERE c.tenant_id = $1 AND c.collection_id = $2";
    let statement = transaction.prepare_cached(sql).await?;
    let (tenant, collection) = (publish.claim.tenant.0, publish.collection.0);
    let row = transaction.query_one(&statement, &[&tenant, &collection, &publish.document.0]).await?;
    Ok(Chunking::read(&row, 0) == publish.claim.chunking)
}

/// Makes the task due again at once; the lease is gone.
async fn give_back(connection: &Connection, claim: &Claim) -> Result<(), StoreError> {
    let sql = "UPDATE tasks SET lease_owner = NULL, due_at = now(), attempts = greatest(attempts - 1, 0) \
               WHERE tenant_id = $1 AND task_id = $2 AND lease_owner = $3";
    let statement = connection.prepare_cached(sql).await?;
    let worker: &str = &claim.worker;
    connection.execute(&statement, &[&claim.tenant.0, &claim.task.0, &worker]).await?;
    Ok(())
}

/// Whether this version is not everyone's.
async fn is_restricted(transaction: &Transaction<'_>, publish: &PublishDocument) -> Result<bool, StoreError> {
    let sql = "SELECT acl <> '{}' FROM document_versions WHERE tenant_id = $1 AND document_id = $2 AND version = $3";
    let statement = transaction.prepare_cached(sql).await?;
    let (tenant, document) = (publish.claim.tenant.0, publish.document.0);
    let row = transaction.query_opt(&statement, &[&tenant, &document, &publish.version]).await?;
    Ok(row.is_none_or(|row| row.get(0)))
}

/// Whether this version is still the one to publish.
async fn is_current(
    transaction: &Transaction<'_>,
    publish: &PublishDocument,
    lock: &str,
) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT 1 FROM documents WHERE tenant_id = $1 AND document_id = $2 AND version = $3 AND status = 'running' {lock}"
    );
    let statement = transaction.prepare_cached(&sql).await?;
    let (tenant, document) = (publish.claim.tenant.0, publish.document.0);
    Ok(transaction.query_opt(&statement, &[&tenant, &document, &publish.version]).await?.is_some())
}

impl Serve<PublishDocument> for Store {
    async fn serve(
        self: Rc<Self>,
        publish: PublishDocument,
        deadline: Deadline,
    ) -> Result<Published, StoreError> {
        let tenant = publish.claim.tenant.0;
        let (collection, document) = (publish.collection.0, publish.document.0);
        let mut connection = self.connection(publish.claim.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        // Looked at before the work, without a lock, and again after it: newer versions need not wait for a long document.
        if !is_current(&transaction, &publish, "").await? {
            transaction.rollback().await?;
            self.done(publish.claim.tenant, connection);
            return Ok(Published::Unwanted);
        }
        let Some(into) = targets(&transaction, tenant, &publish).await? else {
            transaction.rollback().await?;
            self.done(publish.claim.tenant, connection);
            return Ok(Published::SpaceChanged);
        };
        let restricted = is_restricted(&transaction, &publish).await?;
        let mut changes = Changes::default();
        let (before, length_before) = withdraw(&transaction, tenant, &[document], &mut changes).await?;
        let chunks = i64::try_from(publish.chunks.len()).unwrap_or(i64::MAX);
        let mut length = 0;
        for (batch, given) in publish.chunks.chunks(BATCH).enumerate() {
            let start = batch * BATCH;
            let entries = entries(publish.collection, &publish.chunks, start).await?;
            for entry in &entries {
                length += i64::from(entry.length);
                changes.add(entry.keys.iter().copied(), 1);
            }
            let keys = [tenant, collection, document];
            insert(&transaction, keys, restricted, &into, start, given, &entries).await?;
        }
        lock_collection(&transaction, tenant, collection).await?;
        if !is_cut_as_wanted(&transaction, &publish).await? {
            transaction.rollback().await?;
            give_back(&connection, &publish.claim).await?;
            self.done(publish.claim.tenant, connection);
            return Ok(Published::Unwanted);
        }
        // A newer version, a lost lease or a cancelled job: this result is not wanted any more.
        let current = is_current(&transaction, &publish, "FOR NO KEY UPDATE").await?;
        let sql = "DELETE FROM tasks WHERE tenant_id = $1 AND task_id = $2 AND lease_owner = $3 AND document_id = $4";
        let end = transaction.prepare_cached(sql).await?;
        let Claim { task, worker, .. } = &publish.claim;
        if !current || transaction.execute(&end, &[&tenant, &task.0, &worker.as_ref(), &document]).await? == 0
        {
            transaction.rollback().await?;
            self.done(publish.claim.tenant, connection);
            return Ok(Published::Unwanted);
        }
        changes.apply(&transaction, tenant, collection).await?;
        let sql = "WITH v AS (UPDATE document_versions SET text = $4 WHERE tenant_id = $1 AND document_id = $2 \
                       AND version = $3 RETURNING *) \
                   UPDATE documents d SET status = 'ready', error = NULL, published_version = $3, chunks = $5::bigint::int, \
                       title = $6, uri = v.uri, media_type = v.media_type, attributes = v.attributes, acl = v.acl, \
                       warnings = $7, updated_at = now() FROM v WHERE d.tenant_id = $1 AND d.document_id = $2";
        let finish = transaction.prepare_cached(sql).await?;
        transaction
            .execute(
                &finish,
                &[
                    &tenant,
                    &document,
                    &publish.version,
                    &publish.text,
                    &chunks,
                    &publish.title,
                    &publish.warnings,
                ],
            )
            .await?;
        let sql = "DELETE FROM document_versions WHERE tenant_id = $1 AND document_id = $2 AND version < $3";
        let forget = transaction.prepare_cached(sql).await?;
        transaction.execute(&forget, &[&tenant, &document, &publish.version]).await?;
        let sql = "DELETE FROM staged_embeddings WHERE tenant_id = $1 AND document_id = $2";
        let unstage = transaction.prepare_cached(sql).await?;
        transaction.execute(&unstage, &[&tenant, &document]).await?;
        let counts = [1 - before.documents, chunks - before.chunks, length - length_before];
        count(&transaction, tenant, collection, counts).await?;
        transaction.commit().await?;
        self.done(publish.claim.tenant, connection);
        Ok(Published::Done)
    }
}

/// Which of the given spaces still take documents, by their place among the chunks' embeddings; none when the
/// active one is not among them. A space that gets no vector here is noted to be behind.
async fn targets(
    transaction: &Transaction<'_>,
    tenant: i64,
    publish: &PublishDocument,
) -> Result<Option<Vec<(usize, Arc<Space>)>>, StoreError> {
    if publish.chunks.is_empty() {
        return Ok(Some(Vec::new()));
    }
    space::lock_shared(transaction, tenant).await?;
    let known = space::all(transaction, tenant).await?;
    let has = |id| publish.spaces.iter().any(|given| given.id == id);
    if !known.iter().any(|space| space.is_active() && has(space.id)) {
        return Ok(None);
    }
    let left_out = known.iter().filter(|space| space.is_filled() && !space.behind && !has(space.id));
    let left_out: Vec<i64> = left_out.map(|space| space.id.0).collect();
    if !left_out.is_empty() {
        let sql = "UPDATE embedding_spaces SET behind = true WHERE tenant_id = $1 AND space_id = ANY ($2) AND NOT behind";
        let statement = transaction.prepare_cached(sql).await?;
        transaction.execute(&statement, &[&tenant, &left_out]).await?;
    }
    let takes = |id| known.iter().any(|space| space.id == id && space.is_filled());
    let into = publish.spaces.iter().enumerate().filter(|(_, space)| takes(space.id));
    Ok(Some(into.map(|(at, space)| (at, Arc::clone(space))).collect()))
}
