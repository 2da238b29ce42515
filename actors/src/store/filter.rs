//! The one internal form of filters, and its SQL.

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

/// A condition on a document's attributes.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    And(Vec<Filter>),
    /// Nothing matches an empty one.
    Or(Vec<Filter>),
    /// A document that lacks the attribute matches too.
    Not(Box<Filter>),
    /// Values of different types never compare.
    Compare {
        key: String,
        comparison: Comparison,
        value: Value,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Gt,
    Gte,
    Lt,
    Lte,
}

/// The condition on `documents d`; every value is a parameter.
pub(super) fn condition(filter: &Filter, bind: &mut impl FnMut(Box<dyn ToSql + Sync>) -> String) -> String {
    let mut all = |filters: &[Filter], operator: &str, none: &str| {
        let parts: Vec<String> = filters.iter().map(|filter| condition(filter, bind)).collect();
        if parts.is_empty() { none.to_owned() } else { format!("({})", parts.join(operator)) }
    };
    match filter {
        Filter::And(filters) => all(filters, " AND ", "true"),
        Filter::Or(filters) => all(filters, " OR ", "false"),
        Filter::Not(inner) => format!("NOT coalesce({}, false)", condition(inner, bind)),
        Filter::Compare { key, comparison: Comparison::Eq, value } => {
            format!("d.attributes @> {}", bind(Box::new(json!({ key: value }))))
        }
        Filter::Compare { key, comparison, value } => {
            let operator = match comparison {
                Comparison::Eq => "=",
                Comparison::Gt => ">",
                Comparison::Gte => ">=",
                Comparison::Lt => "<",
                Comparison::Lte => "<=",
            };
            let (key, value) = (bind(Box::new(key.clone())), bind(Box::new(value.clone())));
            format!(
                "(jsonb_typeof(d.attributes -> {key}) = jsonb_typeof({value}::jsonb) \
                 AND d.attributes -> {key} {operator} {value}::jsonb)"
            )
        }
    }
}
