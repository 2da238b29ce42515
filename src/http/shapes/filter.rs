//! The grammar of filters, for the OpenAPI document; `src/rag/filter.rs` reads it.

use super::FilterKey;
use serde::Deserialize;
use utoipa::ToSchema;

/// A condition on `attributes`, or on a document's own fields: `{"type": "eq", "key": "lang", "value": "en"}`.
///
/// A key that begins with `$` names a field of the document: `$title`, `$external_id`, `$uri` and `$media_type` compare
/// with strings, `$created_at` and `$updated_at` with times in RFC 3339; `$acl` is a list. An attribute whose own name
/// begins so is written with one `$` more. Conditions nest at most 8 deep and are at most 64.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the OpenAPI document")]
pub(crate) enum Filter {
    Combined(CombinedFilter),
    Compare(CompareFilter),
    AnyOf(AnyOfFilter),
    Contains(ContainsFilter),
    Exists(ExistsFilter),
}

/// All of the conditions, or any of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the OpenAPI document")]
pub(crate) struct CombinedFilter {
    #[serde(rename = "type")]
    kind: Combination,
    #[schema(no_recursion, min_items = 1, max_items = 63)]
    filters: Vec<Filter>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Combination {
    And,
    Or,
}

/// A value of the document beside this one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the OpenAPI document")]
pub(crate) struct CompareFilter {
    #[serde(rename = "type")]
    kind: Comparator,
    #[schema(inline)]
    key: FilterKey,
    value: FilterValue,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Comparator {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
}

/// A value that is one of these, or none of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the OpenAPI document")]
pub(crate) struct AnyOfFilter {
    #[serde(rename = "type")]
    kind: Membership,
    #[schema(inline)]
    key: FilterKey,
    #[schema(max_items = 256)]
    value: Vec<FilterValue>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Membership {
    In,
    Nin,
}

/// A list that has this value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the OpenAPI document")]
pub(crate) struct ContainsFilter {
    #[serde(rename = "type")]
    kind: Containment,
    #[schema(inline)]
    key: FilterKey,
    value: FilterValue,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Containment {
    Contains,
}

/// Whether there is a value at all.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the OpenAPI document")]
pub(crate) struct ExistsFilter {
    #[serde(rename = "type")]
    kind: Existence,
    #[schema(inline)]
    key: FilterKey,
    /// False for what is not there.
    #[serde(default)]
    value: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Existence {
    Exists,
}

#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the OpenAPI document")]
enum FilterValue {
    Text(String),
    Number(f64),
    Flag(bool),
}
