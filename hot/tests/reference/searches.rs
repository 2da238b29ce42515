//! Every mode gives the chunks and scores that the model gives.

use crate::given::{DIMENSIONS, NAMES, changes, filter, query};
use crate::model::{Model, top};
use mcp_rag_hot::dense::Effort;
use mcp_rag_hot::{Change, Collection, Document, Hit, Mode, Scratch, Search, Sight, Term, search, words};
use proptest::prelude::*;
use std::collections::HashMap;

pub(crate) fn all<'a>(vector: &'a [f32], terms: &'a [Term]) -> Search<'a> {
    Search {
        mode: Mode::Hybrid,
        vector: Some(vector),
        effort: Effort::Exact,
        terms,
        filter: None,
        sight: Sight::All,
        now: -1,
        limit: 100,
        candidates: 100,
        words: None,
    }
}

/// Chunks of the same score may change places: sums in different orders are different by a little.
fn agree(hits: &[Hit], model: &Model, asked: &Search<'_>) -> Result<(), TestCaseError> {
    let scored = model.scored(asked);
    let by_chunk: HashMap<i64, _> = scored.iter().map(|one| (one.chunk, *one)).collect();
    let right = top(scored, asked.limit);
    prop_assert_eq!(hits.len(), right.len());
    let near = |a: f64, b: f32| (a - f64::from(b)).abs() < 1e-5 * a.abs().max(1.0);
    for (hit, right) in hits.iter().zip(right) {
        let own = by_chunk.get(&hit.chunk).copied();
        let Some(own) = own else {
            return Err(TestCaseError::fail(format!("chunk {} cannot be found", hit.chunk)));
        };
        prop_assert!(near(right.score, hit.score) && near(own.score, hit.score), "{hit:?} {own:?} {right:?}");
        if let Some(dense) = hit.dense {
            prop_assert!(own.dense.is_some_and(|own| near(own, dense)));
        }
        if let Some(lexical) = hit.lexical {
            prop_assert!(near(own.lexical, lexical));
        }
        let (about, chunk) = model.chunks().find(|(_, chunk)| chunk.id == hit.chunk).expect("known");
        prop_assert_eq!((&hit.text, &hit.headings, hit.document), (&chunk.text, &chunk.headings, about.id));
        prop_assert_eq!(hit.attributes.to_string(), &*about.attributes);
    }
    let ids: std::collections::HashSet<i64> = hits.iter().map(|hit| hit.chunk).collect();
    prop_assert_eq!(ids.len(), hits.len());
    Ok(())
}

fn with_ids_from(first: i64, change: &Change) -> Change {
    let mut change = change.clone();
    if let Change::Put(document) = &mut change {
        document.chunks.iter_mut().for_each(|chunk| chunk.id += first);
    }
    change
}

