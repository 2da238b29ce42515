//! JSON, as one document or one per line: keys and values a reader can read, a block for each entry.

use super::writer::Writer;
use super::{BlockKind, ParseError, ParseLimits, Parsed};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt::{self, Write};

/// A value with its keys in the order in which they stand.
enum Value {
    Plain(String),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Plain(String::new()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Plain(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Plain(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Plain(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Plain(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Plain(value.replace('\0', " ")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = values.next_element()? {
            all.push(value);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some((key, value)) = fields.next_entry::<String, Value>()? {
            all.push((key.replace('\0', " "), value));
        }
        Ok(Value::Object(all))
    }
}

/// One document. Nesting is bounded by the reader (128 levels).
pub(super) fn parse(source: &str, limits: &ParseLimits) -> Result<Parsed, ParseError> {
    let value: Value = serde_json::from_str(source).map_err(|error| malformed(&error))?;
    let mut writer = Writer::new(limits);
    entries(&value, &mut writer);
    writer.finish()
}

/// One document per line.
pub(super) fn parse_lines(source: &str, limits: &ParseLimits) -> Result<Parsed, ParseError> {
    let mut writer = Writer::new(limits);
    for line in source.lines().filter(|line| !line.trim().is_empty()) {
        let value: Value = serde_json::from_str(line).map_err(|error| malformed(&error))?;
        writer.block(BlockKind::Paragraph, &readable(&value));
        if writer.is_full() {
            break;
        }
    }
    writer.finish()
}

/// What is wrong without what stands there.
fn malformed(error: &serde_json::Error) -> ParseError {
    let reason = format!("line {}, column {}", error.line(), error.column());
    ParseError::Malformed { format: "JSON", reason }
}

fn entries(value: &Value, writer: &mut Writer) {
    match value {
        Value::Array(values) => {
            for value in values {
                writer.block(BlockKind::Paragraph, &readable(value));
                if writer.is_full() {
                    return;
                }
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                let mut text = String::new();
                field(key, value, 0, &mut text);
                writer.block(BlockKind::Paragraph, text.trim_end());
                if writer.is_full() {
                    return;
                }
            }
        }
        Value::Plain(text) => writer.block(BlockKind::Paragraph, text),
    }
}

fn readable(value: &Value) -> String {
    let mut text = String::new();
    nested(value, 0, &mut text);
    text.truncate(text.trim_end().len());
    text
}

fn nested(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| field(key, value, depth, text)),
        Value::Array(values) => {
            for value in values {
                let indent = "  ".repeat(depth);
                match value {
                    Value::Object(_) | Value::Array(_) => {
                        let _ = writeln!(text, "{indent}-");
                        nested(value, depth + 1, text);
                    }
                    Value::Plain(value) => drop(writeln!(text, "{indent}- {value}")),
                }
            }
        }
        Value::Plain(value) => drop(writeln!(text, "{}{value}", "  ".repeat(depth))),
    }
}

fn field(key: &str, value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(_) | Value::Array(_) => {
            let _ = writeln!(text, "{indent}{key}:");
            nested(value, depth + 1, text);
        }
        Value::Plain(value) => drop(writeln!(text, "{indent}{key}: {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_can_be_read_and_each_entry_is_a_block() {
        let read = |source: &str| parse(source, &ParseLimits::default()).unwrap();
        let object = read(r#"{"name": "Duck", "parts": {"feet": 2, "colours": ["green", null]}}"#);
        assert_eq!(
            object.text,
            "name: Duck\n\nparts:\n  feet: 2\n  colours:\n    - green\n    - ".trim_end()
        );
        assert_eq!(read(r#"[{"a": 1}, {"a": 2}]"#).blocks.len(), 2);
        assert_eq!(
            parse_lines("{\"a\":1}\n\n{\"a\":2}\n", &ParseLimits::default()).unwrap().text,
            "a: 1\n\na: 2"
        );
    }

    #[test]
    fn what_is_nested_too_deep_or_broken_says_where() {
        let deep = "[".repeat(100_000);
        assert!(matches!(parse(&deep, &ParseLimits::default()), Err(ParseError::Malformed { .. })));
        let error = parse("{\"secret\": }", &ParseLimits::default()).unwrap_err().to_string();
        assert!(error.contains("line 1, column 12") && !error.contains("secret"), "{error}");
    }
}
