use crate::error::Error;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A page of a list; pass `last_id` as `after` for the next one while `has_more`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    pub(crate) data: Vec<T>,
    pub(crate) has_more: bool,
    pub(crate) first_id: Option<String>,
    pub(crate) last_id: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// 20 by default.
    #[param(minimum = 1, maximum = 100)]
    pub(crate) limit: Option<u16>,
    /// `asc` by default.
    pub(crate) order: Option<Order>,
    /// The id behind which the page begins.
    pub(crate) after: Option<String>,
    /// The id before which the page ends.
    pub(crate) before: Option<String>,
}

/// Of a list that is newest first.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NewestQuery {
    /// 20 by default.
    #[param(minimum = 1, maximum = 100)]
    pub(crate) limit: Option<u16>,
    /// The id behind which the page begins.
    pub(crate) after: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    Asc,
    Desc,
}

/// How many a page holds.
pub(crate) fn page_size(asked: Option<u16>) -> Result<usize, Error> {
    match asked.unwrap_or(20) {
        limit @ 1..=100 => Ok(limit.into()),
        _ => Err(Error::invalid("limit", "`limit` is between 1 and 100")),
    }
}

impl<T> Page<T> {
    /// From up to `limit + 1` items.
    pub(crate) fn of(mut items: Vec<T>, limit: usize, id: impl Fn(&T) -> String) -> Self {
        let has_more = items.len() > limit;
        items.truncate(limit);
        let (first_id, last_id) = (items.first().map(&id), items.last().map(&id));
        Self { data: items, has_more, first_id, last_id }
    }
}

/// An id given as a cursor.
pub(crate) fn cursor<I: std::str::FromStr<Err: std::fmt::Display>>(
    name: &'static str,
    value: Option<&String>,
) -> Result<Option<I>, Error> {
    let parse = |text: &String| text.parse().map_err(|error: I::Err| Error::invalid(name, error.to_string()));
    value.map(parse).transpose()
}
