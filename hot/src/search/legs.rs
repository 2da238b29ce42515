//! Both legs over several collections, and what they find of them.

use super::{Hit, Mode, Ranked, Scratch, Search};
use crate::Bitmap;
use crate::collection::{Collection, Held, HotError};
use crate::lexical::Query;
use serde_json::Value;
use std::borrow::Cow;
use std::ops::Deref;

/// Where a chunk is: the slot of one of the collections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) chunk: i64,
    collection: usize,
    slot: u32,
}

/// What one leg found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) score: f64,
}

/// What is searched, as it is while it is locked.
pub(super) struct Searching<'a> {
    search: &'a Search<'a>,
    of: Vec<One<'a>>,
}

struct One<'a> {
    collection: &'a Collection,
    held: &'a Held,
    /// What may be found.
    allowed: Cow<'a, Bitmap>,
    query: Query<'a>,
}

impl<'a> Searching<'a> {
    pub(super) fn new<G>(locked: &'a [(&'a Collection, G)], search: &'a Search<'a>) -> Self
    where
        G: Deref<Target = Held>,
    {
        let one = |(collection, held): &'a (&'a Collection, G)| {
            let terms = search
                .terms
                .iter()
                .filter(|term| search.mode != Mode::Dense && term.collection == collection.id);
            let query = held.lexical.query(terms.map(|term| (term.base, term.count)));
            let allowed = held.allowed(search.filter, search.sight, search.now);
            One { collection, held, allowed, query }
        };
        Self { search, of: locked.iter().map(one).collect() }
    }

    /// The nearest, best first.
    pub(super) fn dense(&self, limit: usize, scratch: &mut Scratch) -> Result<Vec<Found>, HotError> {
        let mut found = Vec::with_capacity(limit);
        for (at, one) in self.of.iter().enumerate() {
            let (Some(dense), Some(vector)) = (&one.collection.dense, self.search.vector) else { continue };
            // Where nothing is being changed and nothing is kept out, there is nothing to ask of each.
            let all = matches!(one.allowed, Cow::Borrowed(_)) && !one.held.changing;
            let allowed = (!all).then_some(one.allowed.as_ref());
            // The recall is of what is returned; what that is chosen among may lack some at its end.
            let effort = match self.search.limit {
                returned if returned < limit => dense.effort_for(returned, self.search.effort),
                _ => self.search.effort,
            };
            let hits = dense.search(vector, limit, effort, allowed, &mut scratch.dense)?;
            found.extend(
                hits.into_iter()
                    .map(|hit| Found { place: self.place(at, hit.slot), score: hit.similarity.into() }),
            );
        }
        Ok(best(found, limit))
    }

    /// The best by their words, best first.
    pub(super) fn lexical(&self, limit: usize, scratch: &mut Scratch) -> Vec<Found> {
        let mut found = Vec::with_capacity(limit);
        for (at, one) in self.of.iter().enumerate() {
            let chunks = one.held.documents.chunks();
            let scored = one.query.top(limit, &one.allowed, chunks, &mut scratch.lexical);
            found.extend(
                scored.into_iter().map(|one| Found { place: self.place(at, one.slot), score: one.score }),
            );
        }
        best(found, limit)
    }

    /// All that one of the legs found, with both legs' true scores.
    pub(super) fn both(
        &self,
        near: Vec<Found>,
        found: Vec<Found>,
        scratch: &mut Scratch,
    ) -> Result<Vec<Ranked>, HotError> {
        let near = near.into_iter().map(|one| Ranked { dense: Some(one.score), ..Ranked::at(one.place) });
        let found = found.into_iter().map(|one| Ranked { lexical: Some(one.score), ..Ranked::at(one.place) });
        let mut both: Vec<Ranked> = near.chain(found).collect();
        both.sort_unstable_by_key(|one| (one.place.collection, one.place.slot));
        both.dedup_by(|again, first| {
            let same = again.place == first.place;
            if same {
                first.dense = first.dense.or(again.dense);
                first.lexical = first.lexical.or(again.lexical);
            }
            same
        });
        for group in both.chunk_by_mut(|a, b| a.place.collection == b.place.collection) {
            self.complete(group, scratch)?;
        }
        Ok(both)
    }

    /// Candidates of one collection, by slot.
    fn complete(&self, group: &mut [Ranked], scratch: &mut Scratch) -> Result<(), HotError> {
        let Some(one) = group.first().and_then(|first| self.of.get(first.place.collection)) else {
            return Ok(());
        };
        let Scratch { slots, scores, .. } = scratch;
        slots.clear();
        slots.extend(group.iter().filter(|one| one.lexical.is_none()).map(|one| one.place.slot));
        one.query.scores(slots, scores);
        let unscored = group.iter_mut().filter(|one| one.lexical.is_none());
        unscored.zip(scores).for_each(|(one, score)| one.lexical = Some(*score));
        let (Some(dense), Some(vector)) = (&one.collection.dense, self.search.vector) else { return Ok(()) };
        slots.clear();
        slots.extend(group.iter().filter(|one| one.dense.is_none()).map(|one| one.place.slot));
        let similarities = dense.exact(vector, slots)?;
        let uncompared = group.iter_mut().filter(|one| one.dense.is_none());
        uncompared.zip(similarities).for_each(|(one, similarity)| one.dense = similarity.map(f64::from));
        Ok(())
    }

    fn place(&self, collection: usize, slot: u32) -> Place {
        let chunks = self.of.get(collection).map(|one| one.held.documents.chunks()).unwrap_or_default();
        Place { chunk: chunks.get(slot as usize).copied().unwrap_or(0), collection, slot }
    }

    pub(super) fn hit(&self, ranked: &Ranked, scratch: &mut Vec<u8>) -> Result<Hit, HotError> {
        let Place { chunk, collection, slot } = ranked.place;
        let one = self.of.get(collection).ok_or(HotError::Damaged)?;
        let (document, nth) = one.held.documents.owner(slot).ok_or(HotError::Damaged)?;
        let text = document
            .body
            .text(nth, one.held.documents.dictionary(), scratch)
            .map_err(|_| HotError::Damaged)?;
        let json = |text: &str| serde_json::from_str::<Value>(text).map_err(|_| HotError::Damaged);
        Ok(Hit {
            chunk,
            document: document.id,
            collection: one.collection.id,
            external_id: document.external_id().to_owned(),
            title: document.title().to_owned(),
            uri: document.uri().to_owned(),
            attributes: json(document.attributes())?,
            text: text.text,
            headings: text.headings,
            place: text.place.as_deref().map(json).transpose()?,
            span: text.span,
            matched: text.matched,
            tokens: text.tokens,
            score: ranked.score as f32,
            dense: ranked.dense.map(|score| score as f32),
            lexical: ranked.lexical.map(|score| score as f32),
            expires_at: document.expires_at(),
            updated_at: document.updated_at(),
        })
    }
}

/// Of all collections together.
fn best(mut found: Vec<Found>, limit: usize) -> Vec<Found> {
    found.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.place.chunk.cmp(&b.place.chunk)));
    found.truncate(limit);
    found
}
