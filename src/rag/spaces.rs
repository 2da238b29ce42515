//! Embedding spaces for whoever runs the server: built, compared with the one that is searched, switched, removed.

use super::models::not_configured;
use super::search::millis;
use super::{CATALOG_TTL, Caller, Rag};
use crate::error::{Code, Error};
use mcp_rag_actors::embedder::{Embed, Purpose};
use mcp_rag_actors::store::{
    ActivateSpace, BuildSpace, ChunkId, CollectionId, JobId, Mode, RemoveSpace, RollBack, SampleTexts,
    SearchChunks, Space, SpaceId,
};
use serde::Serialize;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// Which of the configured models a space is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    First,
    Next,
}

/// What two spaces are compared by. The queries are used and forgotten.
#[derive(Debug, Clone)]
pub struct CompareQuery {
    pub queries: Vec<String>,
    /// Beginnings of stored chunks to ask with, besides.
    pub sample: usize,
    pub k: u16,
    pub collections: Option<Vec<String>>,
}

/// How alike two spaces answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Comparison {
    pub queries: usize,
    pub k: u16,
    /// Of the first k results of both, the share that both have: 1 when the results are the same.
    pub overlap: Overlap,
    /// How often both agree on the first result.
    pub same_first: f64,
    pub active: Side,
    pub other: Side,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Overlap {
    pub mean: f64,
    pub least: f64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Side {
    pub space: String,
    pub model: String,
    pub storage: String,
    pub embed_ms: Latency,
    pub search_ms: Latency,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SideLatency)]
pub struct Latency {
    pub p50: f64,
    pub p95: f64,
}

/// What was seen of one space.
struct Seen {
    space: Arc<Space>,
    embed_ms: Vec<f64>,
    search_ms: Vec<f64>,
    found: Vec<Vec<ChunkId>>,
}

impl Rag {
    /// Has a space filled for one of the configured models. The job is absent when there is nothing to do.
    pub async fn build_space(&self, which: Which, caller: &Caller) -> Result<(Space, Option<JobId>), Error> {
        let spec = match which {
            Which::First => self.models.spec.clone(),
            Which::Next => self.models.next.clone().ok_or_else(|| {
                let message = "no second model is configured: set embedder.next (docs/CONFIGURATION.md) and restart, \
                               or build for the first one with {\"embedder\": \"first\"}";
                Error::new(Code::Conflict, message).about("embedder")
            })?,
        };
        let built = self.all.call(BuildSpace { tenant: caller.tenant, spec }, caller.deadline).await?;
        self.catalog.forget();
        self.progress.arrived.notify_one();
        Ok(built)
    }

    /// Has a space searched, if one of our models embeds for it: else searches would lose their dense leg.
    pub async fn activate_space(&self, id: SpaceId, caller: &Caller) -> Result<Space, Error> {
        self.must_be_served(id, caller).await?;
        let space = self.all.call(ActivateSpace { tenant: caller.tenant, id }, caller.deadline).await?;
        self.catalog.forget();
        tracing::info!(space = %space.id, model = space.spec.model, "another embedding space is searched");
        Ok(space)
    }

    pub async fn roll_back_space(&self, id: SpaceId, caller: &Caller) -> Result<Space, Error> {
        let space = self.all.call(RollBack { tenant: caller.tenant, id }, caller.deadline).await?;
        self.catalog.forget();
        tracing::info!(space = %space.id, model = space.spec.model, "the embedding space from before is searched");
        Ok(space)
    }

    /// Takes a space out of the way; its rows go in the background.
    pub async fn remove_space(&self, id: SpaceId, caller: &Caller) -> Result<(Space, JobId), Error> {
        // Another replica may search in it for as long as it remembers, and as a search takes.
        let deadline = Duration::from_millis(self.settings().search.deadline_ms);
        let grace = (CATALOG_TTL + deadline) * 2;
        let remove = RemoveSpace { tenant: caller.tenant, id, grace };
        let removed = self.all.call(remove, caller.deadline).await?;
        self.catalog.forget();
        self.progress.arrived.notify_one();
        Ok(removed)
    }

    async fn space(&self, id: SpaceId, caller: &Caller) -> Result<Arc<Space>, Error> {
        self.catalog.forget();
        let known = self.catalog.spaces(caller).await?;
        known.iter().find(|space| space.id == id).cloned().ok_or_else(|| Error::not_found("embedding space"))
    }

    async fn must_be_served(&self, id: SpaceId, caller: &Caller) -> Result<Arc<Space>, Error> {
        let space = self.space(id, caller).await?;
        match self.models.of(&space.spec) {
            Some(_) => Ok(space),
            None => Err(Error::new(Code::Conflict, not_configured(&space).message)),
        }
    }

