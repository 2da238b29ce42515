//! The second look at what was found: fade, collapse, group, spread; each only when asked for, in this order.
//!
//! What needs more than the results hold (vectors, dates) is one more round trip. Where that cannot be had the
//! results stay as they were ranked, and `degraded` says so.

use super::options::Options;
use super::{Degradation, SearchQuery, collapse, diversity, recency};
use crate::error::Error;
use crate::rag::catalog::Selection;
use crate::rag::rerank::Ranked;
use crate::rag::{Caller, Rag};
use mcp_rag_actors::store::{ChunkDetails, ChunkId, Details};
use std::collections::HashMap;

/// A result and those it stands for.
pub(super) struct Candidate {
    pub(super) ranked: Ranked,
    /// Results left out because their text is nearly this one's.
    pub(super) duplicates: u32,
    /// Results left out because they are of the same document.
    pub(super) same_document: u32,
    /// Ids of the chunks it stands for, its own first.
    pub(super) members: Vec<i64>,
}

impl Candidate {
    pub(super) fn new(ranked: Ranked) -> Self {
        let members = vec![ranked.hit.chunk.0];
        Self { ranked, duplicates: 0, same_document: 0, members }
    }

    /// Stands for another one from now on, and for those which that one stood for.
    pub(super) fn absorb(&mut self, other: Self) {
        self.duplicates += other.duplicates;
        self.same_document += other.same_document;
        self.members.extend(other.members);
    }
}

impl Rag {
    /// All candidates in their final order.
    pub(super) async fn refine(
        &self,
        ranked: Vec<Ranked>,
        query: &SearchQuery,
        selection: &Selection,
        caller: &Caller,
        degraded: &mut Vec<Degradation>,
    ) -> Vec<Candidate> {
        let candidates: Vec<Candidate> = ranked.into_iter().map(Candidate::new).collect();
        let options = &query.options;
        if !options.refines() || candidates.is_empty() {
            return candidates;
        }
        let vectors = options.diversity > 0.0;
        let dates = options.recency.as_ref().is_some_and(|recency| recency.field.is_none());
        let details = if vectors || dates {
            let wanted = ChunkDetails {
                tenant: caller.tenant,
                collections: selection.collections.iter().map(|collection| collection.id).collect(),
                chunks: candidates.iter().map(|one| one.ranked.hit.chunk).collect(),
                space: selection.space.as_ref().filter(|_| vectors).map(|space| space.id),
            };
            match self.store.seeing(selection.sight.clone()).call(wanted, caller.deadline).await {
                Ok(details) => Some(details),
                Err(error) => {
                    let error = Error::from(error);
                    degraded.push(Degradation::new("database", error.code.as_str(), "unrefined"));
                    None
                }
            }
        } else {
            Some(HashMap::new())
        };
        arrange(candidates, options, details.as_ref(), recency::now())
    }
}

/// The order that the options ask for; without the details that they need, what is possible of it.
fn arrange(
    mut candidates: Vec<Candidate>,
    options: &Options,
    details: Option<&HashMap<ChunkId, Details>>,
    now: f64,
) -> Vec<Candidate> {
    if let (Some(recency), Some(details)) = (&options.recency, details) {
        let scores: Vec<f32> = candidates.iter().map(|one| one.ranked.hit.score).collect();
        let dates: Vec<Option<f64>> = candidates
            .iter()
            .map(|one| match &recency.field {
                Some(field) => one.ranked.hit.attributes.get(field).and_then(recency::date),
                None => details.get(&one.ranked.hit.chunk).map(|details| details.updated_at),
            })
            .collect();
        let mixed = recency::mix(&scores, &dates, recency, now);
        candidates.iter_mut().zip(mixed).for_each(|(one, score)| one.ranked.hit.score = score);
        // Stable: what is equally good stays in its order.
        candidates.sort_by(|a, b| b.ranked.hit.score.total_cmp(&a.ranked.hit.score));
    }
    if options.collapse {
        candidates = collapse::duplicates(candidates);
    }
    if options.by_document {
        candidates = collapse::documents(candidates);
    }
    if let (true, Some(details)) = (options.diversity > 0.0, details) {
        let scores: Vec<f32> = candidates.iter().map(|one| one.ranked.hit.score).collect();
        let vector =
            |one: &Candidate| details.get(&one.ranked.hit.chunk).map_or(&[][..], |known| &known.vector);
        let vectors: Vec<&[f32]> = candidates.iter().map(vector).collect();
        let order = diversity::order(&scores, &vectors, options.diversity);
        let mut places: Vec<Option<Candidate>> = candidates.into_iter().map(Some).collect();
        candidates = order.into_iter().filter_map(|at| places[at].take()).collect();
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::super::options::Recency;
    use super::super::testing::candidate;
    use super::*;
    use serde_json::json;

    fn ids(candidates: &[Candidate]) -> Vec<i64> {
        candidates.iter().map(|one| one.ranked.hit.chunk.0).collect()
    }

    fn detail(updated_at: f64, vector: &[f32]) -> Details {
        Details { updated_at, vector: vector.to_vec() }
    }

    #[test]
    fn the_newer_of_two_alike_comes_first_by_change_or_by_attribute() {
        let now = 1e9;
        let details =
            HashMap::from([(ChunkId(11), detail(now - 864_000.0, &[])), (ChunkId(21), detail(now, &[]))]);
        let mut recency = Recency { half_life_days: 10.0, weight: 0.5, field: None };
        let options = |recency: &Recency| Options { recency: Some(recency.clone()), ..Options::default() };
        let both = || vec![candidate(11, 0.5), candidate(21, 0.5)];
        assert_eq!(ids(&arrange(both(), &options(&recency), Some(&details), now)), [21, 11]);
        assert_eq!(ids(&arrange(both(), &options(&recency), None, now)), [11, 21], "without dates as it was");
        recency.field = Some("day".to_owned());
        let mut dated = both();
        dated[0].ranked.hit.attributes = json!({"day": "2001-09-09"});
        assert_eq!(ids(&arrange(dated, &options(&recency), Some(&HashMap::new()), now)), [11, 21]);
    }

    #[test]
    fn one_result_stands_for_its_document_before_results_are_spread() {
        let details = HashMap::from([
            (ChunkId(11), detail(0.0, &[1.0, 0.0])),
            (ChunkId(12), detail(0.0, &[1.0, 0.0])),
            (ChunkId(21), detail(0.0, &[1.0, 0.0])),
            (ChunkId(31), detail(0.0, &[0.0, 1.0])),
        ]);
        let all = || vec![candidate(11, 0.9), candidate(12, 0.8), candidate(21, 0.7), candidate(31, 0.6)];
        let options = Options { by_document: true, diversity: 0.5, ..Options::default() };
        let arranged = arrange(all(), &options, Some(&details), 0.0);
        assert_eq!(ids(&arranged), [11, 31, 21]);
        assert_eq!((arranged[0].same_document, &arranged[0].members), (1, &vec![11, 12]));
        assert_eq!(ids(&arrange(all(), &options, None, 0.0)), [11, 21, 31], "without vectors by score");
    }
}
