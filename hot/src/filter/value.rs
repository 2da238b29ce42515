//! The values that filters compare.

use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

/// A value that conditions compare with.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    Text(String),
    Number(serde_json::Number),
    Bool(bool),
    /// Microseconds since 1970.
    Time(i64),
}

impl Scalar {
    /// A string, a number or a boolean; a string that is a time becomes one.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => {
                Some(parse_time(text).map_or_else(|| Self::Text(text.clone()), Self::Time))
            }
            other => Self::plain(other),
        }
    }

    /// The same, with every string as it is.
    #[must_use]
    pub fn plain(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Number(number) => Some(Self::Number(number.clone())),
            Value::Bool(truth) => Some(Self::Bool(*truth)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// An RFC 3339 date or date-time in microseconds since 1970; a date is its midnight in UTC. The function
/// `attribute_time` of the migrations reads the same.
#[must_use]
pub fn parse_time(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let begins = bytes.len() >= 10 && bytes[..4].iter().all(u8::is_ascii_digit);
    if !begins || bytes.starts_with(b"0000") || !text.is_ascii() {
        return None;
    }
    let at = if bytes.len() == 10 {
        let date = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
        date.midnight().assume_utc()
    } else {
        let separated = matches!(bytes[10], b'T' | b't' | b' ') && bytes.get(17..19)? < b"60".as_slice();
        let offset = if bytes.ends_with(b"Z") || bytes.ends_with(b"z") { 0 } else { 6 };
        let within = offset == 0 || bytes.get(bytes.len().checked_sub(5)?..)? < b"15:00".as_slice();
        let fraction = bytes.len().checked_sub(19 + offset.max(1))?;
        if !separated || !within || fraction > 10 {
            return None;
        }
        let usual = format!("{}T{}", &text[..10], text[11..].to_ascii_uppercase());
        OffsetDateTime::parse(&usual, &Rfc3339).ok()?
    };
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_date_times_with_any_offset_are_times_and_nothing_else_is() {
        assert_eq!(parse_time("1970-01-02"), Some(86_400_000_000));
        assert_eq!(parse_time("1970-01-01T01:00:00.5+01:00"), Some(500_000));
        assert_eq!(parse_time("1970-01-01t00:00:00.123456789z"), Some(123_456));
        for other in [
            "",
            "1970-01",
            "1970-02-30",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:60Z",
            "1970-01-01T25:00:00Z",
            "1970-01-01 soon",
            "0000-01-01",
            "1970-01-01T00:00:00+15:00",
            "1970-01-01T00:00:00.Z",
        ] {
            assert_eq!(parse_time(other), None, "{other}");
        }
    }
}
