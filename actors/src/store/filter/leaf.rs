//! One condition as looks into an index: which rows of `document_attributes`, or of `documents`, it is about.

use super::sql::{Bind, Scope};
use super::value::{as_double, is_rounded, json, word};
use super::{Comparison, Field, Filter, Scalar, Test};
use serde_json::Value;

/// Documents that one look into an index gives.
pub(super) struct Leaf {
    table: &'static str,
    /// On `x`, a row of the table.
    condition: String,
    /// What the row of the table cannot tell.
    pub(super) also: Option<Again>,
}

/// A look at the whole value, in `whole`, a row of `documents`. Bound only where it is asked: a parameter that no part
/// of a statement uses would have no type.
pub(super) enum Again {
    /// The attributes contain this.
    Holds(Value),
    /// An attribute, a string.
    Text(String, Comparison, String),
    /// An attribute, a number.
    Number(String, Comparison, Value),
    Field(Field, &'static str, String),
}

impl Again {
    fn condition(&self, bind: Bind<'_>) -> String {
        match self {
            Self::Holds(value) => format!("whole.attributes @> {}", bind(Box::new(value.clone()))),
            Self::Text(key, comparison, text) => {
                let (key, text) = (bind(Box::new(key.clone())), bind(Box::new(text.clone())));
                format!("(whole.attributes ->> {key}) COLLATE \"C\" {} {text}", operator(*comparison))
            }
            Self::Number(key, comparison, value) => {
                let (key, value) = (bind(Box::new(key.clone())), bind(Box::new(value.clone())));
                format!("whole.attributes -> {key} {} {value}::jsonb", operator(*comparison))
            }
            Self::Field(Field::Acl, _, name) => format!("{} = ANY (whole.acl)", bind(Box::new(name.clone()))),
            Self::Field(field, operator, text) => {
                format!("whole.{} COLLATE \"C\" {operator} {}", field.name(), bind(Box::new(text.clone())))
            }
        }
    }
}

impl Leaf {
    pub(super) fn documents(&self, Scope { tenant, collections }: Scope<'_>) -> String {
        let Self { table, condition, .. } = self;
        format!(
            "SELECT x.document_id FROM {table} x WHERE x.tenant_id = {tenant} \
             AND x.collection_id = ANY ({collections}) AND {condition}"
        )
    }

    pub(super) fn holds(&self, document: &str, Scope { tenant, .. }: Scope<'_>, bind: Bind<'_>) -> String {
        let Self { table, condition, .. } = self;
        let first = format!(
            "EXISTS (SELECT FROM {table} x WHERE x.tenant_id = {tenant} AND x.document_id = {document} \
             AND {condition} OFFSET 0)"
        );
        match &self.also {
            None => first,
            Some(also) => format!(
                "({first} AND EXISTS (SELECT FROM documents whole WHERE whole.tenant_id = {tenant} \
                 AND whole.document_id = {document} AND {} OFFSET 0))",
                also.condition(bind)
            ),
        }
    }
}

/// An attribute's or a field's condition: one leaf for each kind of row that it looks at.
pub(super) fn rows(filter: &Filter, bind: Bind<'_>) -> Vec<Leaf> {
    match filter {
        Filter::Attribute(key, test) => attribute(key, test, bind),
        Filter::Field(field, test) if field.is_time() => time_field(*field, test, bind),
        Filter::Field(field, test) => text_field(*field, test, bind),
        Filter::And(_) | Filter::Or(_) | Filter::Not(_) | Filter::Seen => Vec::new(),
    }
}

fn attribute(key: &str, test: &Test, bind: Bind<'_>) -> Vec<Leaf> {
    match test {
        Test::Exists => {
            let key = bind(Box::new(key.to_owned()));
            let condition = format!("x.key = {key} AND x.kind IN ('s', 'n', 'b', 'x')");
            vec![Leaf { table: TABLE, condition, also: None }]
        }
        Test::In(values) => {
            equal(key, values, ["s", "n", "b"], bind, |value| serde_json::json!({ key: json(value) }))
        }
        Test::Contains(value) => {
            let values = std::slice::from_ref(value);
            equal(key, values, ["S", "N", "B"], bind, |value| serde_json::json!({ key: [json(value)] }))
        }
        Test::Range(comparison, value) => vec![range(key, *comparison, value, bind)],
    }
}

const TABLE: &str = "document_attributes";

/// Values of one kind are looked up together; what rows cannot tell apart, alone, and looked at again.
fn equal(
    key: &str,
    values: &[Scalar],
    [word_kind, number_kind, bool_kind]: [&str; 3],
    bind: Bind<'_>,
    holding: impl Fn(&Scalar) -> Value,
) -> Vec<Leaf> {
    let (mut texts, mut numbers, mut bools, mut times) = (vec![], vec![], vec![], vec![]);
    let mut leaves = Vec::new();
    let mut leaf = |condition: String, also, bind: Bind<'_>| {
        let key = bind(Box::new(key.to_owned()));
        leaves.push(Leaf { table: TABLE, condition: format!("x.key = {key} AND {condition}"), also });
    };
    for value in values {
        let rounded = is_rounded(value);
        match value {
            Scalar::Text(text) if rounded => {
                let start = bind(Box::new(word(text).to_owned()));
                let also = Again::Holds(holding(value));
                leaf(
                    format!("x.kind = '{word_kind}' AND x.word = {start} AND x.number = 0"),
                    Some(also),
                    &mut *bind,
                );
            }
            Scalar::Number(number) if rounded => {
                let near = bind(Box::new(as_double(number)));
                let also = Again::Holds(holding(value));
                leaf(
                    format!("x.kind = '{number_kind}' AND x.word = '' AND x.number = {near}"),
                    Some(also),
                    &mut *bind,
                );
            }
            Scalar::Text(text) => texts.push(text.clone()),
            Scalar::Number(number) => numbers.push(as_double(number)),
            Scalar::Bool(truth) => bools.push(truth.to_string()),
            Scalar::Time(micros) => times.push(*micros as f64),
        }
    }
    for (kind, words) in [(word_kind, texts), (bool_kind, bools)] {
        if !words.is_empty() {
            let words = bind(Box::new(words));
            leaf(
                format!("x.kind = '{kind}' AND x.word = ANY ({words}::text[]) AND x.number = 0"),
                None,
                &mut *bind,
            );
        }
    }
    for (kind, numbers) in [(number_kind, numbers), ("t", times)] {
        if !numbers.is_empty() {
            let numbers = bind(Box::new(numbers));
            leaf(
                format!("x.kind = '{kind}' AND x.word = '' AND x.number = ANY ({numbers}::float8[])"),
                None,
                &mut *bind,
            );
        }
    }
    leaves
}

