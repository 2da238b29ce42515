//! A copy is made: the collection page by page, then what changed since before the first of them.

use super::budget::{Held, displaced};
use super::convert;
use super::entry::Entry;
use super::follow::{Copy, Ended, FollowError, catch_up, take};
use super::{Key, MOST, Shared};
use crate::resilience::Deadline;
use crate::store::{Changes, Head, ReadChanges, ReadPage, Space, StoreHandle};
use mcp_rag_hot::Change;
use mcp_rag_hot::Collection;
use std::sync::Arc;
use std::time::Duration;

/// Of one page.
const PAGE: Duration = Duration::from_secs(30);
/// What a chunk takes at least, beside its vector: nothing is begun that cannot fit.
const LEAST_CHUNK: usize = 200;

/// The same space, searched without a break since.
pub(super) fn is_same(one: Option<&Arc<Space>>, other: Option<&Arc<Space>>) -> bool {
    let mark = |space: &Arc<Space>| (space.id, space.activated_at);
    one.map(mark) == other.map(mark)
}

/// Whether its vectors can be kept here.
fn is_kept(space: Option<&Arc<Space>>) -> bool {
    space.is_none_or(|space| convert::is_kept(space.spec.storage))
}

pub(super) fn dimensions(space: Option<&Arc<Space>>) -> Option<usize> {
    space.and_then(|space| usize::try_from(space.spec.dimensions).ok())
}

pub(super) async fn build(
    shared: &Shared,
    store: &StoreHandle,
    key: Key,
    rate: f64,
) -> Result<Entry, FollowError> {
    let (tenant, of) = key;
    let begin = ReadChanges { tenant, collection: of, since: None, after: None };
    let head = match store.call(begin, Deadline::within(PAGE)).await? {
        Changes::Since { head, .. } => head,
        Changes::Gone | Changes::Lost | Changes::Part { .. } => return Err(Ended::Gone.into()),
    };
    if !is_kept(head.space.as_ref()) {
        return Err(Ended::Precise.into());
    }
    let dimensions = dimensions(head.space.as_ref());
    let chunks = usize::try_from(head.chunks).unwrap_or(usize::MAX);
    let least = chunks.saturating_mul(LEAST_CHUNK + dimensions.unwrap_or(0) * 2);
    make_room(shared, least, rate)?;
    let collection = Arc::new(Collection::new(of.0, dimensions));
    let copy = Copy { key, collection: &collection, space: head.space.as_ref(), threads: shared.threads() };
    fill(shared, store, &copy, rate).await?;
    let Head { position, .. } = head.clone();
    let (head, _) = catch_up(store, &copy, position).await?;
    Ok(Entry::new(key, collection, head, None))
}

/// All of its documents; each page is fetched while the one before is taken in.
async fn fill(shared: &Shared, store: &StoreHandle, copy: &Copy<'_>, rate: f64) -> Result<(), FollowError> {
    let (tenant, collection) = copy.key;
    let page = |after| store.call(ReadPage { tenant, collection, after }, Deadline::within(PAGE));
    let mut next = Some(page(None).await?);
    while let Some(here) = next.take() {
        if !is_same(here.space.as_ref(), copy.space) {
            return Err(Ended::Space.into());
        }
        let weight: usize = here.documents.iter().map(convert::weight).sum();
        make_room(shared, copy.collection.memory_bytes() + weight, rate)?;
        let put = here.documents.into_iter().map(|one| Change::Put(Box::new(convert::document(one))));
        let taking = take(copy, put.collect());
        match here.next {
            Some(after) => {
                let (taken, fetched) = tokio::join!(taking, page(Some(after)));
                taken?;
                next = Some(fetched?);
            }
            None => taking.await?,
        }
    }
    Ok(())
}

/// Lets go of what is searched less, so that so much more fits.
pub(super) fn make_room(shared: &Shared, bytes: usize, rate: f64) -> Result<(), Ended> {
    let entries = shared.entries.load_full();
    let held: Vec<Held> = entries
        .values()
        .map(|entry| Held { key: entry.key, bytes: entry.bytes(), rate: entry.rate() })
        .collect();
    let gone = displaced(&held, bytes, shared.settings.memory_bytes, Some(rate)).ok_or(Ended::Memory)?;
    if entries.len() - gone.len() >= MOST {
        return Err(Ended::Memory);
    }
    for key in gone {
        shared.remove(key);
        metrics::counter!("mcp_rag_index_evictions_total").increment(1);
        tracing::info!(tenant = %key.0, collection = %key.1, "a copy gives way to one that is searched more");
    }
    Ok(())
}
