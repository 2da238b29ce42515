//! The vectors of a search's queries.

use super::queries::Queries;
use super::{Degradation, SearchQuery};
use crate::rag::Rag;
use crate::rag::catalog::Selection;
use mcp_rag_actors::embedder::{Embed, Purpose};
use mcp_rag_actors::remote::ModelError;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{Mode, Space};
use mcp_rag_actors::trace::TARGET;
use std::sync::Arc;
use std::time::Instant;
use tracing::{Instrument, info_span};

/// What there is to compare, and how the search goes on with it.
pub(super) struct Vectors {
    pub(super) mode: Mode,
    /// The vectors and the space they are compared in stay together: a switch meanwhile changes neither.
    pub(super) vectors: Vec<(Vec<f32>, Arc<Space>)>,
    /// Why there are none.
    pub(super) failed: Option<Degradation>,
    /// When they were there.
    pub(super) at: Instant,
}

impl Rag {
    /// In the order of the queries; none for a search by words.
    pub(super) async fn vectors(
        &self,
        query: &SearchQuery,
        queries: &Queries,
        mode: Mode,
        selection: &Selection,
        deadline: Deadline,
    ) -> Vectors {
        let found = |mode, vectors, failed| Vectors { mode, vectors, failed, at: Instant::now() };
        let Some(space) = selection.space.as_ref().filter(|_| mode != Mode::Lexical) else {
            return found(mode, Vec::new(), None);
        };
        if let Some(vector) = &query.embedding {
            return found(mode, vec![(vector.clone(), Arc::clone(space))], None);
        }
        let texts = queries.asked.iter().map(|one| one.text.clone().unwrap_or_default()).collect();
        // Half of what is left stays for the search without it.
        let within = deadline.capped(deadline.remaining() / 2);
        let embed = async {
            let model = self.models.of(&space.spec).ok_or(ModelError::NotConfigured)?;
            model.embed(Embed { texts, purpose: Purpose::Query }, within).await
        };
        match embed.instrument(info_span!(target: TARGET, "embed")).await {
            Ok(vectors) => {
                found(mode, vectors.into_iter().map(|vector| (vector, Arc::clone(space))).collect(), None)
            }
            Err(error) => {
                tracing::debug!(%error, "the query was not embedded");
                let failed = Degradation::new("embedder", error.reason(), "lexical");
                found(Mode::Lexical, Vec::new(), Some(failed))
            }
        }
    }
}
