//! Whoever searches while a document changes sees all of its old chunks or all of its new ones.

use crate::given::base;
use crate::searches::all;
use mcp_rag_hot::{About, Change, Chunk, Collection, Document, Mode, Scratch, Search, Term, search, words};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const CHANGES: i64 = 300;

fn version(of: i64, number: i64) -> Change {
    // More than are staged in one step, and of each version another number.
    let chunks = 40 + number % 3;
    let chunk = |ordinal: i64| Chunk {
        id: number * 1000 + ordinal,
        ordinal: ordinal as i32,
        text: number.to_string(),
        keys: vec![base(1) | 1],
        length: 3,
        vector: Some(vec![1.0, ordinal as f32 / 50.0, 0.0, 0.0]),
        ..Chunk::default()
    };
    let about =
        About { id: of, external_id: of.to_string(), attributes: "{}".to_owned(), ..About::default() };
    Change::Put(Box::new(Document { about, chunks: (0..chunks).map(chunk).collect() }))
}

#[test]
fn a_search_never_sees_a_part_of_a_change() {
    let collection = Collection::new(1, Some(4));
    collection.apply(&version(7, 0)).expect("applied");
    let (over, searches) = (AtomicBool::new(false), AtomicUsize::new(0));
    let look = |mode: Mode, early: bool| {
        let mut scratch = Scratch::default();
        let terms = [Term { collection: 1, base: base(1), count: 1.0 }];
        while !over.load(Ordering::Relaxed) {
            let asked = Search { mode, ..all(&[1.0, 0.1, 0.0, 0.0], &terms) };
            let words = early.then(|| words(&[&collection], &asked, &mut scratch));
            let asked = Search { words: words.as_ref(), ..asked };
            let hits = search(&[&collection], &asked, &mut scratch).expect("searched");
            let number: i64 = hits.first().expect("there is always one").text.parse().expect("a number");
            assert!(hits.iter().all(|hit| hit.text == hits[0].text), "two versions at once");
            assert_eq!(hits.len() as i64, 40 + number % 3, "not all of a version");
            searches.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        let look = &look;
        let ways =
            [(Mode::Dense, false), (Mode::Lexical, false), (Mode::Hybrid, false), (Mode::Hybrid, true)];
        let threads = ways.map(|(mode, early)| scope.spawn(move || look(mode, early)));
        for number in 1..=CHANGES {
            collection.apply(&version(7, number)).expect("applied");
        }
        while searches.load(Ordering::Relaxed) < 10 && threads.iter().all(|thread| !thread.is_finished()) {
            std::thread::yield_now();
        }
        over.store(true, Ordering::Relaxed);
    });
}