proptest! {
    #[test]
    fn any_search_of_any_documents_finds_what_the_model_finds(
        changes in changes(), (vector, terms) in query(), filter in prop::option::of(filter()),
        mode in prop::sample::select(vec![Mode::Hybrid, Mode::Dense, Mode::Lexical]),
        named in prop::sample::subsequence(NAMES.as_slice(), 0..=2), everything in any::<bool>(),
        now in -1_i64..5, limit in 1_usize..12, candidates in 1_usize..12,
    ) {
        let collection = Collection::new(1, Some(DIMENSIONS));
        let mut model = Model::default();
        for change in &changes {
            collection.apply(change).expect("applied");
            model.apply(change);
        }
        let terms: Vec<Term> = terms.into_iter().map(|(base, count)| Term { collection: 1, base, count }).collect();
        let sight = if everything { Sight::All } else { Sight::Named(&named) };
        let candidates = candidates.max(limit);
        let asked = Search { mode, filter: filter.as_ref(), sight, now, limit, candidates, ..all(&vector, &terms) };
        let hits = search(&[&collection], &asked, &mut Scratch::default()).expect("searched");
        agree(&hits, &model, &asked)?;
        let counts = collection.count(filter.as_ref(), sight, now);
        prop_assert_eq!(counts.chunks, model.allowed(&asked).len());
        let (documents, chunks, length) = collection.totals();
        prop_assert_eq!(documents, model.documents.len());
        prop_assert_eq!(chunks, model.chunks().count() as i64);
        prop_assert_eq!(length, model.chunks().map(|(_, chunk)| i64::from(chunk.length)).sum::<i64>());
    }

    #[test]
    fn words_found_before_the_vector_count_until_something_changes(
        changes in changes(), (vector, terms) in query(), late in 0_usize..3, limit in 1_usize..12,
        named in prop::sample::subsequence(NAMES.as_slice(), 0..=2),
    ) {
        let collection = Collection::new(1, Some(DIMENSIONS));
        let (before, after) = changes.split_at(changes.len().saturating_sub(late));
        before.iter().for_each(|change| collection.apply(change).expect("applied"));
        let terms: Vec<Term> = terms.into_iter().map(|(base, count)| Term { collection: 1, base, count }).collect();
        let asked = Search { limit, sight: Sight::Named(&named), ..all(&vector, &terms) };
        let early = words(&[&collection], &Search { vector: None, ..asked.clone() }, &mut Scratch::default());
        after.iter().for_each(|change| collection.apply(change).expect("applied"));
        let find = |words| {
            search(&[&collection], &Search { words, ..asked.clone() }, &mut Scratch::default()).expect("searched")
        };
        prop_assert_eq!(find(Some(&early)), find(None));
    }

    #[test]
    fn slots_are_used_again_and_again(
        changes in prop::collection::vec(changes(), 3), (vector, terms) in query(), threads in 1_usize..3,
        mode in prop::sample::select(vec![Mode::Hybrid, Mode::Dense, Mode::Lexical]),
    ) {
        let collection = Collection::new(1, Some(DIMENSIONS));
        let mut model = Model::default();
        for (round, changes) in (0_i64..).zip(changes.iter().cycle().take(30)) {
            let again: Vec<Change> = changes.iter().map(|change| with_ids_from(round * 100, change)).collect();
            collection.apply_all(&again, threads).expect("applied");
            again.iter().for_each(|change| model.apply(change));
        }
        let terms: Vec<Term> = terms.into_iter().map(|(base, count)| Term { collection: 1, base, count }).collect();
        let asked = Search { mode, ..all(&vector, &terms) };
        let hits = search(&[&collection], &asked, &mut Scratch::default()).expect("searched");
        agree(&hits, &model, &asked)?;
        let mut kept = Vec::new();
        collection.each(|document| kept.push(document)).expect("readable");
        kept.sort_by_key(|document| document.about.id);
        let bare = |document: &Document| {
            let mut bare = document.clone();
            bare.chunks.iter_mut().for_each(|chunk| chunk.vector = None);
            bare
        };
        prop_assert_eq!(kept, model.documents.values().map(bare).collect::<Vec<_>>());
    }

    #[test]
    fn collections_are_searched_as_one_with_statistics_of_their_own(
        changes in prop::collection::vec(changes(), 2..4), (vector, terms) in query(), limit in 1_usize..12,
        mode in prop::sample::select(vec![Mode::Dense, Mode::Lexical]),
    ) {
        let (mut collections, mut right, mut terms_of) = (Vec::new(), Vec::new(), Vec::new());
        for (id, changes) in (1_i64..).zip(&changes) {
            let collection = Collection::new(id, Some(DIMENSIONS));
            let mut model = Model::default();
            changes.iter().for_each(|change| model.apply(change));
            changes.iter().for_each(|change| collection.apply(change).expect("applied"));
            let own: Vec<Term> = terms.iter().map(|(base, count)| Term { collection: id, base: *base, count: *count }).collect();
            right.extend(model.scored(&Search { mode, ..all(&vector, &own) }));
            terms_of.extend(own);
            collections.push(collection);
        }
        let asked = Search { mode, limit, ..all(&vector, &terms_of) };
        let together: Vec<&Collection> = collections.iter().rev().chain(&collections).collect();
        let hits = search(&together, &asked, &mut Scratch::default()).expect("searched");
        let right = top(right, limit);
        prop_assert_eq!(hits.len(), right.len());
        prop_assert!(hits.iter().zip(right).all(|(hit, right)| (f64::from(hit.score) - right.score).abs() < 1e-5));
    }
}
