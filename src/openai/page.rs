//! Lists as OpenAI's clients page through them: `after` the last id while `has_more`.

use crate::error::Error;
use crate::http::page::Order;
use mcp_rag_actors::store::{Keyset, Listed};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// `list`
    object: &'static str,
    data: Vec<T>,
    first_id: Option<String>,
    last_id: Option<String>,
    has_more: bool,
}

impl<T> List<T> {
    /// `id` of each is what `after` and `before` take.
    pub(super) fn of<R>(listed: Listed<R>, view: impl Fn(R) -> T, id: impl Fn(&T) -> String) -> Self {
        let data: Vec<T> = listed.items.into_iter().map(view).collect();
        let (first_id, last_id) = (data.first().map(&id), data.last().map(&id));
        Self { object: "list", data, first_id, last_id, has_more: listed.has_more }
    }
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedObject {
    id: String,
    object: &'static str,
    deleted: bool,
}

impl DeletedObject {
    pub(super) fn new(id: &str, object: &'static str) -> Self {
        Self { id: id.to_owned(), object, deleted: true }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// 20 by default; of uploaded files 10,000.
    #[param(minimum = 1)]
    pub(super) limit: Option<u16>,
    /// By creation: `desc` by default, or `asc`.
    pub(super) order: Option<Order>,
    /// The id behind which the page begins.
    pub(super) after: Option<String>,
    /// The id before which the page ends.
    pub(super) before: Option<String>,
    /// Only files in this state.
    #[param(value_type = Option<FileStatus>)]
    pub(super) filter: Option<String>,
    /// Only files for this.
    pub(super) purpose: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "for the OpenAPI document")]
pub(crate) enum FileStatus {
    InProgress,
    Completed,
    Failed,
    Cancelled,
}

const STATES: [&str; 4] = ["in_progress", "completed", "failed", "cancelled"];

impl ListQuery {
    /// Which page; `id` reads a cursor.
    pub(super) fn keyset(
        &self,
        most: u16,
        usual: u16,
        id: impl Fn(&str) -> Option<i64>,
    ) -> Result<Keyset, Error> {
        let limit = self.limit.unwrap_or(usual);
        if !(1..=most).contains(&limit) {
            return Err(Error::invalid("limit", format!("`limit` is between 1 and {most}")));
        }
        let read = |name: &'static str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => {
                let wrong =
                    || Error::invalid(name, format!("`{name}` is not the id of anything listed here"));
                id(text).map(Some).ok_or_else(wrong)
            }
        };
        Ok(Keyset {
            after: read("after", &self.after)?,
            before: read("before", &self.before)?,
            descending: self.order != Some(Order::Asc),
            limit,
        })
    }

    /// Refuses what only other lists have.
    pub(super) fn without(&self, filter: bool, purpose: bool) -> Result<(), Error> {
        for (given, name) in
            [(filter && self.filter.is_some(), "filter"), (purpose && self.purpose.is_some(), "purpose")]
        {
            if given {
                return Err(Error::invalid(name, format!("this list has no `{name}`")));
            }
        }
        Ok(())
    }

    pub(super) fn state(&self) -> Result<Option<String>, Error> {
        match self.filter.as_deref() {
            Some(state) if !STATES.contains(&state) => {
                Err(Error::invalid("filter", "`filter` is in_progress, completed, failed or cancelled"))
            }
            state => Ok(state.map(str::to_owned)),
        }
    }
}
