//! Chunks of one document overlap; what is packed into a budget of tokens says nothing twice.

use std::ops::Range;

/// The part of a chunk at `span` that none of the spans in `said`, of the same document, holds: bytes of
/// `text`, or `None` when nothing is left. Only the ends are cut off, so that what is left is still one span.
/// A text that is not exactly the bytes at its span stays whole.
pub(super) fn unsaid(text: &str, span: (i32, i32), said: &[(i32, i32)]) -> Option<Range<usize>> {
    let whole = 0..text.len();
    if i64::from(span.1) - i64::from(span.0) != text.len() as i64 {
        return Some(whole);
    }
    let (mut start, mut end) = span;
    loop {
        let before = (start, end);
        for (from, to) in said {
            if *from <= start && start < *to {
                start = (*to).min(end);
            }
            if *from < end && end <= *to {
                end = (*from).max(start);
            }
        }
        if start >= end {
            return None;
        }
        if (start, end) == before {
            break;
        }
    }
    if (start, end) == span {
        return Some(whole);
    }
    let offset = |at: i32| usize::try_from(at - span.0).unwrap_or_default();
    let range = offset(start)..offset(end);
    let Some(rest) = text.get(range.clone()) else { return Some(whole) };
    let leading = rest.len() - rest.trim_start().len();
    let trimmed = rest.trim();
    // A full stop or a closing fence is nothing to read on its own.
    if !trimmed.contains(char::is_alphanumeric) {
        return None;
    }
    let start = range.start + leading;
    Some(start..start + trimmed.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_said_before_or_after_is_cut_off() {
        let text = "one two three four";
        let left = |said: &[(i32, i32)]| unsaid(text, (100, 118), said).map(|range| &text[range]);
        assert_eq!(left(&[]), Some(text));
        assert_eq!(left(&[(90, 104)]), Some("two three four"));
        assert_eq!(left(&[(113, 140)]), Some("one two three"));
        assert_eq!(left(&[(90, 104), (113, 140)]), Some("two three"));
        assert_eq!(left(&[(90, 107), (106, 140)]), None);
        assert_eq!(left(&[(103, 107)]), Some(text), "in the middle it stays");
        assert_eq!(left(&[(0, 100), (118, 200)]), Some(text), "neighbours do not overlap");
    }

    #[test]
    fn a_text_that_is_not_the_bytes_at_its_span_stays_whole() {
        assert_eq!(unsaid("abc", (0, 10), &[(0, 5)]), Some(0..3));
    }

    proptest! {
        #[test]
        fn what_is_left_of_chunks_in_any_order_overlaps_nowhere(
            text in "([a-zé 日]|\\.){1,120}", cuts in prop::collection::vec((0..120_usize, 1..60_usize), 1..8),
        ) {
            let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let mut said: Vec<(i32, i32)> = Vec::new();
            let mut nested = false;
            for (start, length) in cuts {
                let (from, to) = (boundary(start), boundary(start + length));
                if text[from..to].trim().is_empty() {
                    continue;
                }
                let span = (from as i32, to as i32);
                nested |= said.iter().any(|(a, b)| span.0 < *a && *b < span.1);
                let Some(left) = unsaid(&text[from..to], span, &said) else { continue };
                let (a, b) = ((from + left.start) as i32, (from + left.end) as i32);
                prop_assert!(text.get(a as usize..b as usize).is_some_and(|text| !text.trim().is_empty()));
                if !nested {
                    prop_assert!(said.iter().all(|(x, y)| b <= *x || *y <= a), "{said:?} and {a}..{b}");
                }
                said.push((a, b));
            }
        }
    }
}
