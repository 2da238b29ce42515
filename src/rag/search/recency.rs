//! A score that fades with a document's age.

use super::options::Recency;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

const DAY: f64 = 86_400.0;

/// The scores, scaled to 0…1 among themselves and mixed with what is left of their documents' newness. `dates`
/// are seconds since 1970; a document without one counts as old, one from the future as new.
pub(super) fn mix(scores: &[f32], dates: &[Option<f64>], recency: &Recency, now: f64) -> Vec<f32> {
    let least = scores.iter().copied().fold(f32::INFINITY, f32::min);
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let scaled = |score: f32| if most > least { (score - least) / (most - least) } else { 1.0 };
    let left = |date: &Option<f64>| {
        let Some(date) = date.filter(|date| date.is_finite()) else { return 0.0 };
        let days = ((now - date) / DAY).max(0.0);
        0.5_f64.powf(days / recency.half_life_days) as f32
    };
    let mix = |(score, date): (&f32, &Option<f64>)| {
        (1.0 - recency.weight) * scaled(*score) + recency.weight * left(date)
    };
    scores.iter().zip(dates).map(mix).collect()
}

/// A date as attributes hold it: RFC 3339, `2026-11-27`, or seconds since 1970.
pub(super) fn date(value: &Value) -> Option<f64> {
    let text = match value {
        Value::Number(seconds) => return seconds.as_f64(),
        Value::String(text) => text.trim(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let seconds = match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(moment) => moment.unix_timestamp(),
        Err(_) => {
            let day = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
            day.midnight().assume_utc().unix_timestamp()
        }
    };
    Some(seconds as f64)
}

/// By the hour, so that the pages of one search agree on every age.
pub(super) fn now() -> f64 {
    const HOUR: i64 = 3_600;
    (OffsetDateTime::now_utc().unix_timestamp() / HOUR * HOUR) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn recency(weight: f32) -> Recency {
        Recency { half_life_days: 10.0, weight, field: None }
    }

    #[test]
    fn after_a_half_life_half_of_the_boost_is_left() {
        let now = 1_000.0 * DAY;
        let dates = [Some(now), Some(now - 10.0 * DAY), Some(now - 20.0 * DAY), None, Some(now + DAY)];
        let mixed = mix(&[0.5; 5], &dates, &recency(1.0), now);
        for (value, expected) in mixed.iter().zip([1.0, 0.5, 0.25, 0.0, 1.0]) {
            assert!((value - expected).abs() < 1e-6, "{mixed:?}");
        }
    }

    #[test]
    fn dates_are_read_as_attributes_hold_them() {
        assert_eq!(date(&json!("1970-01-02")), Some(DAY));
        assert_eq!(date(&json!("1970-01-01T01:00:00+01:00")), Some(0.0));
        assert_eq!(date(&json!("1970-01-01T00:01:00Z")), Some(60.0));
        assert_eq!(date(&json!(60)), Some(60.0));
        for other in
            [json!("yesterday"), json!(null), json!(true), json!(["1970-01-02"]), json!("1970-13-01")]
        {
            assert_eq!(date(&other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_mix_stays_within_bounds_and_newer_never_loses(
            scores in prop::collection::vec(-5.0_f32..5.0, 1..20), days in 0.0_f64..1e5, weight in 0.0_f32..=1.0,
        ) {
            let now = 1e9;
            let old: Vec<_> = scores.iter().map(|_| Some(now - days * DAY)).collect();
            let new: Vec<_> = scores.iter().map(|_| Some(now)).collect();
            let (old, new) = (mix(&scores, &old, &recency(weight), now), mix(&scores, &new, &recency(weight), now));
            for (old, new) in old.iter().zip(&new) {
                prop_assert!((-1e-5..=1.0 + 1e-5).contains(old) && old <= new);
            }
        }
    }
}
