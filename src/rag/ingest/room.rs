//! Room for long documents, so that what a worker holds in memory has a bound.
//!
//! * Short documents are let in at once: `ingest.concurrency` of them are bounded by that.
//! * Long ones share `ingest.long_text_bytes`, first come, first served; one beyond all of it is worked on alone.
//! * Overload: those that wait keep a few of the worker's places and no more, so that short documents go on beside
//!   them; the rest goes back to the queue for a while.
//! * Cancel safety: a place that is dropped, waited for or held, is free.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Shorter documents need no room.
pub(super) const LONG: usize = 1 << 20;
/// Room is counted in these.
const UNIT: usize = 1 << 10;

/// See the module.
pub struct Room {
    units: Semaphore,
    total: u32,
    waiting: Semaphore,
}

/// A place held while a document is worked on.
pub(super) struct Place<'a> {
    _units: Option<SemaphorePermit<'a>>,
}

impl Room {
    /// Room for so many bytes of text, for a worker that has so many documents under way.
    #[must_use]
    pub fn new(bytes: usize, concurrency: usize) -> Self {
        let total = u32::try_from((bytes / UNIT).max(1)).unwrap_or(u32::MAX >> 3);
        Self {
            units: Semaphore::new(total as usize),
            total,
            waiting: Semaphore::new((concurrency / 4).max(1)),
        }
    }

    /// A place for a document of this length; none when too many wait already.
    pub(super) async fn enter(&self, bytes: usize) -> Option<Place<'_>> {
        if bytes <= LONG {
            return Some(Place { _units: None });
        }
        let wanted = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.total);
        if let Ok(units) = self.units.try_acquire_many(wanted) {
            return Some(Place { _units: Some(units) });
        }
        let _waiting = self.waiting.try_acquire().ok()?;
        Some(Place { _units: Some(self.units.acquire_many(wanted).await.ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn long_documents_share_the_room_and_few_of_them_wait_for_it() {
        let room = Room::new(4 * LONG, 8);
        let first = room.enter(3 * LONG).now_or_never().flatten();
        assert!(first.is_some());
        let mut waits: Vec<_> = (0..2).map(|_| Box::pin(room.enter(100 * LONG))).collect();
        assert!(waits.iter_mut().all(|wait| wait.as_mut().now_or_never().is_none()));
        let refused = room.enter(100 * LONG).now_or_never();
        assert!(refused.is_some_and(|place| place.is_none()), "two of eight places wait, not more");
        assert!(room.enter(LONG).now_or_never().flatten().is_some(), "short ones go on");
        drop(first);
        let second = waits.remove(0).now_or_never().flatten();
        assert!(second.is_some(), "what is longer than all the room has it for itself");
        assert!(room.enter(2 * LONG).now_or_never().is_none(), "and nobody else");
    }
}
