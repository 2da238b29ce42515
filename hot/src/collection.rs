//! One collection in memory: its documents, their words and vectors.
//!
//! One thread changes it at a time, others wait in [`apply`](Collection::apply); many search meanwhile. A search sees each document
//! as it was before a change or after it, and waits for no change longer than it takes to copy the postings of a few chunks: what is
//! new is *staged* bit by bit where no search looks, shown at once, and what it replaced is taken out bit by bit.

use crate::attributes::{Attributes, Scope};
use crate::change::{About, Change, Chunk, Document};
use crate::dense::{Dense, DenseError};
use crate::documents::{Body, Documents, Record};
use crate::filter::Filter;
use crate::lexical::{Lexical, MOST_SLOTS};
use crate::sight::Sight;
use half::f16;
use parking_lot::{Mutex, MutexGuard, RwLock};
use std::borrow::Cow;
use std::sync::Arc;

/// Chunks whose postings are added or taken out while searches wait.
const BATCH: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum HotError {
    #[error(transparent)]
    Dense(#[from] DenseError),
    #[error("a collection in memory holds at most {MOST_SLOTS} chunks: search it in PostgreSQL")]
    Full,
    #[error("a text cannot be read back: build the collection's index anew")]
    Damaged,
}

#[derive(Debug)]
pub struct Collection {
    pub(crate) id: i64,
    pub(crate) dense: Option<Dense>,
    pub(crate) held: RwLock<Held>,
    pub(crate) writer: Mutex<()>,
}

#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) documents: Documents,
    pub(crate) attributes: Attributes,
    pub(crate) lexical: Lexical,
    /// How often what is visible has changed.
    pub(crate) change: u64,
    /// Whether `dense` may have vectors of chunks that are not visible.
    pub(crate) changing: bool,
}

/// What is visible to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub documents: usize,
    pub chunks: usize,
}

/// Bytes of memory, by what takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    pub vectors: usize,
    pub documents: usize,
    pub attributes: usize,
    pub words: usize,
}

impl Collection {
    /// An empty one, whose vectors have this many numbers; none: only words are searched.
    #[must_use]
    pub fn new(id: i64, dimensions: Option<usize>) -> Self {
        Self { id, dense: dimensions.map(Dense::new), held: RwLock::default(), writer: Mutex::default() }
    }

    #[must_use]
    pub fn id(&self) -> i64 {
        self.id
    }

    /// # Errors
    /// A vector of another length, or too many chunks: the change was not made.
    pub fn apply(&self, change: &Change) -> Result<(), HotError> {
        self.apply_all(std::slice::from_ref(change), 1)
    }

    /// Changes in turn; the vectors of documents that follow each other are linked together, by so many threads.
    ///
    /// # Errors
    /// A vector of another length, or too many chunks: what was to be put together with it was not made either, nor what follows.
    pub fn apply_all(&self, changes: &[Change], threads: usize) -> Result<(), HotError> {
        let _alone = self.alone();
        self.held.write().changing = true;
        let done = self.change(changes, threads);
        self.held.write().changing = false;
        done
    }

