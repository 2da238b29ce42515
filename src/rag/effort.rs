//! How diligently an HNSW index is searched. Pure.

use super::Rag;
use crate::config::SearchSettings;
use mcp_rag_actors::store::Mode;

/// pgvector's own bound of `hnsw.ef_search`.
const MOST: f64 = 1000.0;

impl Rag {
    /// For a search that wants the best `limit` chunks.
    pub(super) fn ef(&self, mode: Mode, limit: u16, chunks: i64) -> u16 {
        let settings = &self.settings().search;
        let wanted = if mode == Mode::Dense { limit } else { settings.candidates.max(limit) };
        ef(settings, wanted, chunks)
    }
}

/// Candidates to keep so that a scan of an index over `chunks` finds the wanted share of the `wanted` nearest.
pub(crate) fn ef(settings: &SearchSettings, wanted: u16, chunks: i64) -> u16 {
    let ef = settings.ef_search.map_or_else(|| for_recall(settings.recall, chunks), f64::from);
    ef.max(f64::from(wanted)).min(MOST) as u16
}

/// Fitted to `bench scale` at 10,000, 100,000 and 1,000,000 chunks (docs/adr/0018-hnsw-parameters.md), with something to
/// spare: what is missed falls with the candidates kept, and the same recall takes more of them in a larger index.
fn for_recall(recall: f64, chunks: i64) -> f64 {
    let decades = (chunks.max(1) as f64 / 1e5).log10();
    let growth = if decades < 0.0 { 0.75 } else { 0.15 };
    (90.0 * (0.05 / (1.0 - recall)).powf(0.62) * 10_f64.powf(growth * decades)).max(40.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(recall: f64, ef_search: Option<u16>) -> SearchSettings {
        SearchSettings {
            deadline_ms: 5000,
            candidates: 50,
            recall,
            ef_search,
            oversampling: 8,
            rewrite_timeout_ms: 2000,
        }
    }

    proptest! {
        #[test]
        fn more_recall_and_more_chunks_never_take_fewer_candidates(
            recall in 0.5_f64..0.99, more in 0.0_f64..0.005, chunks in 0_i64..10_000_000, further in 0_i64..10_000_000,
            wanted in 1_u16..=100,
        ) {
            let least = ef(&settings(recall, None), wanted, chunks);
            prop_assert!(least >= wanted && f64::from(least) <= MOST);
            prop_assert!(ef(&settings(recall + more, None), wanted, chunks) >= least);
            prop_assert!(ef(&settings(recall, None), wanted, chunks + further) >= least);
        }
    }

    #[test]
    fn a_set_number_of_candidates_is_kept_whatever_the_size_but_never_fewer_than_are_wanted() {
        let set = settings(0.99, Some(30));
        assert_eq!(ef(&set, 10, 10_000_000), 30);
        assert_eq!(ef(&set, 100, 1000), 100);
    }
}
