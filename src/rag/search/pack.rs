//! From candidates in their final order to one page of results within `top_k` and `max_tokens`.

use super::cursor::MOST_GIVEN;
use super::overlap::unsaid;
use super::refine::Candidate;
use super::{Scores, SearchQuery, SearchResult, Span};
use crate::rag::rerank::Ranked;
use mcp_rag_actors::store::{Collection, DocumentId};

/// One page.
pub(super) struct Page {
    pub(super) results: Vec<SearchResult>,
    /// Whether `max_tokens` left results out.
    pub(super) truncated: bool,
    /// Ids of all chunks given so far, ascending, if it is possible and worth while to go on.
    pub(super) next: Option<Vec<i64>>,
}

/// `more`: the candidates may not be all there are.
pub(super) fn pack(
    candidates: Vec<Candidate>,
    query: &SearchQuery,
    collections: &[Collection],
    more: bool,
) -> Page {
    let before: &[i64] = query.options.cursor.as_ref().map_or(&[], |cursor| &cursor.given);
    let most = candidates.len().min(usize::from(query.top_k));
    let mut said: Vec<(DocumentId, (i32, i32))> = Vec::with_capacity(most);
    let mut given: Vec<i64> = before.to_vec();
    let mut budget = query.max_tokens.map(i64::from);
    let (mut results, mut truncated, mut left_over) = (Vec::with_capacity(most), false, false);
    for candidate in candidates {
        let hit = &candidate.ranked.hit;
        if candidate.members.iter().any(|id| before.binary_search(id).is_ok()) {
            said.push((hit.document, hit.span));
            continue;
        }
        if query.min_score.is_some_and(|least| hit.score < least) {
            continue;
        }
        if results.len() == usize::from(query.top_k) {
            left_over = true;
            break;
        }
        let candidate = match &mut budget {
            None => candidate,
            Some(left) => {
                let Some(candidate) = without_repeats(candidate, &said) else { continue };
                *left -= i64::from(candidate.ranked.hit.tokens);
                // The first result always fits, so that a small budget is not an empty answer.
                if *left < 0 && !results.is_empty() {
                    (truncated, left_over) = (true, true);
                    break;
                }
                candidate
            }
        };
        said.push((candidate.ranked.hit.document, candidate.ranked.hit.span));
        given.push(candidate.ranked.hit.chunk.0);
        results.push(result(candidate, collections));
    }
    // Without a result there is nothing to go on from: a client that follows cursors always comes to an end.
    let next = (!results.is_empty() && (more || left_over) && given.len() < MOST_GIVEN).then(|| {
        given.sort_unstable();
        given
    });
    Page { results, truncated, next }
}

/// What the results before it do not say already; nothing when they say all of it.
fn without_repeats(mut candidate: Candidate, said: &[(DocumentId, (i32, i32))]) -> Option<Candidate> {
    let hit = &mut candidate.ranked.hit;
    let of_document: Vec<(i32, i32)> =
        said.iter().filter(|(document, _)| *document == hit.document).map(|(_, span)| *span).collect();
    let left = unsaid(&hit.text, hit.span, &of_document)?;
    if left.len() < hit.text.len() {
        let whole = hit.text.len().max(1) as f64;
        hit.tokens = (f64::from(hit.tokens) * left.len() as f64 / whole).ceil() as i32;
        let offset = |at: usize| hit.span.0 + i32::try_from(at).unwrap_or_default();
        hit.span = (offset(left.start), offset(left.end));
        hit.text = hit.text.get(left).unwrap_or_default().to_owned();
        // What matched may have been said: then what is left is only its surroundings.
        let within = hit.span;
        hit.matched = hit.matched.filter(|(start, end)| within.0 <= *start && *end <= within.1);
    }
    Some(candidate)
}

