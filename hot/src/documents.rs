//! The documents of a collection and whose slot is whose.
//!
//! A chunk has a slot from when it is staged until it is released; it is *visible* while a document shows it. Searches
//! find what is visible, and a document shows all of its chunks at once.

mod body;
mod kept;
mod record;

use crate::Bitmap;
use crate::filter::Scalar;
pub(crate) use body::Body;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
pub(crate) use record::Record;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Of a slot that no document shows.
const NOBODY: u32 = u32::MAX;
/// So many of the free slots, those released last, are not taken yet: the vectors' graph still leads through the
/// last few that were removed, and to take those out of it one by one is dear.
const RESTING: usize = 512;
/// Bytes of the dictionary: LZ4 looks back twice as far, and larger ones save little more.
const DICTIONARY: usize = 32 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Documents {
    records: Vec<Option<Record>>,
    free: Vec<u32>,
    by_id: HashMap<i64, u32>,
    /// By external id, which the records hold.
    by_name: HashTable<u32>,
    hasher: DefaultHashBuilder,
    slots: Slots,
    /// What bodies are compressed with; empty until there was enough text to make it of, which is gathered.
    dictionary: Arc<[u8]>,
    gathered: Vec<u8>,
}

#[derive(Debug, Default)]
struct Slots {
    /// By slot: the chunk's id, its document's record, and its place in it.
    chunks: Vec<i64>,
    owners: Vec<u32>,
    places: Vec<u32>,
    /// The one that was released first comes first.
    free: VecDeque<u32>,
    visible: Bitmap,
}

impl Documents {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn visible(&self) -> &Bitmap {
        &self.slots.visible
    }

    /// How many slots there are, in use or not.
    pub(crate) fn slots(&self) -> usize {
        self.slots.chunks.len()
    }

    /// The id of each slot's chunk.
    pub(crate) fn chunks(&self) -> &[i64] {
        &self.slots.chunks
    }

    pub(crate) fn dictionary(&self) -> &Arc<[u8]> {
        &self.dictionary
    }

    /// Text that the dictionary may be made of.
    pub(crate) fn gather(&mut self, text: &str) {
        if !self.dictionary.is_empty() {
            return;
        }
        self.gathered.extend_from_slice(text.as_bytes());
        if self.gathered.len() >= DICTIONARY {
            self.gathered.truncate(DICTIONARY);
            self.dictionary = std::mem::take(&mut self.gathered).into();
        }
    }

    /// Slots for chunks with these ids, ascending; not visible yet.
    pub(crate) fn stage(&mut self, chunks: &[i64]) -> Box<[u32]> {
        let slots = &mut self.slots;
        let reused = chunks.len().min(slots.free.len().saturating_sub(RESTING));
        let reused: Vec<u32> = slots.free.drain(..reused).collect();
        let new = slots.chunks.len()..slots.chunks.len() + chunks.len() - reused.len();
        let mut staged: Vec<u32> =
            reused.into_iter().chain(new.filter_map(|slot| u32::try_from(slot).ok())).collect();
        staged.sort_unstable();
        let room = slots.chunks.len().max(staged.last().map_or(0, |last| *last as usize + 1));
        self.make_room(room);
        self.name(&staged, chunks);
        staged.into()
    }

    fn make_room(&mut self, slots: usize) {
        self.slots.chunks.resize(slots, 0);
        self.slots.owners.resize(slots, NOBODY);
        self.slots.places.resize(slots, 0);
    }

    /// Says whose the slots of one document are.
    fn name(&mut self, slots: &[u32], chunks: &[i64]) {
        for ((slot, chunk), place) in slots.iter().zip(chunks).zip(0..) {
            self.slots.chunks[*slot as usize] = *chunk;
            self.slots.places[*slot as usize] = place;
        }
    }

    /// Slots that are no longer visible, for others.
    pub(crate) fn release(&mut self, slots: &[u32]) {
        self.slots.free.extend(slots);
    }

    /// Shows a document in place of what there was of it, which is returned.
    pub(crate) fn show(&mut self, record: Record) -> Option<Record> {
        let before = self.hide(record.id);
        let free = self.free.pop();
        let at = free.unwrap_or_else(|| u32::try_from(self.records.len()).unwrap_or(NOBODY));
        if free.is_none() {
            self.records.push(None);
        }
        for slot in &record.slots {
            self.slots.owners[*slot as usize] = at;
            self.slots.visible.insert(*slot);
        }
        self.by_id.insert(record.id, at);
        let hash = self.hasher.hash_one(record.external_id());
        self.records[at as usize] = Some(record);
        let (records, hasher) = (&self.records, &self.hasher);
        self.by_name.insert_unique(hash, at, |at| hasher.hash_one(name_of(records, *at)));
        before
    }

    pub(crate) fn hide(&mut self, id: i64) -> Option<Record> {
        let at = self.by_id.remove(&id)?;
        let record = self.records.get_mut(at as usize)?.take()?;
        for slot in &record.slots {
            self.slots.owners[*slot as usize] = NOBODY;
            self.slots.visible.remove(*slot);
        }
        let hash = self.hasher.hash_one(record.external_id());
        if let Ok(entry) = self.by_name.find_entry(hash, |other| *other == at) {
            entry.remove();
        }
        self.free.push(at);
        Some(record)
    }

    pub(crate) fn get(&self, id: i64) -> Option<&Record> {
        self.records.get(*self.by_id.get(&id)? as usize)?.as_ref()
    }

    /// The document that shows a slot, and the chunk's place in it.
    pub(crate) fn owner(&self, slot: u32) -> Option<(&Record, u32)> {
        let owner = *self.slots.owners.get(slot as usize)?;
        let record = self.records.get(owner as usize)?.as_ref()?;
        Some((record, self.slots.places[slot as usize]))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().flatten()
    }

    /// Adds the slots of the document of this name.
    pub(crate) fn named(&self, wanted: &Scalar, found: &mut Bitmap) {
        let Some(wanted) = crate::attributes::text(wanted) else { return };
        let hash = self.hasher.hash_one(wanted);
        let at = self.by_name.find(hash, |at| name_of(&self.records, *at) == wanted);
        let record = at.and_then(|at| self.records.get(*at as usize)?.as_ref());
        for slot in record.map_or(&[][..], |record| &record.slots) {
            found.insert(*slot);
        }
    }

    /// Adds the slots of each document of which this holds.
    pub(crate) fn scan(&self, found: &mut Bitmap, holds: impl Fn(&Record) -> bool) {
        for record in self.iter().filter(|record| holds(record)) {
            for slot in &record.slots {
                found.insert(*slot);
            }
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let slots = &self.slots;
        let columns = slots.chunks.capacity() * size_of::<i64>()
            + (slots.owners.capacity()
                + slots.places.capacity()
                + slots.free.capacity()
                + self.free.capacity())
                * size_of::<u32>();
        self.records.capacity() * size_of::<Option<Record>>()
            + self.iter().map(Record::memory_bytes).sum::<usize>()
            + self.by_id.allocation_size()
            + self.by_name.allocation_size()
            + columns
            + self.dictionary.len()
            + self.gathered.capacity()
            + slots.visible.memory_bytes()
    }
}

fn name_of(records: &[Option<Record>], at: u32) -> &str {
    records.get(at as usize).and_then(Option::as_ref).map_or("", Record::external_id)
}
