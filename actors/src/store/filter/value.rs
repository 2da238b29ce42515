//! The values that filters compare, as rows hold them.

use super::Scalar;
use serde_json::Value;

/// Characters of a string that its row holds.
const WORD: usize = 256;
/// From here on not every integer is a double of its own.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

/// Whether its row tells less than the value itself.
pub(super) fn is_rounded(value: &Scalar) -> bool {
    match value {
        Scalar::Text(text) => text.chars().nth(WORD - 1).is_some(),
        Scalar::Number(number) => as_double(number).abs() >= EXACT_INTEGERS,
        Scalar::Bool(_) | Scalar::Time(_) => false,
    }
}

pub(super) fn json(value: &Scalar) -> Value {
    match value {
        Scalar::Text(text) => Value::from(text.as_str()),
        Scalar::Number(number) => Value::Number(number.clone()),
        Scalar::Bool(truth) => Value::Bool(*truth),
        Scalar::Time(micros) => Value::from(*micros),
    }
}

pub(super) fn as_double(number: &serde_json::Number) -> f64 {
    number.as_f64().unwrap_or_default()
}

/// The start of a string, as its row holds it.
pub(super) fn word(text: &str) -> &str {
    text.char_indices().nth(WORD).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_row_cannot_hold_whole_is_rounded() {
        let text = |length| Scalar::Text("é".repeat(length));
        assert!(!is_rounded(&text(WORD - 1)) && is_rounded(&text(WORD)));
        assert_eq!(word(&"é".repeat(WORD + 1)).chars().count(), WORD);
        assert!(!is_rounded(&Scalar::Number(9_007_199_254_740_991_u64.into())));
        assert!(is_rounded(&Scalar::Number(9_007_199_254_740_993_u64.into())));
    }
}
