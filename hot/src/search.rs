//! The search of one or several collections of a tenant, as the store's statement does it.

mod fuse;
mod legs;

use crate::collection::{Collection, Held, HotError};
use crate::dense::{self, Effort};
use crate::filter::Filter;
use crate::lexical;
use crate::sight::Sight;
use legs::{Found, Place, Searching};
use parking_lot::RwLockReadGuard;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Hybrid,
    Dense,
    Lexical,
}

/// What is looked for. Whoever asks may see no more than `sight`, whichever the mode.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    pub mode: Mode,
    /// Needed but for the mode `Lexical`; a hybrid search without it is a lexical one.
    pub vector: Option<&'a [f32]>,
    pub effort: Effort,
    /// Used but for the mode `Dense`.
    pub terms: &'a [Term],
    pub filter: Option<&'a Filter>,
    pub sight: Sight<'a>,
    /// Microseconds since 1970: what has expired by then is not found.
    pub now: i64,
    pub limit: usize,
    /// What each leg contributes to the fusion.
    pub candidates: usize,
    /// What [`words`] found for this same search, before its vector was there.
    pub words: Option<&'a Words>,
}

/// A term of the query in one collection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    pub collection: i64,
    /// Its key without a count.
    pub base: i64,
    /// How often the query has it.
    pub count: f32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub chunk: i64,
    pub document: i64,
    pub collection: i64,
    pub external_id: String,
    pub title: String,
    pub uri: String,
    pub attributes: Value,
    pub text: String,
    pub headings: Vec<String>,
    pub place: Option<Value>,
    pub span: (i32, i32),
    pub matched: Option<(i32, i32)>,
    pub tokens: i32,
    pub score: f32,
    pub dense: Option<f32>,
    pub lexical: Option<f32>,
    /// Of its document, as is the next.
    pub expires_at: Option<i64>,
    pub updated_at: i64,
}

/// One leg's part in a hybrid search.
#[derive(Debug, Default)]
pub struct Words {
    /// Of each collection, by its id, after which change.
    after: Vec<(i64, u64)>,
    found: Vec<Found>,
}

/// What a searching thread uses again and again.
#[derive(Debug, Default)]
pub struct Scratch {
    dense: dense::Scratch,
    lexical: lexical::Scratch,
    slots: Vec<u32>,
    scores: Vec<f64>,
    block: Vec<u8>,
}

/// What the lexical leg gives to a hybrid search, while its vector is still being made.
pub fn words(collections: &[&Collection], search: &Search<'_>, scratch: &mut Scratch) -> Words {
    let locked = locked(collections);
    let found = Searching::new(&locked, search).lexical(search.candidates, scratch);
    Words { after: after(&locked), found }
}

/// The best chunks, best first: as many as `limit` wherever there are as many. Each collection is searched once, however often it is named.
///
/// # Errors
/// The vector is not one of the collections' space, or what is kept is damaged.
pub fn search(
    collections: &[&Collection],
    search: &Search<'_>,
    scratch: &mut Scratch,
) -> Result<Vec<Hit>, HotError> {
    let locked = locked(collections);
    let searching = Searching::new(&locked, search);
    let mode = if search.vector.is_some() { search.mode } else { Mode::Lexical };
    let best: Vec<Ranked> = match mode {
        Mode::Dense => {
            let near = searching.dense(search.limit, scratch)?;
            near.into_iter()
                .map(|near| Ranked { score: near.score, dense: Some(near.score), ..Ranked::at(near.place) })
                .collect()
        }
        Mode::Lexical => {
            let found = searching.lexical(search.limit, scratch);
            found
                .into_iter()
                .map(|one| Ranked { score: one.score, lexical: Some(one.score), ..Ranked::at(one.place) })
                .collect()
        }
        Mode::Hybrid => {
            let depth = search.candidates;
            let near = searching.dense(depth, scratch)?;
            let found = match search.words {
                Some(words) if words.after == after(&locked) => words.found.clone(),
                _ => searching.lexical(depth, scratch),
            };
            let mut both = searching.both(near, found, scratch)?;
            fuse::fuse(&mut both, search.limit);
            both
        }
    };
    best.iter().map(|ranked| searching.hit(ranked, &mut scratch.block)).collect()
}

type Locked<'a> = (&'a Collection, RwLockReadGuard<'a, Held>);

/// In one order, or two searches and two changes could wait for each other.
fn locked<'a>(collections: &[&'a Collection]) -> Vec<Locked<'a>> {
    let mut collections = collections.to_vec();
    collections.sort_unstable_by_key(|collection| collection.id);
    collections.dedup_by_key(|collection| collection.id);
    collections.into_iter().map(|collection| (collection, collection.held.read())).collect()
}

fn after(locked: &[Locked<'_>]) -> Vec<(i64, u64)> {
    locked.iter().map(|(collection, held)| (collection.id, held.change)).collect()
}

/// A chunk that is, or may be, among the results.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ranked {
    place: Place,
    score: f64,
    dense: Option<f64>,
    lexical: Option<f64>,
}

impl Ranked {
    fn at(place: Place) -> Self {
        Self { place, score: 0.0, dense: None, lexical: None }
    }
}
