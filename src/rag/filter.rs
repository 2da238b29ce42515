//! The filter grammar of the API, read into the store's one internal form.
//!
//! `{"type":"eq|ne|gt|gte|lt|lte|contains","key","value"}`, `{"type":"in|nin","key","value":[…]}`,
//! `{"type":"exists","key"}`, `{"type":"and|or","filters":[…]}`, nested at most [`MAX_DEPTH`] deep with at most
//! [`MAX_NODES`]. A key that begins with `$` names a field of the document; an attribute whose own name begins
//! so is written with one `$` more.

use crate::error::Error;
use mcp_rag_actors::store::{Comparison, Field, Filter, Scalar, Test};
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
            "eq" => equal(object),
            "ne" => equal(object).map(|filter| Filter::Not(Box::new(filter))),
            "gt" => range(object, Comparison::Gt),
            "gte" => range(object, Comparison::Gte),
            "lt" => range(object, Comparison::Lt),
            "lte" => range(object, Comparison::Lte),
            "in" => any_of(object),
            "nin" => any_of(object).map(|filter| Filter::Not(Box::new(filter))),
            "contains" => contains(object),
            "exists" => exists(object),
            _ => Err(invalid(
                "a filter's `type` is eq, ne, gt, gte, lt, lte, in, nin, contains, exists, and, or",
            )),
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

/// What a condition is about.
enum Key {
    Attribute(String),
    Field(Field),
}

impl Key {
    /// The condition's key; it has no other fields than these.
    fn of(object: &Map<String, Value>, known: &[&str]) -> Result<Self, Error> {
        only(object, known)?;
        let key = object.get("key").and_then(Value::as_str);
        let key = key.filter(|key| !key.is_empty() && key.len() <= MAX_KEY && !key.contains('\0'));
        let key = key.ok_or_else(|| invalid(format!("a filter needs a `key` of 1 to {MAX_KEY} bytes")))?;
        let Some(name) = key.strip_prefix('$') else { return Ok(Self::Attribute(key.to_owned())) };
        if name.starts_with('$') {
            return Ok(Self::Attribute(name.to_owned()));
        }
        let field = Field::ALL.into_iter().find(|field| field.name() == name);
        field.map(Self::Field).ok_or_else(|| {
            let names: Vec<String> = Field::ALL.iter().map(|field| format!("${}", field.name())).collect();
            invalid(format!(
                "a filter's `key` that begins with `$` is one of {}; write `$$` for an attribute's own `$`",
                names.join(", ")
            ))
        })
    }

    fn with(self, test: Test) -> Filter {
        match self {
            Self::Attribute(key) => Filter::Attribute(key, test),
            Self::Field(field) => Filter::Field(field, test),
        }
    }

    /// A value that this can be compared with.
    fn value(&self, value: &Value) -> Result<Scalar, Error> {
        if value.as_str().is_some_and(|text| text.contains('\0')) {
            return Err(invalid("a filter's value cannot hold a NUL character"));
        }
        let wrong = |field: Field, wants: &str| invalid(format!("`${}` {wants}", field.name()));
        match self {
            Self::Attribute(_) => Scalar::of(value)
                .ok_or_else(|| invalid("a filter compares with a string, a number or a boolean")),
            Self::Field(field @ Field::Acl) => {
                Err(wrong(*field, "is a list: use `contains` with a string, or `exists`"))
            }
            Self::Field(field) if field.is_time() => match Scalar::of(value) {
                Some(time @ Scalar::Time(_)) => Ok(time),
                _ => Err(wrong(*field, "compares with an RFC 3339 time, such as 2026-01-31T12:00:00Z")),
            },
            Self::Field(field) => match Scalar::plain(value) {
                Some(text @ Scalar::Text(_)) => Ok(text),
                _ => Err(wrong(*field, "compares with a string")),
            },
        }
    }
}

const COMPARED: [&str; 3] = ["type", "key", "value"];

fn given(object: &Map<String, Value>) -> &Value {
    object.get("value").unwrap_or(&Value::Null)
}

