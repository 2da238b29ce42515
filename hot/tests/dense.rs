//! The vectors' index against comparing with all.

use half::f16;
use mcp_rag_hot::Bitmap;
use mcp_rag_hot::dense::{Dense, DenseError, Effort, Hit, Scratch};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

const DIMENSIONS: usize = 64;

/// A small reproducible random generator.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn normal(&mut self) -> f32 {
        (0..4).map(|_| (self.next() >> 40) as f32 / (1 << 24) as f32 - 0.5).sum::<f32>() * 3_f32.sqrt()
    }
}

/// Vectors around themes, as texts are.
struct Themes(Vec<Vec<f32>>, Dice);

impl Themes {
    fn new(seed: u64, count: usize) -> Self {
        let mut dice = Dice(seed);
        let theme = |dice: &mut Dice| (0..DIMENSIONS).map(|_| dice.normal()).collect();
        Self((0..count).map(|_| theme(&mut dice)).collect(), dice)
    }

    fn vector(&mut self) -> Vec<f32> {
        let (a, b) = (self.1.below(self.0.len()), self.1.below(self.0.len()));
        (0..DIMENSIONS).map(|at| self.0[a][at] + 0.5 * self.0[b][at] + 0.3 * self.1.normal()).collect()
    }

    fn vectors(&mut self, count: usize) -> Vec<Vec<f32>> {
        (0..count).map(|_| self.vector()).collect()
    }
}

type Model = BTreeMap<u32, Vec<f32>>;

fn half(x: f32) -> f64 {
    f16::from_f32(x).to_f64()
}

/// As PostgreSQL computes it, in more digits.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| half(*a) * half(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn nearest(model: &Model, query: &[f32], k: usize, allowed: impl Fn(u32) -> bool) -> Vec<(u32, f64)> {
    let all = model.iter().filter(|(slot, _)| allowed(**slot));
    let mut all: Vec<(u32, f64)> = all.map(|(slot, vector)| (*slot, cosine(query, vector))).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.truncate(k);
    all
}

fn filled(dense: &Dense, vectors: &[Vec<f32>]) -> Model {
    let all: Vec<(u32, &[f32])> = (0_u32..).zip(vectors.iter().map(Vec::as_slice)).collect();
    dense.insert_all(&all, 2).expect("inserted");
    (0_u32..).zip(vectors.iter().cloned()).collect()
}

/// The share of the true nearest that was found; asserts that similarities are right and as many as there can be.
fn recall(
    dense: &Dense,
    model: &Model,
    queries: &[Vec<f32>],
    k: usize,
    effort: Effort,
    allowed: Option<&Bitmap>,
) -> f64 {
    let (mut scratch, mut found, mut wanted) = (Scratch::default(), 0, 0);
    for query in queries {
        let right = nearest(model, query, k, |slot| allowed.is_none_or(|allowed| allowed.contains(slot)));
        let hits = dense.search(query, k, effort, allowed, &mut scratch).expect("found");
        assert_eq!(hits.len(), right.len(), "all there can be, by {:?}", scratch.plan());
        assert!(hits.is_sorted_by(|a, b| a.similarity >= b.similarity));
        for Hit { slot, similarity } in &hits {
            assert!(allowed.is_none_or(|allowed| allowed.contains(*slot)));
            assert!((f64::from(*similarity) - cosine(query, &model[slot])).abs() < 1e-4);
        }
        let last = right.last().map_or(0.0, |last| last.1) - 1e-4;
        found += hits.iter().filter(|hit| f64::from(hit.similarity) >= last).count();
        wanted += right.len();
    }
    if wanted == 0 { 1.0 } else { found as f64 / wanted as f64 }
}

#[test]
fn a_walk_finds_nearly_all_of_the_nearest_and_an_exact_search_all() {
    let mut themes = Themes::new(1, 400);
    let dense = Dense::new(DIMENSIONS);
    let model = filled(&dense, &themes.vectors(6000));
    let queries = themes.vectors(100);
    let walked = recall(&dense, &model, &queries, 10, Effort::Candidates(100), None);
    assert!(walked > 0.97, "{walked}");
    let exact = recall(&dense, &model, &queries, 10, Effort::Exact, None);
    assert!((exact - 1.0).abs() < f64::EPSILON, "{exact}");
}

