//! What is not a caller's own is not found however the vectors are walked, and a file brings all of it back.

use crate::searches::all;
use mcp_rag_hot::dense::Effort;
use mcp_rag_hot::{About, Change, Chunk, Collection, Document, Hit, Mode, Scratch, Search, Sight, search};

const DIMENSIONS: usize = 8;

/// Of a thousand chunks every second has a vector; the first forty, which are nearest to what is asked, are Ann's.
fn collection() -> Collection {
    let collection = Collection::new(1, Some(DIMENSIONS));
    let documents = (0..1_000_i64).map(|id| {
        let angle = id as f32 / 1_000.0;
        let vector = (0..DIMENSIONS)
            .map(|at| if at == 0 { angle.cos() } else { angle.sin() * (at as f32 + angle).sin() });
        let chunk = Chunk { id, vector: (id % 2 == 0).then(|| vector.collect()), ..Chunk::default() };
        let acl = if id < 40 { vec!["ann".to_owned()] } else { Vec::new() };
        let about =
            About { id, external_id: id.to_string(), attributes: "{}".to_owned(), acl, ..About::default() };
        Change::Put(Box::new(Document { about, chunks: vec![chunk] }))
    });
    collection.apply_all(&documents.collect::<Vec<_>>(), 2).expect("applied");
    collection
}

fn nearest(collection: &Collection, sight: Sight<'_>) -> Vec<Hit> {
    let query = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let asked =
        Search { mode: Mode::Dense, effort: Effort::Candidates(10), sight, limit: 10, ..all(&query, &[]) };
    search(&[collection], &asked, &mut Scratch::default()).expect("searched")
}

#[test]
fn a_walk_finds_nothing_that_is_hidden_and_still_as_much_as_is_wanted() {
    let collection = collection();
    let public = nearest(&collection, Sight::Public);
    assert_eq!(public.len(), 10);
    assert!(public.iter().all(|hit| hit.chunk >= 40));
    assert!(nearest(&collection, Sight::Named(&["ann"])).iter().any(|hit| hit.chunk < 40));
    assert!(nearest(&collection, Sight::Named(&["bob"])).iter().all(|hit| hit.chunk >= 40));
}

#[test]
fn a_file_brings_back_all_of_it_and_a_part_of_it_or_another_ones_is_refused() {
    let before = collection();
    let file = before.save(Vec::new()).expect("saved");
    let after = Collection::load(1, Some(DIMENSIONS), file.as_slice()).expect("loaded");
    assert_eq!(nearest(&after, Sight::All), nearest(&before, Sight::All));
    assert_eq!(nearest(&after, Sight::Public), nearest(&before, Sight::Public));
    assert_eq!((after.stamps(), after.totals()), (before.stamps(), before.totals()));
    assert!(Collection::load(2, Some(DIMENSIONS), file.as_slice()).is_err());
    assert!(Collection::load(1, Some(DIMENSIONS + 1), file.as_slice()).is_err());
    assert!(Collection::load(1, Some(DIMENSIONS), &file[..file.len() - 1]).is_err());
}
