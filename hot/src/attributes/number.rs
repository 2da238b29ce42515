//! Numbers as PostgreSQL compares them: exactly.

/// A JSON number: the double nearest to it, and how far it is from that one where doubles are further apart than
/// integers. Ordered as the numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number {
    /// The double's bits, made to order as it does.
    double: u64,
    rest: i64,
}

/// From here on not every integer is a double of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Beyond it no number has come from an integer of JSON: each is the shortest form of a double of its own.
const INTEGERS: f64 = 4e19;

impl Number {
    /// Of a number as JSON writes it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // Minus zero is zero.
        let double = text.parse::<f64>().ok()? + 0.0;
        let rest = if (EXACT..INTEGERS).contains(&double.abs()) {
            integer(text).and_then(|exact| i64::try_from(exact - double as i128).ok()).unwrap_or(0)
        } else {
            0
        };
        let bits = double.to_bits();
        let negative = double.is_sign_negative();
        Some(Self { double: if negative { !bits } else { bits | 1 << 63 }, rest })
    }
}

/// The integer part of a decimal number, where it is not too long for one.
fn integer(text: &str) -> Option<i128> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{whole}{fraction}").parse::<i128>().ok()?;
    let power = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let shift = 10_i128.checked_pow(power.unsigned_abs())?;
    if power < 0 { Some(digits / shift) } else { digits.checked_mul(shift) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        Number::parse(text).expect("a number")
    }

    #[test]
    fn numbers_that_share_a_double_are_told_apart_and_forms_of_one_number_are_not() {
        let ascending = [
            "-18446744073709551615",
            "-9007199254740993",
            "-9007199254740992",
            "-1.5",
            "-1e-300",
            "0",
            "1e-300",
            "0.1",
            "9007199254740991",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551614",
            "18446744073709551615",
            // The shortest form of the double 2^64, which is not its value.
            "1.8446744073709552e19",
            "1e300",
        ];
        assert!(ascending.windows(2).all(|pair| number(pair[0]) < number(pair[1])));
        for same in [
            ["0", "-0.0"],
            ["1", "1.0"],
            ["100", "1e2"],
            ["9007199254740993", "9007199254740993.0"],
            ["1.8446744073709552e19", "18446744073709552000"],
            ["90071992547409930e-1", "9007199254740993"],
        ] {
            assert_eq!(number(same[0]), number(same[1]), "{same:?}");
        }
    }

    proptest! {
        #[test]
        fn integers_and_doubles_order_as_they_are(a in any::<i64>(), b in any::<u64>(), x in any::<f64>(), y in any::<f64>()) {
            prop_assert_eq!(number(&a.to_string()).cmp(&number(&b.to_string())), i128::from(a).cmp(&i128::from(b)));
            if x.is_finite() && y.is_finite() {
                let order = x.partial_cmp(&y).expect("finite");
                prop_assert_eq!(number(&format!("{x:?}")).cmp(&number(&format!("{y:?}"))), order);
            }
        }
    }
}