fn equal(object: &Map<String, Value>) -> Result<Filter, Error> {
    let key = Key::of(object, &COMPARED)?;
    let value = key.value(given(object))?;
    Ok(key.with(Test::In(vec![value])))
}

fn range(object: &Map<String, Value>, comparison: Comparison) -> Result<Filter, Error> {
    let key = Key::of(object, &COMPARED)?;
    let value = key.value(given(object))?;
    Ok(key.with(Test::Range(comparison, value)))
}

fn any_of(object: &Map<String, Value>) -> Result<Filter, Error> {
    let key = Key::of(object, &COMPARED)?;
    let values = given(object).as_array().filter(|values| values.len() <= MAX_VALUES);
    let values = values
        .ok_or_else(|| invalid(format!("`in` and `nin` need a list of at most {MAX_VALUES} values")))?;
    let values = values.iter().map(|value| key.value(value)).collect::<Result<Vec<_>, _>>()?;
    Ok(key.with(Test::In(values)))
}

fn contains(object: &Map<String, Value>) -> Result<Filter, Error> {
    let key = Key::of(object, &COMPARED)?;
    let value = given(object);
    if value.as_str().is_some_and(|text| text.contains('\0')) {
        return Err(invalid("a filter's value cannot hold a NUL character"));
    }
    let value = match (&key, Scalar::plain(value)) {
        (Key::Attribute(_), Some(value)) | (Key::Field(Field::Acl), Some(value @ Scalar::Text(_))) => value,
        (Key::Attribute(_), None) => {
            return Err(invalid("`contains` asks for a string, a number or a boolean"));
        }
        (Key::Field(_), _) => {
            return Err(invalid("of a document's own fields only `$acl` is a list that `contains` a string"));
        }
    };
    Ok(key.with(Test::Contains(value)))
}

fn exists(object: &Map<String, Value>) -> Result<Filter, Error> {
    let key = Key::of(object, &COMPARED)?;
    let there = key.with(Test::Exists);
    match object.get("value") {
        None | Some(Value::Bool(true)) => Ok(there),
        Some(Value::Bool(false)) => Ok(Filter::Not(Box::new(there))),
        Some(_) => Err(invalid("`exists` takes no `value`, or true, or false for what is not there")),
    }
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
            json!({"type": "eq", "key": "$size", "value": 1}),
            json!({"type": "eq", "key": "$title", "value": 1}),
            json!({"type": "gt", "key": "$created_at", "value": "yesterday"}),
            json!({"type": "eq", "key": "$acl", "value": "a"}),
            json!({"type": "contains", "key": "$title", "value": "a"}),
            json!({"type": "contains", "key": "tags", "value": ["a"]}),
            json!({"type": "exists", "key": "a", "value": 1}),
        ] {
            let error = parse(&wrong).expect_err("refused");
            assert_eq!(error.param.as_deref(), Some("filters"));
        }
    }

    #[test]
    fn a_field_and_an_attribute_of_the_same_name_are_both_within_reach() {
        let of = |key: &str| parse(&json!({"type": "exists", "key": key})).expect("a filter");
        assert_eq!(of("$title"), Filter::Field(Field::Title, Test::Exists));
        assert_eq!(of("title"), Filter::Attribute("title".to_owned(), Test::Exists));
        assert_eq!(of("$$title"), Filter::Attribute("$title".to_owned(), Test::Exists));
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

    #[test]
    fn fuzz_filters() {
        let seeds: [&[u8]; 3] = [
            br#"{"type":"and","filters":[{"type":"eq","key":"a","value":1.5},{"type":"in","key":"b","value":["x",true]}]}"#,
            br#"{"type":"not","filter":{"type":"gte","key":"at","value":"2026-01-01T00:00:00Z"}}"#,
            br#"{"a":{"$gt":1,"$lt":1e300},"$or":[{"b":null}]}"#,
        ];
        crate::fuzz::fuzz(&seeds, |bytes| {
            if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
                let _ = parse(&value);
            }
        });
    }
}
