//! How much of a document's text a conversion kept, and in what order: the measure of the parsers.
//!
//! Tokens are maximal runs of alphanumeric characters in lower case, each ideograph one of its own, of the text without
//! HTML comments, the targets of Markdown links and images, and character references.

use std::collections::HashMap;

/// Shares in 0..=1; two empty texts agree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fidelity {
    /// F1 over a longest common subsequence: what was kept, in its order.
    pub ordered: f64,
    /// F1 over the tokens with their counts, whatever their order.
    pub counted: f64,
}

/// Compares a conversion with what was expected of it.
#[must_use]
pub fn compare(converted: &str, expected: &str) -> Fidelity {
    let (ours, theirs) = (tokens(converted), tokens(expected));
    let f1 = |common: usize| match ours.len() + theirs.len() {
        0 => 1.0,
        all => 2.0 * common as f64 / all as f64,
    };
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for token in &theirs {
        *counts.entry(token).or_default() += 1;
    }
    let shared = |token: &&String| counts.get_mut(token.as_str()).is_some_and(take_one);
    let mut shared = shared;
    let counted = ours.iter().filter(|token| shared(token)).count();
    Fidelity { ordered: f1(common_subsequence(&ours, &theirs)), counted: f1(counted) }
}

fn take_one(left: &mut usize) -> bool {
    let any = *left > 0;
    *left -= usize::from(any);
    any
}

/// The length of a longest common subsequence, 64 tokens of `a` at a time (Hyyrö's bit-vector algorithm).
fn common_subsequence(a: &[String], b: &[String]) -> usize {
    let words = a.len().div_ceil(64);
    let mut places: HashMap<&str, Vec<u64>> = HashMap::new();
    for (at, token) in a.iter().enumerate() {
        if let Some(word) = places.entry(token).or_insert_with(|| vec![0; words]).get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }
    let mut state = vec![u64::MAX; words];
    for token in b {
        let Some(matches) = places.get(token.as_str()) else { continue };
        let mut carry = 0;
        for (word, matched) in state.iter_mut().zip(matches) {
            let both = *word & matched;
            let (sum, over) = word.overflowing_add(both);
            let (sum, more) = sum.overflowing_add(carry);
            carry = u64::from(over) | u64::from(more);
            *word = sum | (*word & !matched);
        }
    }
    let used = |at: usize| if (at + 1) * 64 <= a.len() { u64::MAX } else { (1 << (a.len() % 64)) - 1 };
    state.iter().enumerate().map(|(at, word)| (!word & used(at)).count_ones() as usize).sum()
}

fn tokens(text: &str) -> Vec<String> {
    let text = without_markup(text);
    let mut tokens = Vec::new();
    let mut run = String::new();
    for c in text.chars() {
        if is_ideograph(c) {
            tokens.extend((!run.is_empty()).then(|| std::mem::take(&mut run)));
            tokens.push(c.to_string());
        } else if c.is_alphanumeric() {
            run.extend(c.to_lowercase());
        } else if !run.is_empty() {
            tokens.push(std::mem::take(&mut run));
        }
    }
    tokens.extend((!run.is_empty()).then_some(run));
    tokens
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}')
}

/// Comments, link targets and character references out.
fn without_markup(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', ']', '&']) {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let skipped = if let Some(comment) = from.strip_prefix("<!--") {
            comment.find("-->").map(|end| end + 7)
        } else if let Some(target) = from.strip_prefix("](") {
            // A target has no spaces but before its title.
            target.find([')', '\n']).filter(|end| target[*end..].starts_with(')')).map(|end| end + 3)
        } else if let Some(reference) = from.strip_prefix('&') {
            reference.find(';').filter(|end| *end <= 8).and_then(|end| {
                plain.push(referred(&reference[..end])?);
                Some(end + 2)
            })
        } else {
            None
        };
        if skipped.is_some() && !from.starts_with('&') {
            plain.push(' ');
        }
        let skip = skipped.unwrap_or_else(|| {
            plain.push_str(&from[..1]);
            1
        });
        rest = &from[skip..];
    }
    plain.push_str(rest);
    plain
}

fn referred(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn markup_does_not_count_and_order_does() {
        let same = compare("# A b\n\n- c [d](http://x.y) <!-- image --> &amp; e", "A b c d e");
        assert_eq!(same, Fidelity { ordered: 1.0, counted: 1.0 });
        let turned = compare("b a", "a b");
        assert_eq!(turned, Fidelity { ordered: 0.5, counted: 1.0 });
        assert_eq!(compare("", ""), Fidelity { ordered: 1.0, counted: 1.0 });
        assert_eq!(compare("x", "").ordered, 0.0);
        assert_eq!(tokens("中文 ab1"), ["中", "文", "ab1"]);
    }

    fn by_table(a: &[String], b: &[String]) -> usize {
        let mut row = vec![0; b.len() + 1];
        for x in a {
            let mut diagonal = 0;
            for (at, y) in b.iter().enumerate() {
                let above = row[at + 1];
                row[at + 1] = if x == y { diagonal + 1 } else { above.max(row[at]) };
                diagonal = above;
            }
        }
        row[b.len()]
    }

    proptest! {
        #[test]
        fn the_bit_vectors_agree_with_the_table(
            a in prop::collection::vec("[abc]", 0..200), b in prop::collection::vec("[abc]", 0..200),
        ) {
            prop_assert_eq!(common_subsequence(&a, &b), by_table(&a, &b));
        }

        #[test]
        fn any_texts_compare(a in ".{0,200}", b in ".{0,200}") {
            let fidelity = compare(&a, &b);
            prop_assert!((0.0..=1.0).contains(&fidelity.ordered) && fidelity.ordered <= fidelity.counted + 1e-9);
        }
    }
}
