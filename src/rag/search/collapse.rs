//! Results that stand for others: near duplicates by their text, or the other chunks of their document.
//!
//! Texts are compared by the Jaccard similarity of their three-word shingles, estimated from the smallest
//! hashes (a bottom-k MinHash sketch, exact for texts of up to [`SKETCH`] shingles). The cost is bounded: a
//! few hundred candidates, each a fixed sketch, compared with those that stay.

use super::refine::Candidate;
use std::hash::{DefaultHasher, Hash, Hasher};

/// From here on two texts say the same. Boilerplate that is shared by different pages stays well below it.
const SAME: f32 = 0.7;
const SHINGLE: usize = 3;
/// Hashes kept of a text.
const SKETCH: usize = 256;

/// Of results with nearly the same text the best stays; order is kept.
pub(super) fn duplicates(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut kept: Vec<(Vec<u64>, Candidate)> = Vec::new();
    for candidate in candidates {
        let sketch = sketch(&candidate.ranked.hit.text);
        match kept.iter_mut().find(|(other, _)| similarity(other, &sketch) >= SAME) {
            Some((_, best)) => {
                best.duplicates += 1;
                best.absorb(candidate);
            }
            None => kept.push((sketch, candidate)),
        }
    }
    kept.into_iter().map(|(_, candidate)| candidate).collect()
}

/// Of each document the best chunk stays; order is kept.
pub(super) fn documents(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        let document = candidate.ranked.hit.document;
        match kept.iter_mut().find(|best| best.ranked.hit.document == document) {
            Some(best) => {
                best.same_document += 1;
                best.absorb(candidate);
            }
            None => kept.push(candidate),
        }
    }
    kept
}

/// The smallest hashes of the text's shingles, ascending. A text without words is its own shingle.
fn sketch(text: &str) -> Vec<u64> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let hash = |words: &[String]| {
        let mut hasher = DefaultHasher::new();
        words.hash(&mut hasher);
        hasher.finish()
    };
    let mut hashes: Vec<u64> = if words.is_empty() {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        vec![hasher.finish()]
    } else {
        words.windows(SHINGLE.min(words.len())).map(hash).collect()
    };
    hashes.sort_unstable();
    hashes.dedup();
    hashes.truncate(SKETCH);
    hashes
}

/// Of the smallest hashes of both, the share that both have.
fn similarity(a: &[u64], b: &[u64]) -> f32 {
    let (mut at, mut bt, mut common, mut seen) = (0, 0, 0_usize, 0_usize);
    while seen < SKETCH && (at < a.len() || bt < b.len()) {
        match (a.get(at), b.get(bt)) {
            (Some(x), Some(y)) if x == y => {
                common += 1;
                at += 1;
                bt += 1;
            }
            (Some(x), Some(y)) if x < y => at += 1,
            (Some(_), None) => at += 1,
            (_, Some(_)) | (None, None) => bt += 1,
        }
        seen += 1;
    }
    if seen == 0 { 0.0 } else { common as f32 / seen as f32 }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{candidate, candidate_of};
    use super::*;
    use proptest::prelude::*;

    const FOX: &str =
        "The quick brown fox jumps over the lazy dog every morning before the sun comes up over the hill";

    #[test]
    fn texts_that_differ_in_case_marks_and_a_word_are_one_result() {
        let near = FOX.to_uppercase().replace(" OVER THE HILL", ", over the hill!");
        let other =
            "A slow green turtle walks under the busy bridge every evening after the moon has gone down";
        let kept = duplicates(vec![
            candidate_of(1, 0.9, FOX),
            candidate_of(2, 0.8, other),
            candidate_of(3, 0.7, &near),
            candidate_of(4, 0.6, &FOX.replace("hill", "ridge")),
        ]);
        let seen: Vec<_> = kept.iter().map(|one| (one.ranked.hit.chunk.0, one.duplicates)).collect();
        assert_eq!(seen, [(1, 2), (2, 0)]);
        assert_eq!(kept[0].members, [1, 3, 4]);
    }

    #[test]
    fn one_chunk_stands_for_its_document() {
        // The helper's documents are the tens of the chunks' ids.
        let kept =
            documents(vec![candidate(11, 0.9), candidate(21, 0.8), candidate(12, 0.7), candidate(13, 0.1)]);
        let seen: Vec<_> = kept.iter().map(|one| (one.ranked.hit.chunk.0, one.same_document)).collect();
        assert_eq!(seen, [(11, 2), (21, 0)]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_the_order_stays(texts in prop::collection::vec("(a|b|c| ){0,12}", 0..20)) {
            let all = texts.iter().enumerate().map(|(at, text)| candidate_of(at as i64, 1.0 - at as f32 / 100.0, text));
            let kept = duplicates(all.collect());
            prop_assert!(kept.is_sorted_by(|a, b| a.ranked.hit.score >= b.ranked.hit.score));
            let mut members: Vec<i64> = kept.iter().flat_map(|one| one.members.clone()).collect();
            members.sort_unstable();
            prop_assert_eq!(members, (0..texts.len() as i64).collect::<Vec<_>>());
            for (place, one) in kept.iter().enumerate() {
                let sketched = sketch(&one.ranked.hit.text);
                prop_assert!((similarity(&sketched, &sketched) - 1.0).abs() < 1e-6);
                for other in &kept[..place] {
                    prop_assert!(similarity(&sketched, &sketch(&other.ranked.hit.text)) < SAME);
                }
            }
        }
    }
}