fn range(key: &str, comparison: Comparison, value: &Scalar, bind: Bind<'_>) -> Leaf {
    let rounded = is_rounded(value);
    let compared = operator(if rounded { loosened(comparison) } else { comparison });
    let condition = match value {
        Scalar::Text(text) => {
            let word = bind(Box::new(word(text).to_owned()));
            format!("x.kind = 's' AND x.word {compared} {word} AND x.number = 0")
        }
        Scalar::Bool(truth) => {
            let word = bind(Box::new(truth.to_string()));
            format!("x.kind = 'b' AND x.word {compared} {word} AND x.number = 0")
        }
        Scalar::Number(number) => {
            let number = bind(Box::new(as_double(number)));
            format!("x.kind = 'n' AND x.word = '' AND x.number {compared} {number}")
        }
        Scalar::Time(micros) => {
            let number = bind(Box::new(*micros as f64));
            format!("x.kind = 't' AND x.word = '' AND x.number {compared} {number}")
        }
    };
    let also = rounded.then(|| match value {
        Scalar::Text(text) => Again::Text(key.to_owned(), comparison, text.clone()),
        other => Again::Number(key.to_owned(), comparison, json(other)),
    });
    let key = bind(Box::new(key.to_owned()));
    Leaf { table: TABLE, condition: format!("x.key = {key} AND {condition}"), also }
}

fn text_field(field: Field, test: &Test, bind: Bind<'_>) -> Vec<Leaf> {
    let name = field.name();
    let of = |condition: String, also| Leaf {
        table: TABLE,
        condition: format!("x.key = '{name}' AND x.kind = 'f' AND {condition}"),
        also,
    };
    let one = |value: &Scalar, comparison: &'static str, loosened: &str, bind: Bind<'_>| {
        let Scalar::Text(text) = value else { return None };
        let rounded = is_rounded(value);
        let operator = if rounded { loosened } else { comparison };
        let start = bind(Box::new(word(text).to_owned()));
        let also = rounded.then(|| Again::Field(field, comparison, text.clone()));
        Some(of(format!("x.word {operator} {start} AND x.number = 0"), also))
    };
    match test {
        Test::Exists => vec![of("x.word > ''".to_owned(), None)],
        Test::In(values) => values.iter().filter_map(|value| one(value, "=", "=", &mut *bind)).collect(),
        Test::Contains(value) => one(value, "=", "=", bind).into_iter().collect(),
        Test::Range(comparison, value) => {
            one(value, operator(*comparison), operator(loosened(*comparison)), bind).into_iter().collect()
        }
    }
}

fn time_field(field: Field, test: &Test, bind: Bind<'_>) -> Vec<Leaf> {
    let mut of = |compared: &str, value: &Scalar| {
        let Scalar::Time(micros) = value else { return None };
        let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(*micros) * 1000).ok()?;
        let condition = format!("x.{} {compared} {}::timestamptz", field.name(), bind(Box::new(at)));
        Some(Leaf { table: "documents", condition, also: None })
    };
    match test {
        Test::Exists => vec![Leaf { table: "documents", condition: "true".to_owned(), also: None }],
        Test::In(values) => values.iter().filter_map(|value| of("=", value)).collect(),
        Test::Range(comparison, value) => of(operator(*comparison), value).into_iter().collect(),
        Test::Contains(_) => Vec::new(),
    }
}

fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Gt => ">",
        Comparison::Gte => ">=",
        Comparison::Lt => "<",
        Comparison::Lte => "<=",
    }
}

/// What holds of rounded values whenever this holds of the values themselves.
fn loosened(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Gt | Comparison::Gte => Comparison::Gte,
        Comparison::Lt | Comparison::Lte => Comparison::Lte,
    }
}
