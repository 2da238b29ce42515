//! The second look: a model that reads the query and each result together puts them in order.

use super::Rag;
use super::search::{Degradation, SearchQuery};
use crate::flags::{SWITCHED_OFF, Switches};
use mcp_rag_actors::remote::ModelError;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::Hit;

/// A result and the reranker's score, where it was asked.
pub(super) struct Ranked {
    pub(super) hit: Hit,
    pub(super) rerank: Option<f32>,
}

impl Rag {
    /// How many results to fetch, at least `depth`, and whether they will be reranked.
    pub(super) fn candidates(
        &self,
        depth: u16,
        query: &SearchQuery,
        switches: Switches,
        degraded: &mut Vec<Degradation>,
    ) -> (u16, bool) {
        if !query.rerank {
            return (depth, false);
        }
        match self.reranker.candidates(depth) {
            Ok(candidates) if switches.reranker => (candidates, true),
            Ok(_) => {
                degraded.push(Degradation::new("reranker", SWITCHED_OFF, "fused_order"));
                (depth, false)
            }
            Err(error) => {
                degraded.push(unranked(&error));
                (depth, false)
            }
        }
    }

    /// Best first, by the reranker's score; in the fused order, and said so, when it gives none.
    pub(super) async fn rerank(
        &self,
        query: &SearchQuery,
        hits: Vec<Hit>,
        degraded: &mut Vec<Degradation>,
        deadline: Deadline,
    ) -> Vec<Ranked> {
        if hits.is_empty() {
            return Vec::new();
        }
        let texts = hits.iter().map(read).collect();
        let text = query.text.clone().unwrap_or_default();
        match self.reranker.rerank(text, texts, deadline).await {
            Ok(scores) => {
                let mut ranked: Vec<Ranked> = hits
                    .into_iter()
                    .zip(scores)
                    .map(|(hit, score)| Ranked { hit: Hit { score, ..hit }, rerank: Some(score) })
                    .collect();
                // Stable: equal scores keep the fused order.
                ranked.sort_by(|one, other| other.hit.score.total_cmp(&one.hit.score));
                ranked
            }
            Err(error) => {
                tracing::debug!(%error, "the results were not reranked");
                degraded.push(unranked(&error));
                in_order(hits)
            }
        }
    }
}

pub(super) fn in_order(hits: Vec<Hit>) -> Vec<Ranked> {
    hits.into_iter().map(|hit| Ranked { hit, rerank: None }).collect()
}

fn unranked(error: &ModelError) -> Degradation {
    Degradation::new("reranker", error.reason(), "fused_order")
}

/// What the model reads of a result: where the text stands, and the text.
fn read(hit: &Hit) -> String {
    let context = std::iter::once(&hit.title).chain(&hit.headings).filter(|part| !part.is_empty());
    context.chain([&hit.text]).map(String::as_str).collect::<Vec<_>>().join("\n")
}