    /// Nobody changes it meanwhile.
    pub(crate) fn alone(&self) -> MutexGuard<'_, ()> {
        self.writer.lock()
    }

    fn change(&self, changes: &[Change], threads: usize) -> Result<(), HotError> {
        let mut documents: Vec<&Document> = Vec::new();
        for change in changes {
            if let Change::Put(document) = change {
                documents.push(document);
                continue;
            }
            self.put(&std::mem::take(&mut documents), threads)?;
            match change {
                Change::Put(_) => {}
                Change::Amend(about) => self.amend(about),
                Change::Delete(document) => self.replace(*document, None),
            }
        }
        self.put(&documents, threads)
    }

    fn put(&self, documents: &[&Document], threads: usize) -> Result<(), HotError> {
        let mut vectors = Vec::new();
        let mut records = Vec::with_capacity(documents.len());
        let staged = documents.iter().try_for_each(|document| {
            let given = self.vectors(&document.chunks)?;
            let slots = self.stage(&document.chunks)?;
            let dictionary = Arc::clone(self.held.read().documents.dictionary());
            vectors.extend(given.into_iter().filter_map(|(at, vector)| Some((*slots.get(at)?, vector))));
            records.push(Record::new(&document.about, slots, Body::of(&document.chunks, &dictionary)));
            Ok::<_, HotError>(())
        });
        let inserted = staged.and_then(|()| match &self.dense {
            Some(dense) => dense.insert_all(&vectors, threads).map_err(HotError::from),
            None => Ok(()),
        });
        for record in records {
            match inserted {
                Ok(()) => self.replace(record.id, Some(record)),
                Err(_) => self.discard(&record.slots),
            }
        }
        inserted
    }

    /// Slots for chunks, whose words are where no search looks.
    fn stage(&self, chunks: &[Chunk]) -> Result<Box<[u32]>, HotError> {
        let ids: Vec<i64> = chunks.iter().map(|chunk| chunk.id).collect();
        let slots = {
            let mut held = self.held.write();
            if held.documents.slots() + chunks.len() > MOST_SLOTS {
                return Err(HotError::Full);
            }
            held.documents.stage(&ids)
        };
        for (chunks, slots) in chunks.chunks(BATCH).zip(slots.chunks(BATCH)) {
            let mut held = self.held.write();
            for (chunk, slot) in chunks.iter().zip(slots) {
                held.lexical.stage(*slot, &chunk.keys, chunk.length);
                held.documents.gather(&chunk.text);
            }
        }
        Ok(slots)
    }

    /// The vectors that a search can find, each with its chunk's place.
    fn vectors<'a>(&self, chunks: &'a [Chunk]) -> Result<Vec<(usize, &'a [f32])>, HotError> {
        let Some(dense) = &self.dense else { return Ok(Vec::new()) };
        let expected = dense.dimensions();
        let given = chunks.iter().enumerate().filter_map(|(at, chunk)| Some((at, chunk.vector.as_deref()?)));
        let mut vectors = Vec::with_capacity(chunks.len());
        for (at, vector) in given {
            if vector.len() != expected {
                return Err(DenseError::Dimensions { expected, found: vector.len() }.into());
            }
            // One without a direction is near to nothing; PostgreSQL's index leaves it out too.
            let norm: f32 = vector.iter().map(|x| f16::from_f32(*x).to_f32().powi(2)).sum();
            if norm.is_finite() && norm > 0.0 {
                vectors.push((at, vector));
            }
        }
        Ok(vectors)
    }

    /// Shows a document in place of what there was of it, or nothing.
    fn replace(&self, id: i64, record: Option<Record>) {
        let statistics = {
            let held = self.held.read();
            let shown = record.as_ref().map_or(&[][..], |record| &record.slots);
            let hidden = held.documents.get(id).map_or(&[][..], |record| &record.slots);
            held.lexical.weigh(shown, hidden)
        };
        let about = record.as_ref().map(|record| (record.about(), record.slots.clone()));
        let before = {
            let held = &mut *self.held.write();
            let before = match record {
                Some(record) => held.documents.show(record),
                None => held.documents.hide(id),
            };
            if let Some(before) = &before {
                held.attributes.remove(&before.about(), &before.slots);
            }
            if let Some((about, slots)) = about {
                held.attributes.insert(&about, &slots);
            }
            held.lexical.settle(&statistics);
            held.change += 1;
            before
        };
        self.discard(&before.map(|before| before.slots).unwrap_or_default());
    }

    /// Takes out what is not visible.
    fn discard(&self, slots: &[u32]) {
        if let Some(dense) = &self.dense {
            dense.remove_all(slots, 1);
        }
        for slots in slots.chunks(BATCH) {
            self.held.write().lexical.unstage(slots);
        }
        self.held.write().documents.release(slots);
    }

    fn amend(&self, about: &About) {
        let held = &mut *self.held.write();
        held.change += 1;
        let Some(Record { slots, body, .. }) = held.documents.hide(about.id).inspect(|before| {
            held.attributes.remove(&before.about(), &before.slots);
        }) else {
            return;
        };
        held.attributes.insert(about, &slots);
        held.documents.show(Record::new(about, slots, body));
    }

    /// How many documents and chunks match, of those that the caller may see and that have not expired at `now`.
    #[must_use]
    pub fn count(&self, filter: Option<&Filter>, sight: Sight<'_>, now: i64) -> Counts {
        let held = self.held.read();
        let allowed = held.allowed(filter, sight, now);
        let seen = |record: &&Record| record.slots.first().is_some_and(|slot| allowed.contains(*slot));
        Counts { documents: held.documents.iter().filter(seen).count(), chunks: allowed.len() }
    }

    /// How rare terms are, by their keys' bases; one that no chunk has is the rarest.
    #[must_use]
    pub fn idf(&self, bases: &[i64]) -> Vec<f32> {
        let held = self.held.read();
        bases.iter().map(|base| held.lexical.idf(*base) as f32).collect()
    }

    /// Visible documents and chunks, and the chunks' length in terms, as the collection's row has them.
    #[must_use]
    pub fn totals(&self) -> (usize, i64, i64) {
        let held = self.held.read();
        let (chunks, length) = held.lexical.totals();
        (held.documents.len(), chunks, length)
    }

    /// Every document as it was put, in no order and without vectors; searches go on, changes wait.
    ///
    /// # Errors
    /// A text that cannot be read back.
    pub fn each(&self, mut each: impl FnMut(Document)) -> Result<(), HotError> {
        let _alone = self.alone();
        let held = self.held.read();
        let mut scratch = Vec::new();
        for record in held.documents.iter() {
            let chunk = |(nth, slot): (u32, &u32)| {
                let text = record
                    .body
                    .text(nth, held.documents.dictionary(), &mut scratch)
                    .map_err(|_| HotError::Damaged)?;
                let (keys, length) = held.lexical.entry(*slot);
                Ok::<_, HotError>(Chunk {
                    id: held.documents.chunks()[*slot as usize],
                    ordinal: text.ordinal,
                    text: text.text,
                    headings: text.headings,
                    place: text.place,
                    span: text.span,
                    matched: text.matched,
                    tokens: text.tokens,
                    keys,
                    length,
                    vector: None,
                })
            };
            let chunks = (0..).zip(&record.slots).map(chunk).collect::<Result<_, HotError>>()?;
            each(Document { about: record.about(), chunks });
        }
        Ok(())
    }

    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let Weights { vectors, documents, attributes, words } = self.weights();
        vectors + documents + attributes + words
    }

    /// What takes the memory, in bytes.
    #[must_use]
    pub fn weights(&self) -> Weights {
        let held = self.held.read();
        Weights {
            vectors: self.dense.as_ref().map_or(0, Dense::memory_bytes),
            documents: held.documents.memory_bytes(),
            attributes: held.attributes.memory_bytes(),
            words: held.lexical.memory_bytes(),
        }
    }
}

impl Held {
    pub(crate) fn allowed(
        &self,
        filter: Option<&Filter>,
        sight: Sight<'_>,
        now: i64,
    ) -> Cow<'_, crate::Bitmap> {
        let scope = Scope { documents: &self.documents, sight };
        match self.attributes.allowed(filter, &scope, now) {
            Some(allowed) => Cow::Owned(allowed),
            None => Cow::Borrowed(self.documents.visible()),
        }
    }
}
