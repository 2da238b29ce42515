//! What ends by itself: expired documents and files are deleted, kept answers of idempotent requests forgotten.
//!
//! One worker of all does it at a time, under a lease; searches leave out what has expired whether or not anybody
//! sweeps. Bounded batches, so that neither a collection's lock nor the writer is held for long.

use super::worker::STEP;
use crate::error::Error;
use crate::rag::Rag;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{
    Expire, ListExpired, SweepChanges, SweepEntries, SweepFiles, SweepKeys, TakeLease,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(1);
/// A sweeper that was lost is succeeded after this.
const LEASE: Duration = Duration::from_secs(5);
/// Documents in one transaction, at most.
const BATCH: i32 = 200;
const KEYS_EVERY: Duration = Duration::from_secs(60);
const KEYS: i32 = 5000;
/// How far back the change feed goes: whoever keeps a copy and was away for longer begins anew.
const CHANGES_KEPT: Duration = Duration::from_secs(3600);
const MOST_CHANGES: i64 = 1_000_000;

/// # Cancel safety
/// Dropped at any point, a batch is deleted as a whole or not at all.
pub(super) async fn sweep(rag: &Rag, owner: &Arc<str>) {
    let mut keys_due = Instant::now();
    loop {
        match once(rag, owner, &mut keys_due).await {
            Ok(true) => {} // there may be more
            Ok(false) => tokio::time::sleep(EVERY).await,
            Err(error) => {
                tracing::debug!(code = error.code.as_str(), "nothing can be swept for now");
                tokio::time::sleep(EVERY).await;
            }
        }
    }
}

/// One round; whether the next one should follow at once.
async fn once(rag: &Rag, owner: &Arc<str>, keys_due: &mut Instant) -> Result<bool, Error> {
    let lease = TakeLease { name: "sweep", owner: Arc::clone(owner), span: LEASE };
    if !rag.all.call(lease, Deadline::within(LEASE)).await? {
        return Ok(false);
    }
    if Instant::now() >= *keys_due {
        let forgotten = rag.all.call(SweepKeys { most: KEYS }, Deadline::within(STEP)).await?;
        let kept = Duration::from_secs(u64::from(rag.settings().audit.retention_days) * 24 * 3600);
        if !kept.is_zero() {
            rag.all.call(SweepEntries { kept, most: KEYS }, Deadline::within(STEP)).await?;
        }
        let changes = SweepChanges { older_than: CHANGES_KEPT, most: MOST_CHANGES, batch: KEYS };
        let forgotten = forgotten.max(rag.all.call(changes, Deadline::within(STEP)).await?);
        if forgotten < i64::from(KEYS) {
            *keys_due = Instant::now() + KEYS_EVERY;
        }
    }
    // What this lets expire is found below.
    let swept = rag.all.call(SweepFiles { most: BATCH }, Deadline::within(STEP)).await?;
    let expired = rag.all.call(ListExpired { most: BATCH }, Deadline::within(STEP)).await?;
    let found: usize = expired.iter().map(|one| one.documents.len()).sum();
    for one in expired {
        let (tenant, collection) = (one.tenant, one.collection);
        let receipt = match rag.all.call(Expire(one), Deadline::within(STEP)).await {
            Err(error) if !Error::from(error.clone()).is_temporary() => continue, // deleted with its collection
            receipt => receipt?,
        };
        rag.catalog.forget();
        metrics::counter!("mcp_rag_expired_documents_total").increment(receipt.documents.unsigned_abs());
        let (documents, chunks, embeddings) = (receipt.documents, receipt.chunks, receipt.embeddings);
        tracing::info!(%tenant, %collection, documents, chunks, embeddings, "expired documents deleted");
    }
    Ok(found >= usize::try_from(BATCH).unwrap_or(usize::MAX) || swept >= i64::from(BATCH))
}
