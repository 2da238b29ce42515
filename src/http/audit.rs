use super::page::{Page, cursor};
use super::{ApiError, Principal, State, resource};
use crate::error::Error;
use actix_web::HttpResponse;
use actix_web::web::{self, Data, Query, ServiceConfig};
use mcp_rag_actors::store::{AuditEntry, EntryId, ListEntries, NewEntry};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

const LIMIT: Duration = Duration::from_secs(10);
const MOST_ACTOR: usize = 512;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(resource("/audit").route(web::get().to(list)));
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// 20 by default.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The id behind which the page begins.
    after: Option<String>,
    /// Of this credential alone: `token`, or a key's id.
    #[param(max_length = 512)]
    actor: Option<String>,
    /// Only what was refused.
    #[serde(default)]
    denied: bool,
    /// Not before this.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<OffsetDateTime>,
}

/// What somebody did, or was not let.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntryView {
    #[schema(example = "aud_12")]
    id: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Which credential: `token`, a key's id, `jwt:` and a token's subject, or `open` where none is needed.
    #[schema(example = "key_3")]
    actor: String,
    /// The method and the route, or the MCP tool.
    #[schema(example = "DELETE /v1/collections/{name}")]
    action: String,
    /// What it was about, as the request named it.
    #[schema(example = "/v1/collections/notes")]
    target: String,
    /// Of the response.
    status: i16,
    request_id: String,
    /// The address of whoever connected; behind a proxy, the proxy's.
    peer: String,
}

impl From<AuditEntry> for EntryView {
    fn from(AuditEntry { id, entry }: AuditEntry) -> Self {
        let NewEntry { at, actor, action, target, status, request_id, peer } = entry;
        Self { id: id.to_string(), at, actor, action, target, status, request_id, peer }
    }
}

/// List the audit log, newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(AuditQuery), responses((status = 200, body = Page<EntryView>)))]
pub(super) async fn list(
    state: Data<State>,
    principal: Principal,
    query: Query<AuditQuery>,
) -> Result<HttpResponse, ApiError> {
    let AuditQuery { limit, after, actor, denied, since } = query.into_inner();
    let limit @ 1..=100 = limit.unwrap_or(20) else {
        return Err(Error::invalid("limit", "`limit` is between 1 and 100").into());
    };
    if actor.as_ref().is_some_and(|actor| actor.len() > MOST_ACTOR || actor.contains('\0')) {
        return Err(Error::invalid("actor", "`actor` is `token`, `none` or the id of a key").into());
    }
    let after: Option<EntryId> = cursor("after", after.as_ref())?;
    let caller = principal.caller(LIMIT);
    let list = ListEntries { tenant: caller.tenant, after, actor, denied, since, limit: limit.into() };
    let entries = state.rag.store.call(list, caller.deadline).await?;
    let views = entries.into_iter().map(EntryView::from).collect();
    Ok(HttpResponse::Ok().json(Page::of(views, limit.into(), |view: &EntryView| view.id.clone())))
}
