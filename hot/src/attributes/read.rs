//! What a document can be selected by, as the function `attribute_rows` of the migrations finds it.

use super::number::Number;
use crate::filter::parse_time;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;

/// Longer keys are not selected by.
const MAX_KEY: usize = 256;

/// A value of an attribute, or an element of one that is an array.
#[derive(Debug, PartialEq)]
pub(super) enum Value {
    /// With the time that it may be.
    Word(String, Option<i64>),
    Number(Number),
    Bool(bool),
}

/// Attribute by attribute: its key, its value unless that is a list or an object, and the elements of a list.
/// Numbers are read from the text itself: what the database compares was never rounded on the way.
pub(super) fn read(attributes: &str, mut each: impl FnMut(String, Option<Value>, Vec<Value>)) {
    let Ok(pairs) = serde_json::from_str::<HashMap<String, &RawValue>>(attributes) else { return };
    for (key, raw) in pairs {
        let text = raw.get();
        if key.len() > MAX_KEY || text == "null" {
            continue;
        }
        let elements = if text.starts_with('[') {
            let elements = serde_json::from_str::<Vec<&RawValue>>(text).unwrap_or_default();
            elements.into_iter().filter_map(|element| value(element.get())).collect()
        } else {
            Vec::new()
        };
        each(key, value(text), elements);
    }
}

fn value(text: &str) -> Option<Value> {
    match text.as_bytes().first()? {
        b'"' => {
            let word = serde_json::from_str::<Cow<'_, str>>(text).ok()?.into_owned();
            let time = parse_time(&word);
            Some(Value::Word(word, time))
        }
        b't' | b'f' => Some(Value::Bool(text == "true")),
        b'{' | b'[' | b'n' => None,
        _ => Number::parse(text).map(Value::Number),
    }
}