#[test]
fn a_filter_of_any_selectivity_gets_a_full_answer_near_the_best() {
    let mut themes = Themes::new(2, 400);
    let dense = Dense::new(DIMENSIONS);
    let model = filled(&dense, &themes.vectors(10_000));
    let queries = themes.vectors(50);
    for one_in in [1, 2, 10, 100, 1000] {
        let allowed: Bitmap = (0..10_000).filter(|slot| slot % one_in == 0).collect();
        let found = recall(&dense, &model, &queries, 10, Effort::Recall(0.97), Some(&allowed));
        assert!(found > 0.95, "one in {one_in}: {found}");
    }
}

#[test]
fn those_far_from_the_query_are_found_when_only_they_are_allowed() {
    let mut themes = Themes::new(3, 50);
    let dense = Dense::new(DIMENSIONS);
    let model = filled(&dense, &themes.vectors(8000));
    let query = themes.vector();
    // The farthest tenth: a walk that goes towards the query never comes by.
    let mut order = nearest(&model, &query, usize::MAX, |_| true);
    let allowed: Bitmap = order.split_off(7200).into_iter().map(|(slot, _)| slot).collect();
    let found = recall(&dense, &model, &[query], 10, Effort::Recall(0.97), Some(&allowed));
    assert!(found > 0.95, "{found}");
}

#[test]
fn recall_survives_the_replacement_of_everything() {
    let mut themes = Themes::new(4, 300);
    let dense = Dense::new(DIMENSIONS);
    let mut model = filled(&dense, &themes.vectors(3000));
    let mut dice = Dice(5);
    for slot in 0..3000 {
        // Half of them into the slots of the removed, half into new ones.
        assert!(dense.remove(slot));
        model.remove(&slot);
        let to = if dice.below(2) == 0 { slot } else { 3000 + slot };
        let vector = themes.vector();
        dense.insert(to, &vector).unwrap();
        model.insert(to, vector);
    }
    assert_eq!(dense.len(), 3000);
    let found = recall(&dense, &model, &themes.vectors(100), 10, Effort::Candidates(100), None);
    assert!(found > 0.97, "{found}");
}

#[test]
fn removing_nearly_all_leaves_the_rest_to_be_found() {
    let mut themes = Themes::new(6, 300);
    let dense = Dense::new(DIMENSIONS);
    let mut model = filled(&dense, &themes.vectors(8000));
    let gone: Vec<u32> = (0..8000).filter(|slot| slot % 20 != 0).collect();
    assert_eq!(dense.remove_all(&gone, 2), 7600);
    assert_eq!(dense.remove_all(&gone, 2), 0);
    model.retain(|slot, _| slot % 20 == 0);
    let found = recall(&dense, &model, &themes.vectors(50), 10, Effort::Candidates(60), None);
    assert!(found > 0.97, "{found}");
}

#[test]
fn many_equal_vectors_are_as_good_as_different_ones() {
    let mut themes = Themes::new(7, 300);
    let dense = Dense::new(DIMENSIONS);
    let same = themes.vector();
    let mut vectors = themes.vectors(4000);
    vectors.extend(std::iter::repeat_n(same.clone(), 1000));
    let model = filled(&dense, &vectors);
    let found = recall(&dense, &model, &[same], 50, Effort::Recall(0.97), None);
    assert!(found > 0.95, "{found}");
    let found = recall(&dense, &model, &themes.vectors(50), 10, Effort::Candidates(100), None);
    assert!(found > 0.95, "{found}");
}

