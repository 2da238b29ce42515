//! Filters select what they say, chunk by chunk, after any changes.

use crate::given::{DIMENSIONS, changes, filter};
use crate::model::Model;
use crate::searches::all;
use mcp_rag_hot::{Collection, Mode, Scratch, Search, search};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_filter_selects_the_documents_that_the_grammar_says(changes in changes(), filter in filter()) {
        let collection = Collection::new(1, Some(DIMENSIONS));
        let mut model = Model::default();
        for change in &changes {
            collection.apply(change).expect("applied");
            model.apply(change);
        }
        let vector = [1.0, 0.0, 0.0, 0.0];
        let asked = Search { mode: Mode::Dense, filter: Some(&filter), ..all(&vector, &[]) };
        let hits = search(&[&collection], &asked, &mut Scratch::default()).expect("searched");
        let mut found: Vec<i64> = hits.iter().map(|hit| hit.chunk).collect();
        let with_vector = model.allowed(&asked).into_iter().filter(|chunk| chunk.vector.is_some());
        let mut right: Vec<i64> = with_vector.map(|chunk| chunk.id).collect();
        found.sort_unstable();
        right.sort_unstable();
        prop_assert_eq!(found, right);
        prop_assert_eq!(collection.count(Some(&filter), asked.sight, asked.now).chunks, model.allowed(&asked).len());
    }
}
