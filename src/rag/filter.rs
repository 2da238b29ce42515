//! The filter grammar of the API, read into the store's one internal form.
//!
//! `{"type":"eq|ne|gt|gte|lt|lte","key","value"}`, `{"type":"in|nin","key","value":[…]}`,
//! `{"type":"and|or","filters":[…]}`, nested at most [`MAX_DEPTH`] deep with at most [`MAX_NODES`].

use crate::error::Error;
use mcp_rag_actors::store::{Comparison, Filter};
use serde_json::{Map, Value};

const MAX_DEPTH: usize = 8;
const MAX_NODES: usize = 64;
const MAX_VALUES: usize = 256;
const MAX_KEY: usize = 256;

pub fn parse(value: &Value) -> Result<Filter, Error> {
    Parser { nodes: 0 }.filter(value, 0)
}

struct Parser {
    nodes: usize,
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::invalid("filters", message)
}

impl Parser {
    fn filter(&mut self, value: &Value, depth: usize) -> Result<Filter, Error> {
        self.nodes += 1;
        if depth >= MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(invalid(format!(
                "filters nest at most {MAX_DEPTH} deep and hold at most {MAX_NODES} conditions"
            )));
        }
        let object = value.as_object().ok_or_else(|| invalid("a filter is an object with `type`"))?;
        let kind =
            object.get("type").and_then(Value::as_str).ok_or_else(|| invalid("a filter needs `type`"))?;
        match kind {
            "and" => self.list(object, depth).map(Filter::And),
            "or" => self.list(object, depth).map(Filter::Or),
            "eq" => compare(object, Comparison::Eq),
            "ne" => compare(object, Comparison::Eq).map(|filter| Filter::Not(Box::new(filter))),
            "gt" => compare(object, Comparison::Gt),
            "gte" => compare(object, Comparison::Gte),
            "lt" => compare(object, Comparison::Lt),
            "lte" => compare(object, Comparison::Lte),
            "in" => any_of(object),
            "nin" => any_of(object).map(|filter| Filter::Not(Box::new(filter))),
            _ => Err(invalid("a filter's `type` is eq, ne, gt, gte, lt, lte, in, nin, and, or")),
        }
    }

    fn list(&mut self, object: &Map<String, Value>, depth: usize) -> Result<Vec<Filter>, Error> {
        only(object, &["type", "filters"])?;
        let filters = object.get("filters").and_then(Value::as_array);
        let filters = filters.filter(|filters| !filters.is_empty());
        let filters = filters.ok_or_else(|| invalid("`and` and `or` need a non-empty list `filters`"))?;
        filters.iter().map(|filter| self.filter(filter, depth + 1)).collect()
    }
}

fn only(object: &Map<String, Value>, known: &[&str]) -> Result<(), Error> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(_) => Err(invalid(format!("a filter of this type has only {}", known.join(", ")))),
        None => Ok(()),
    }
}

fn key(object: &Map<String, Value>) -> Result<String, Error> {
    only(object, &["type", "key", "value"])?;
    let key = object.get("key").and_then(Value::as_str);
    let key = key.filter(|key| !key.is_empty() && key.len() <= MAX_KEY && !key.contains('\0'));
    key.map(str::to_owned).ok_or_else(|| invalid(format!("a filter needs a `key` of 1 to {MAX_KEY} bytes")))
}

fn scalar(value: &Value) -> Result<Value, Error> {
    match value {
        Value::String(text) if text.contains('\0') => {
            Err(invalid("a filter's value cannot hold a NUL character"))
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(value.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(invalid("a filter compares with a string, a number or a boolean"))
        }
    }
}

fn compare(object: &Map<String, Value>, comparison: Comparison) -> Result<Filter, Error> {
    let key = key(object)?;
    let value = scalar(object.get("value").unwrap_or(&Value::Null))?;
    Ok(Filter::Compare { key, comparison, value })
}

fn any_of(object: &Map<String, Value>) -> Result<Filter, Error> {
    let key = key(object)?;
    let values = object.get("value").and_then(Value::as_array);
    let values = values.filter(|values| values.len() <= MAX_VALUES);
    let values = values
        .ok_or_else(|| invalid(format!("`in` and `nin` need a list of at most {MAX_VALUES} values")))?;
    let values = values.iter().map(scalar).collect::<Result<Vec<_>, _>>()?;
    let equals = |value| Filter::Compare { key: key.clone(), comparison: Comparison::Eq, value };
    Ok(Filter::Or(values.into_iter().map(equals).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn every_form_of_the_grammar_is_read() {
        let filter = json!({"type": "and", "filters": [
            {"type": "eq", "key": "lang", "value": "en"},
            {"type": "or", "filters": [{"type": "gte", "key": "year", "value": 2020}, {"type": "nin", "key": "tag", "value": ["a", true]}]},
        ]});
        assert!(matches!(parse(&filter), Ok(Filter::And(parts)) if parts.len() == 2));
    }

    #[test]
    fn mistakes_are_refused_with_the_parameter_named() {
        for wrong in [
            json!(1),
            json!({"type": "like", "key": "a", "value": "b"}),
            json!({"type": "eq", "key": "a", "value": null}),
            json!({"type": "eq", "key": "", "value": 1}),
            json!({"type": "eq", "key": "a", "value": 1, "boost": 2}),
            json!({"type": "in", "key": "a", "value": "b"}),
            json!({"type": "and", "filters": []}),
        ] {
            let error = parse(&wrong).expect_err("refused");
            assert_eq!(error.param.as_deref(), Some("filters"));
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let mut filter = json!({"type": "eq", "key": "a", "value": 1});
        for _ in 0..200 {
            filter = json!({"type": "and", "filters": [filter]});
        }
        assert!(parse(&filter).is_err());
    }

    proptest! {
        #[test]
        fn no_input_makes_the_parser_panic(text in "[\\[\\]{}:,\"a-z0-9 ]{0,200}") {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let _ = parse(&value);
            }
        }
    }
}
