//! `metadata` and `attributes`: few short pairs.

use crate::error::Error;
use serde_json::{Map, Value};

const MOST: usize = 16;
const LONGEST_KEY: usize = 64;
const LONGEST_VALUE: usize = 512;

fn check(name: &'static str, pairs: &Map<String, Value>, scalars: bool) -> Result<(), Error> {
    let values = if scalars { "a string, a number or a boolean" } else { "a string" };
    let wrong = || {
        Error::invalid(
            name,
            format!(
                "`{name}` holds at most {MOST} pairs of a key of 1 to {LONGEST_KEY} characters and {values}, \
                 a string of at most {LONGEST_VALUE}"
            ),
        )
    };
    let short = |text: &str, most: usize| text.chars().count() <= most && !text.contains('\0');
    let fits = |key: &String, value: &Value| {
        !key.is_empty()
            && short(key, LONGEST_KEY)
            && match value {
                Value::String(text) => short(text, LONGEST_VALUE),
                Value::Bool(_) | Value::Number(_) => scalars,
                Value::Null | Value::Array(_) | Value::Object(_) => false,
            }
    };
    if pairs.len() > MOST || !pairs.iter().all(|(key, value)| fits(key, value)) {
        return Err(wrong());
    }
    Ok(())
}

/// Strings alone.
pub(super) fn metadata(pairs: Map<String, Value>) -> Result<Value, Error> {
    check("metadata", &pairs, false)?;
    Ok(Value::Object(pairs))
}

pub(super) fn attributes(pairs: Option<Map<String, Value>>) -> Result<Value, Error> {
    let pairs = pairs.unwrap_or_default();
    check("attributes", &pairs, true)?;
    Ok(Value::Object(pairs))
}

/// What came another way may hold more than OpenAI's clients can read: that is shown as its JSON.
pub(super) fn shown(pairs: Value, scalars: bool) -> Value {
    let Value::Object(pairs) = pairs else { return Value::Object(Map::new()) };
    let show = |value: Value| match value {
        Value::String(_) => value,
        Value::Bool(_) | Value::Number(_) if scalars => value,
        Value::Bool(_) | Value::Number(_) | Value::Null | Value::Array(_) | Value::Object(_) => {
            Value::String(value.to_string())
        }
    };
    Value::Object(pairs.into_iter().map(|(key, value)| (key, show(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn pairs_are_held_to_openais_limits() {
        let long = "é".repeat(512);
        assert!(attributes(Some(map(&json!({"a": long, "b": 1.5, "c": false})))).is_ok());
        assert!(metadata(map(&json!({"a": "b"}))).is_ok());
        let many: Map<String, Value> = (0..17).map(|n| (n.to_string(), json!(n))).collect();
        for wrong in [
            map(&json!({"a": format!("{long}x")})),
            map(&json!({"k".repeat(65): 1})),
            map(&json!({"": 1})),
            map(&json!({"a": null})),
            map(&json!({"a": [1]})),
            map(&json!({"a": "\u{0}"})),
            many,
        ] {
            let error = attributes(Some(wrong)).expect_err("refused");
            assert_eq!(error.param.as_deref(), Some("attributes"));
        }
        assert!(metadata(map(&json!({"a": 1}))).is_err(), "metadata holds strings");
    }

    #[test]
    fn what_openai_does_not_know_is_shown_as_its_json() {
        let given = json!({"a": "x", "n": 1, "list": [1, "b"]});
        assert_eq!(shown(given.clone(), true), json!({"a": "x", "n": 1, "list": "[1,\"b\"]"}));
        assert_eq!(shown(given, false), json!({"a": "x", "n": "1", "list": "[1,\"b\"]"}));
    }
}