#[test]
fn searches_beside_changes_find_only_what_is_there_or_was() {
    let mut themes = Themes::new(8, 200);
    let dense = Dense::new(DIMENSIONS);
    let stay = themes.vectors(3000);
    filled(&dense, &stay);
    let come: Vec<Vec<f32>> = themes.vectors(1500);
    let queries = themes.vectors(20);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut scratch = Scratch::default();
                let mut rounds = 0;
                while !done.load(Ordering::Relaxed) || rounds == 0 {
                    for query in &queries {
                        let hits =
                            dense.search(query, 10, Effort::Candidates(40), None, &mut scratch).unwrap();
                        assert_eq!(hits.len(), 10);
                        for hit in hits {
                            let at = hit.slot as usize;
                            let vector = if at < 3000 { &stay[at] } else { &come[at - 3000] };
                            assert!((f64::from(hit.similarity) - cosine(query, vector)).abs() < 1e-4);
                        }
                    }
                    rounds += 1;
                }
            });
        }
        for (slot, vector) in (3000..).zip(&come) {
            dense.insert(slot, vector).unwrap();
            if slot % 3 == 0 {
                assert!(dense.remove(slot));
                dense.insert(slot, vector).unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(dense.len(), 4500);
}

#[test]
fn calibrating_holds_the_recall_that_is_asked_for() {
    let mut themes = Themes::new(9, 2000);
    let dense = Dense::new(DIMENSIONS);
    let model = filled(&dense, &themes.vectors(5000));
    let calibrated = dense.calibrate(&themes.vectors(200), 10, 0.97).unwrap();
    assert!(calibrated.recall >= 0.97, "{calibrated:?}");
    let found = recall(&dense, &model, &themes.vectors(200), 10, Effort::Recall(0.97), None);
    assert!(found > 0.955, "{calibrated:?} {found}");
}

#[test]
fn what_is_not_a_vector_of_the_space_is_refused_and_changes_nothing() {
    let dense = Dense::new(3);
    dense.insert(7, &[1.0, 0.0, 0.0]).unwrap();
    let refused = |vector: &[f32]| dense.insert_all(&[(8, &[1.0; 3]), (9, vector)], 1);
    assert!(matches!(refused(&[1.0]), Err(DenseError::Dimensions { expected: 3, found: 1 })));
    assert!(matches!(refused(&[0.0; 3]), Err(DenseError::NoDirection)));
    assert!(matches!(refused(&[f32::NAN, 0.0, 1.0]), Err(DenseError::NoDirection)));
    assert!(matches!(refused(&[1e6, 0.0, 1.0]), Err(DenseError::NoDirection)), "beyond what a half can hold");
    assert!(matches!(dense.insert(7, &[1.0; 3]), Err(DenseError::Occupied(7))));
    assert!(matches!(dense.insert_all(&[(8, &[1.0; 3]), (8, &[1.0; 3])], 1), Err(DenseError::Occupied(8))));
    assert!(matches!(dense.insert(u32::MAX, &[1.0; 3]), Err(DenseError::Beyond(_))));
    assert_eq!(dense.len(), 1);
    let mut scratch = Scratch::default();
    assert!(matches!(
        dense.search(&[0.0; 3], 1, Effort::Exact, None, &mut scratch),
        Err(DenseError::NoDirection)
    ));
    let exact = dense.exact(&[1.0, 1.0, 0.0], &[8, 7]).unwrap();
    assert!(exact[0].is_none() && (exact[1].unwrap() - 0.5_f32.sqrt()).abs() < 1e-6);
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u32),
    Remove(u32),
    Search { k: usize, one_in: u32 },
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_u32..400).prop_map(Step::Insert),
        4 => (0_u32..400).prop_map(Step::Remove),
        3 => (0_usize..30, 1_u32..20).prop_map(|(k, one_in)| Step::Search { k, one_in }),
        1 => Just(Step::Reload),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_happens_it_holds_what_a_map_holds(
        steps in prop::collection::vec(step(), 1..600), seed in any::<u64>(),
    ) {
        let mut themes = Themes::new(seed, 20);
        let mut dense = Dense::new(DIMENSIONS);
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Insert(slot) => {
                    let vector = themes.vector();
                    let inserted = dense.insert(slot, &vector);
                    prop_assert_eq!(inserted.is_ok(), !model.contains_key(&slot));
                    model.entry(slot).or_insert(vector);
                }
                Step::Remove(slot) => prop_assert_eq!(dense.remove(slot), model.remove(&slot).is_some()),
                Step::Search { k, one_in } => {
                    let allowed: Bitmap = (0..500).filter(|slot| slot % one_in == 0).collect();
                    let found = recall(&dense, &model, &[themes.vector()], k, Effort::Recall(0.97), Some(&allowed));
                    prop_assert!(found > 0.8, "{found}");
                }
                Step::Reload => {
                    let mut file = Vec::new();
                    dense.save(&mut file).unwrap();
                    dense = Dense::load(&mut file.as_slice()).unwrap();
                }
            }
            prop_assert_eq!(dense.len(), model.len());
        }
    }
}
