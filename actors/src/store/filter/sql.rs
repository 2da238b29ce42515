//! A filter's SQL, in two shapes: a condition on one document ([`narrowed`]), for a walk of the index that asks
//! of each candidate, and the set of all documents that match ([`matching`]), read from the B-trees.
//!
//! The text depends on the filter's shape only, never on its values, so that it is prepared once each. `OFFSET 0`
//! keeps the planner from turning a question about one document into a join with all of them.

use super::Filter;
use super::leaf::{Leaf, rows};
use tokio_postgres::types::ToSql;

pub(in super::super) type Bind<'a> = &'a mut dyn FnMut(Box<dyn ToSql + Sync>) -> String;

/// Placeholders of the tenant and of the collections that are searched.
#[derive(Clone, Copy)]
pub(in super::super) struct Scope<'a> {
    pub(in super::super) tenant: &'a str,
    pub(in super::super) collections: &'a str,
}

/// Whether `document` (an expression) matches.
pub(in super::super) fn narrowed(
    filter: &Filter,
    document: &str,
    scope: Scope<'_>,
    bind: Bind<'_>,
) -> String {
    let mut all = |filters: &[Filter], operator: &str, none: &str| {
        let parts: Vec<String> =
            filters.iter().map(|filter| narrowed(filter, document, scope, &mut *bind)).collect();
        if parts.is_empty() { none.to_owned() } else { format!("({})", parts.join(operator)) }
    };
    match filter {
        Filter::And(filters) => all(filters, " AND ", "true"),
        Filter::Or(filters) => all(filters, " OR ", "false"),
        Filter::Not(inner) => format!("NOT {}", narrowed(inner, document, scope, bind)),
        Filter::Seen => format!(
            "EXISTS (SELECT FROM documents x WHERE x.tenant_id = {} AND x.document_id = {document} OFFSET 0)",
            scope.tenant
        ),
        Filter::Attribute(..) | Filter::Field(..) => {
            let rows = rows(filter, &mut *bind);
            let parts: Vec<String> =
                rows.iter().map(|leaf| leaf.holds(document, scope, &mut *bind)).collect();
            if parts.is_empty() { "false".to_owned() } else { format!("({})", parts.join(" OR ")) }
        }
    }
}

/// A query of the ids of all documents that match, each once. Of conditions that must all hold, the one that
/// matches fewest documents, by `counts` of its [`leaves`], is read from its index, and the rest asked of each.
pub(in super::super) fn matching(
    filter: &Filter,
    counts: &[i64],
    scope: Scope<'_>,
    bind: Bind<'_>,
) -> String {
    let Scope { tenant, collections } = scope;
    match cover(filter, &mut counts.iter().copied(), scope, bind).map(|(_, cover)| cover) {
        Some(Cover { sql, exact: true }) => sql,
        Some(Cover { sql, exact: false }) => {
            let rest = narrowed(filter, "c.document_id", scope, bind);
            format!("SELECT c.document_id FROM ({sql}) c WHERE {rest}")
        }
        None => {
            let rest = narrowed(filter, "d.document_id", scope, bind);
            format!(
                "SELECT d.document_id FROM documents d WHERE d.tenant_id = {tenant} \
                 AND d.collection_id = ANY ({collections}) AND d.published_version IS NOT NULL AND {rest}"
            )
        }
    }
}

/// Queries of the documents of each condition that an index can answer, in the order of [`matching`]'s counts.
pub(in super::super) fn leaves(filter: &Filter, scope: Scope<'_>, bind: Bind<'_>) -> Vec<String> {
    let mut each =
        |filters: &[Filter]| filters.iter().flat_map(|filter| leaves(filter, scope, &mut *bind)).collect();
    match filter {
        Filter::And(filters) | Filter::Or(filters) => each(filters),
        Filter::Not(_) | Filter::Seen => Vec::new(),
        Filter::Attribute(..) | Filter::Field(..) => vec![union(&rows(filter, bind), scope)],
    }
}

/// A superset of the documents that match.
struct Cover {
    sql: String,
    exact: bool,
}

fn cover(
    filter: &Filter,
    counts: &mut dyn Iterator<Item = i64>,
    scope: Scope<'_>,
    bind: Bind<'_>,
) -> Option<(i64, Cover)> {
    match filter {
        Filter::And(filters) => {
            let choices = filters.iter().map(|part| (part, estimate(part, counts)));
            let best = choices.filter_map(|(part, of)| of.map(|of| (part, of)));
            let (part, (count, own)) = best.min_by_key(|(_, (count, _))| *count)?;
            let (_, inner) = cover(part, &mut own.into_iter(), scope, bind)?;
            let exact = inner.exact && filters.len() == 1;
            Some((count, Cover { sql: inner.sql, exact }))
        }
        Filter::Or(filters) => {
            // Known before anything is bound: a parameter that no part uses would have no type.
            let mut own = estimate(filter, counts)?.1.into_iter();
            let mut sum = 0_i64;
            let mut parts = Vec::with_capacity(filters.len());
            let mut exact = true;
            for part in filters {
                let (count, inner) = cover(part, &mut own, scope, &mut *bind)?;
                sum = sum.saturating_add(count);
                exact &= inner.exact;
                parts.push(inner.sql);
            }
            let sql = if parts.is_empty() { nothing(scope.collections) } else { parts.join(" UNION ") };
            Some((sum, Cover { sql, exact }))
        }
        Filter::Not(_) | Filter::Seen => None,
        Filter::Attribute(..) | Filter::Field(..) => {
            let rows = rows(filter, bind);
            let exact = rows.iter().all(|leaf| leaf.also.is_none());
            Some((counts.next().unwrap_or(i64::MAX), Cover { sql: union(&rows, scope), exact }))
        }
    }
}

/// What the indexes would give for it, with its own leaves' counts; nothing where they cannot answer.
fn estimate(filter: &Filter, counts: &mut dyn Iterator<Item = i64>) -> Option<(i64, Vec<i64>)> {
    match filter {
        Filter::And(filters) => {
            let all: Vec<_> = filters.iter().map(|part| estimate(part, counts)).collect();
            let least = all.iter().flatten().map(|(count, _)| *count).min()?;
            Some((least, all.into_iter().flatten().flat_map(|(_, own)| own).collect()))
        }
        Filter::Or(filters) => {
            let all: Vec<_> = filters.iter().map(|part| estimate(part, counts)).collect();
            let all: Vec<_> = all.into_iter().collect::<Option<_>>()?;
            let sum = all.iter().fold(0_i64, |sum, (count, _)| sum.saturating_add(*count));
            Some((sum, all.into_iter().flat_map(|(_, own)| own).collect()))
        }
        Filter::Not(_) | Filter::Seen => None,
        Filter::Attribute(..) | Filter::Field(..) => {
            let count = counts.next().unwrap_or(i64::MAX);
            Some((count, vec![count]))
        }
    }
}

/// Names the collections, since a parameter that no part uses would have no type.
fn nothing(collections: &str) -> String {
    format!("SELECT x.document_id FROM documents x WHERE false AND x.collection_id = ANY ({collections})")
}

fn union(rows: &[Leaf], scope: Scope<'_>) -> String {
    let parts: Vec<String> = rows.iter().map(|leaf| leaf.documents(scope)).collect();
    if parts.is_empty() { nothing(scope.collections) } else { parts.join(" UNION ") }
}