    /// Asks both the space that is searched and another one, and says how alike they answer.
    pub async fn compare_spaces(
        &self,
        id: SpaceId,
        query: CompareQuery,
        caller: &Caller,
    ) -> Result<Comparison, Error> {
        let other = self.must_be_served(id, caller).await?;
        let switches = self.switches(caller.tenant);
        let selection = self.catalog.select(caller, query.collections.as_deref(), &[], switches).await?;
        let active =
            self.catalog.active(caller).await?.ok_or_else(|| {
                Error::new(Code::Conflict, "no space is searched yet: ingest something first")
            })?;
        let mut queries = query.queries;
        if query.sample > 0 {
            let places = (0..query.sample)
                .map(|_| f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX));
            let sample = SampleTexts { tenant: caller.tenant, places: places.collect() };
            queries.extend(self.all.call(sample, caller.deadline).await?);
        }
        if queries.is_empty() {
            return Err(Error::invalid(
                "sample",
                "there is nothing to ask: give `queries`, or ingest something",
            ));
        }
        let collections: Vec<CollectionId> = selection.collections.iter().map(|one| one.id).collect();
        let documents = selection.collections.iter().map(|one| one.documents).sum();
        let chunks = selection.collections.iter().map(|one| one.chunks).sum();
        let sizes = [documents, chunks, selection.all_chunks];
        // As a search of this size has it.
        let ef = self.ef(Mode::Dense, query.k, selection.all_chunks);
        let mut sides = [Seen::of(active), Seen::of(other)];
        for text in &queries {
            for side in &mut sides {
                self.ask(side, text, query.k, &collections, (sizes, ef), caller).await?;
            }
        }
        let [active, other] = sides;
        Ok(compared(active, other, query.k))
    }

    /// One shadow read.
    async fn ask(
        &self,
        side: &mut Seen,
        text: &str,
        k: u16,
        collections: &[CollectionId],
        ([documents, chunks, all_chunks], ef): ([i64; 3], u16),
        caller: &Caller,
    ) -> Result<(), Error> {
        let model = self.models.of(&side.space.spec).ok_or_else(|| not_configured(&side.space))?;
        let began = Instant::now();
        let embed = Embed { texts: vec![text.to_owned()], purpose: Purpose::Query };
        let vector = model.embed(embed, caller.deadline).await?.pop().unwrap_or_default();
        side.embed_ms.push(millis(began));
        let began = Instant::now();
        let search = SearchChunks {
            tenant: caller.tenant,
            collections: collections.to_vec(),
            mode: Mode::Dense,
            embedding: Some((vector, Arc::clone(&side.space))),
            oversampling: self.settings().search.oversampling,
            terms: Vec::new(),
            filter: None,
            limit: k,
            candidates: k,
            ef: Some(ef),
            documents,
            chunks,
            all_chunks,
        };
        let found = self.all.call(search, caller.deadline).await?;
        side.search_ms.push(millis(began));
        side.found.push(found.hits.into_iter().map(|hit| hit.chunk).collect());
        Ok(())
    }
}

impl Seen {
    fn of(space: Arc<Space>) -> Self {
        Self { space, embed_ms: Vec::new(), search_ms: Vec::new(), found: Vec::new() }
    }

    fn side(self) -> Side {
        Side {
            space: self.space.id.to_string(),
            model: self.space.spec.model.clone(),
            storage: self.space.spec.storage.as_str().to_owned(),
            embed_ms: latency(self.embed_ms),
            search_ms: latency(self.search_ms),
        }
    }
}

fn latency(mut took: Vec<f64>) -> Latency {
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took.get(((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1)));
    Latency { p50: at(0.5).copied().unwrap_or(0.0), p95: at(0.95).copied().unwrap_or(0.0) }
}

/// Of both lists' first k, the share that both have; two empty lists are the same.
fn overlap(one: &[ChunkId], other: &[ChunkId]) -> f64 {
    let longer = one.len().max(other.len());
    if longer == 0 {
        return 1.0;
    }
    let known: HashSet<i64> = one.iter().map(|chunk| chunk.0).collect();
    other.iter().filter(|chunk| known.contains(&chunk.0)).count() as f64 / longer as f64
}

fn compared(active: Seen, other: Seen, k: u16) -> Comparison {
    let pairs: Vec<_> = active.found.iter().zip(&other.found).collect();
    let queries = pairs.len();
    let overlaps: Vec<f64> = pairs.iter().map(|(one, other)| overlap(one, other)).collect();
    let same = pairs.iter().filter(|(one, other)| one.first() == other.first()).count();
    let overlap = Overlap {
        mean: overlaps.iter().sum::<f64>() / queries.max(1) as f64,
        least: overlaps.iter().copied().fold(1.0, f64::min),
    };
    let same_first = same as f64 / queries.max(1) as f64;
    Comparison { queries, k, overlap, same_first, active: active.side(), other: other.side() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(ids: &[i64]) -> Vec<ChunkId> {
        ids.iter().copied().map(ChunkId).collect()
    }

    #[test]
    fn overlap_is_the_share_of_results_that_both_have_in_whatever_order() {
        for (one, other, share) in [
            (&[1, 2, 3, 4][..], &[4, 3, 2, 1][..], 1.0),
            (&[1, 2, 3, 4], &[1, 2, 5, 6], 0.5),
            (&[1, 2], &[], 0.0),
            (&[], &[], 1.0),
        ] {
            assert!((overlap(&chunks(one), &chunks(other)) - share).abs() < 1e-9, "{one:?} {other:?}");
        }
    }

    #[test]
    fn percentiles_of_few_numbers_are_among_them() {
        let latency = latency(vec![3.0, 1.0, 2.0]);
        assert!((latency.p50 - 2.0).abs() < 1e-9 && (latency.p95 - 3.0).abs() < 1e-9);
    }
}