fn result(candidate: Candidate, collections: &[Collection]) -> SearchResult {
    let Candidate { ranked: Ranked { hit, rerank }, duplicates, same_document, members: _ } = candidate;
    let name = collections.iter().find(|collection| collection.id == hit.collection);
    SearchResult {
        chunk_id: hit.chunk.to_string(),
        document_id: hit.document.to_string(),
        external_id: hit.external_id,
        collection: name.map(|collection| collection.name.clone()).unwrap_or_default(),
        title: hit.title,
        uri: hit.uri,
        text: hit.text,
        headings: hit.headings,
        location: hit.place,
        score: hit.score,
        scores: Scores { dense: hit.dense, lexical: hit.lexical, rerank },
        span: Span { start: hit.span.0, end: hit.span.1 },
        matched: hit.matched.map(|(start, end)| Span { start, end }),
        tokens: hit.tokens,
        attributes: hit.attributes,
        duplicates,
        same_document,
    }
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Cursor;
    use super::super::options::Options;
    use super::super::testing::{candidate, candidate_of};
    use super::*;
    use mcp_rag_actors::store::Mode;
    use proptest::prelude::*;

    fn query(top_k: u16, max_tokens: Option<u32>, given: Option<Vec<i64>>) -> SearchQuery {
        let cursor = given.map(|given| Cursor { search: [0; 8], state: [0; 8], rewritten: vec![], given });
        SearchQuery {
            text: Some("x".to_owned()),
            embedding: None,
            collections: None,
            top_k,
            mode: Mode::Hybrid,
            filter: None,
            min_score: None,
            max_tokens,
            rerank: false,
            allow_degraded: true,
            options: Options { cursor, ..Options::default() },
        }
    }

    fn ids(page: &Page) -> Vec<&str> {
        page.results.iter().map(|result| result.chunk_id.as_str()).collect()
    }

    #[test]
    fn an_overlap_is_said_once_and_counts_once() {
        let text = "Alpha beta. Gamma delta. Epsilon zeta.";
        let at = |id: i64, from: usize, to: usize| {
            let mut candidate = candidate_of(id, 1.0, &text[from..to]);
            candidate.ranked.hit.span = (from as i32, to as i32);
            candidate.ranked.hit.tokens = (to - from) as i32;
            candidate
        };
        let page = pack(vec![at(11, 0, 24), at(12, 12, 38)], &query(5, Some(100), None), &[], false);
        assert_eq!(page.results[1].text, "Epsilon zeta.");
        assert_eq!((page.results[1].span, page.results[1].tokens), (Span { start: 25, end: 38 }, 13));
        let apart = pack(vec![at(11, 0, 24), at(12, 12, 38)], &query(5, None, None), &[], false);
        assert_eq!(apart.results[1].text, "Gamma delta. Epsilon zeta.", "without a budget chunks stay whole");
        let within = pack(vec![at(11, 0, 38), at(12, 12, 24)], &query(5, Some(100), None), &[], false);
        assert_eq!((ids(&within), within.truncated), (vec!["chk_11"], false));
    }

    #[test]
    fn what_was_given_is_not_given_again_nor_what_it_stood_for() {
        let mut group = candidate(11, 0.9);
        group.absorb(candidate(12, 0.8));
        let page = pack(vec![group, candidate(21, 0.7)], &query(5, None, Some(vec![12])), &[], false);
        assert_eq!(ids(&page), ["chk_21"]);
        assert_eq!(page.next, None, "nothing is left");
    }

    proptest! {
        #[test]
        fn pages_together_are_the_whole_in_its_order(count in 0..40_i64, top_k in 1..9_u16, budget in prop::option::of(1..40_u32)) {
            let all = || (0..count).map(|n| candidate(n * 10, 1.0 - n as f32 / 100.0)).collect::<Vec<_>>();
            let (mut given, mut seen) = (None, Vec::new());
            for _ in 0..=count {
                let page = pack(all(), &query(top_k, budget, given.clone()), &[], false);
                seen.extend(page.results.iter().map(|result| result.chunk_id.clone()));
                prop_assert!(page.results.len() <= usize::from(top_k));
                prop_assert!(!page.truncated || page.next.is_some());
                given = page.next;
                if given.is_none() {
                    break;
                }
            }
            let whole: Vec<String> = (0..count).map(|n| format!("chk_{}", n * 10)).collect();
            prop_assert_eq!(seen, whole);
        }
    }
}
