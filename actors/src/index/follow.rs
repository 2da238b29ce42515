//! A copy is brought to the present by the feed.

use super::convert;
use super::{Key, build};
use crate::resilience::Deadline;
use crate::store::{
    Changes, DocumentId, Head, Position, ReadChanges, ReadDocuments, ReadStamps, Space, Stamp, StoreError,
    StoreHandle,
};
use mcp_rag_hot::{Change, Collection, HotError};
use std::sync::Arc;
use std::time::Duration;

/// Of one look.
const LOOK: Duration = Duration::from_secs(10);
/// Documents that differ, at a time.
const AT_ONCE: usize = 200;

/// Why a copy is not to be used any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the collection is gone")]
    Gone,
    #[error("another embedding space is searched now")]
    Space,
    #[error("the space that is searched has vectors of full precision, which are not kept in memory")]
    Precise,
    /// A fault of ours.
    #[error("it holds {held:?} documents, chunks and terms where the collection has {wanted:?}")]
    Differs { held: [i64; 3], wanted: [i64; 3] },
    #[error(transparent)]
    Hot(#[from] HotError),
    #[error("more memory would be needed than index.memory_bytes leaves")]
    Memory,
}

impl Ended {
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Space | Self::Precise => "space",
            Self::Differs { .. } => "differs",
            Self::Hot(_) => "damaged",
            Self::Memory => "memory",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    /// The copy is as good as it was.
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Ended(#[from] Ended),
}

impl From<HotError> for FollowError {
    fn from(error: HotError) -> Self {
        Self::Ended(error.into())
    }
}

/// What is followed: a copy that is here, or one that is being made.
pub(super) struct Copy<'a> {
    pub(super) key: Key,
    pub(super) collection: &'a Arc<Collection>,
    pub(super) space: Option<&'a Arc<Space>>,
    pub(super) threads: usize,
}

/// Takes in all that changed since `position`: afterwards the copy is its collection at the head that is returned.
/// Broken off at any point, it can be begun again from the same position.
pub(super) async fn catch_up(
    store: &StoreHandle,
    copy: &Copy<'_>,
    mut position: Position,
) -> Result<(Head, usize), FollowError> {
    let (tenant, collection) = copy.key;
    let (mut first, mut after, mut taken) = (None, None, 0);
    loop {
        let read = ReadChanges { tenant, collection, since: Some(position.clone()), after };
        match store.call(read, Deadline::within(LOOK)).await? {
            Changes::Gone => return Err(Ended::Gone.into()),
            Changes::Lost => position = reconcile(store, copy).await?,
            Changes::Part { position: seen, changed, documents, more } => {
                after = changed.last().copied().filter(|_| more);
                taken += changed.len();
                take(copy, convert::changes(&changed, documents)).await?;
                let first = first.get_or_insert(seen);
                if !more {
                    position = first.clone();
                }
            }
            Changes::Since { head, changed, documents } => {
                if !build::is_same(head.space.as_ref(), copy.space) {
                    return Err(Ended::Space.into());
                }
                taken += changed.len();
                take(copy, convert::changes(&changed, documents)).await?;
                check(copy.collection, &head)?;
                return Ok((head, taken));
            }
        }
    }
}

/// Of another history than before, or away for too long: the copy's documents are compared with those that there are, and those
/// that differ are read again. Returns where the feed goes on.
async fn reconcile(store: &StoreHandle, copy: &Copy<'_>) -> Result<Position, FollowError> {
    let (tenant, collection) = copy.key;
    metrics::counter!("mcp_rag_index_reconciliations_total").increment(1);
    let begin = ReadChanges { tenant, collection, since: None, after: None };
    let position = match store.call(begin, Deadline::within(LOOK)).await? {
        Changes::Since { head, .. } => head.position,
        Changes::Gone | Changes::Lost | Changes::Part { .. } => return Err(Ended::Gone.into()),
    };
    let mut held = copy.collection.stamps();
    let mut after = DocumentId(0);
    loop {
        let read = ReadStamps { tenant, collection, after };
        let stamps = store.call(read, Deadline::within(LOOK)).await?;
        let Some(last) = stamps.last() else { break };
        after = last.document;
        let differs = |stamp: &&Stamp| held.remove(&stamp.document.0) != Some(convert::stamp(stamp));
        let differing: Vec<DocumentId> = stamps.iter().filter(differs).map(|stamp| stamp.document).collect();
        for documents in differing.chunks(AT_ONCE) {
            let read = ReadDocuments { tenant, documents: documents.to_vec() };
            let page = store.call(read, Deadline::within(LOOK)).await?;
            if !build::is_same(page.space.as_ref(), copy.space) {
                return Err(Ended::Space.into());
            }
            take(copy, convert::changes(documents, page.documents)).await?;
        }
    }
    take(copy, held.into_keys().map(Change::Delete).collect()).await?;
    Ok(position)
}

/// On a thread that may be kept busy.
pub(super) async fn take(copy: &Copy<'_>, changes: Vec<Change>) -> Result<(), HotError> {
    if changes.is_empty() {
        return Ok(());
    }
    let collection = Arc::clone(copy.collection);
    let threads = copy.threads;
    let work = move || collection.apply_all(&changes, threads);
    match tokio::task::spawn_blocking(work).await {
        Ok(taken) => taken,
        Err(error) => match error.try_into_panic() {
            // A panic here ends the incarnation, as one anywhere else in it does.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(HotError::Damaged),
        },
    }
}

fn check(collection: &Collection, head: &Head) -> Result<(), Ended> {
    let (documents, chunks, terms) = collection.totals();
    let held = [i64::try_from(documents).unwrap_or(i64::MAX), chunks, terms];
    let wanted = [head.documents, head.chunks, head.terms];
    if held == wanted { Ok(()) } else { Err(Ended::Differs { held, wanted }) }
}
