//! Embedding spaces: change the model or the precision of its vectors while searches go on.

use super::body::Json;
use super::page::Page;
use super::shapes::{CollectionNames, Questions};
use super::{ApiError, Principal, State, resource};
use crate::error::Error;
use crate::rag::search::MAX_QUERY_BYTES;
use crate::rag::spaces::{CompareQuery, Comparison, Which};
use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use mcp_rag_actors::store::{MOST_SPACES, MeasureSpace, Space, SpaceId, SpaceSize, SpaceState};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;
use utoipa::ToSchema;

const LIMIT: Duration = Duration::from_secs(10);
/// Comparing asks two models and the database many times.
const COMPARE_LIMIT: Duration = Duration::from_secs(30);
const MOST_QUERIES: usize = 100;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/spaces").route(web::get().to(list)).route(web::post().to(build)))
        .service(resource("/spaces/{id}").route(web::get().to(get)).route(web::delete().to(remove)))
        .service(resource("/spaces/{id}/activate").route(web::post().to(activate)))
        .service(resource("/spaces/{id}/rollback").route(web::post().to(rollback)))
        .service(resource("/spaces/{id}/compare").route(web::post().to(compare)));
}

/// An embedding space: vectors of one model, kept in one way.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SpaceView {
    id: String,
    model: String,
    dimensions: i32,
    /// halfvec, vector or bit.
    storage: String,
    /// building; ready: complete, and not searched yet; active: the one that is searched; retired: searched before,
    /// and kept; removing.
    state: &'static str,
    /// Whether a chunk may lack its vector. Only a space that is not behind can be activated.
    behind: bool,
    /// Whether this server has the model.
    configured: bool,
    /// The job that fills or removes it, or did.
    job: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    activated_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    retired_at: Option<OffsetDateTime>,
    /// Of a single space: vectors in it, chunks there are, bytes of its index.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<SizeView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SizeView {
    vectors: i64,
    chunks: i64,
    index_bytes: i64,
}

impl SpaceView {
    fn of(state: &State, space: &Space, size: Option<SpaceSize>) -> Self {
        Self {
            id: space.id.to_string(),
            model: space.spec.model.clone(),
            dimensions: space.spec.dimensions,
            storage: space.spec.storage.as_str().to_owned(),
            state: match (space.state, space.behind) {
                (SpaceState::Building, true) => "building",
                (SpaceState::Building, false) => "ready",
                (SpaceState::Active, _) => "active",
                (SpaceState::Retired, _) => "retired",
                (SpaceState::Removing, _) => "removing",
            },
            behind: space.behind,
            configured: state.rag.models.of(&space.spec).is_some(),
            job: space.job.map(|job| job.to_string()),
            created_at: space.created_at,
            activated_at: space.activated_at,
            retired_at: space.retired_at,
            size: size.map(|size| SizeView {
                vectors: size.vectors,
                chunks: size.chunks,
                index_bytes: size.index_bytes,
            }),
        }
    }
}

/// What a space is built for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BuildRequest {
    #[serde(default)]
    embedder: WhichModel,
}

/// `next`: `[embedder.next]`; `first`: `[embedder]`.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum WhichModel {
    First,
    #[default]
    Next,
}

/// Queries to ask both spaces; they are not kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CompareRequest {
    #[serde(default)]
    #[schema(inline, value_type = Questions)]
    queries: Vec<String>,
    /// Beginnings of stored chunks to ask with, besides: 50 by default when there are no queries.
    #[schema(minimum = 0, maximum = 100)]
    sample: Option<usize>,
    /// Results of each to compare, 10 by default.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 100)]
    k: u16,
    #[schema(inline, value_type = Option<CollectionNames>)]
    collections: Option<Vec<String>>,
}

/// A space and the job that works on it, if there is one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SpaceJob {
    space: SpaceView,
    job: Option<String>,
}

fn ten() -> u16 {
    10
}

fn id(text: &str) -> Result<SpaceId, ApiError> {
    text.parse().map_err(|_| Error::not_found("embedding space").into())
}

/// List embedding spaces, oldest first.
#[utoipa::path(get, path = "/v1/spaces", tag = "spaces", responses((status = 200, body = Page<SpaceView>)))]
pub(super) async fn list(state: Data<State>, principal: Principal) -> Result<HttpResponse, ApiError> {
    state.rag.catalog.forget();
    let spaces = state.rag.catalog.spaces(&principal.caller(LIMIT)).await?;
    let views = spaces.iter().map(|space| SpaceView::of(&state, space, None)).collect();
    Ok(HttpResponse::Ok().json(Page::of(views, MOST_SPACES, |view: &SpaceView| view.id.clone())))
}

/// Build a space for a configured model, or complete one that is behind.
///
/// In the background: searches and ingests go on, and what is published meanwhile goes into both spaces.
#[utoipa::path(post, path = "/v1/spaces", tag = "spaces", request_body = BuildRequest,
    responses((status = 202, body = SpaceJob), (status = 200, body = SpaceJob, description = "it is complete: there is no job"),
        (status = 409, description = "no second model is configured, or there are too many spaces")))]
pub(super) async fn build(
    state: Data<State>,
    principal: Principal,
    Json(request): Json<BuildRequest>,
) -> Result<HttpResponse, ApiError> {
    let which = match request.embedder {
        WhichModel::First => Which::First,
        WhichModel::Next => Which::Next,
    };
    let (space, job) = state.rag.build_space(which, &principal.caller(LIMIT)).await?;
    let body = SpaceJob { space: SpaceView::of(&state, &space, None), job: job.map(|job| job.to_string()) };
    Ok(if job.is_some() { HttpResponse::Accepted() } else { HttpResponse::Ok() }.json(body))
}

/// Get a space, with its size.
#[utoipa::path(get, path = "/v1/spaces/{id}", tag = "spaces", params(("id" = String, Path)),
    responses((status = 200, body = SpaceView), (status = 404)))]
pub(super) async fn get(
    state: Data<State>,
    principal: Principal,
    path: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (id, caller) = (id(&path)?, principal.caller(LIMIT));
    state.rag.catalog.forget();
    let known = state.rag.catalog.spaces(&caller).await?;
    let space =
        known.iter().find(|space| space.id == id).ok_or_else(|| Error::not_found("embedding space"))?;
    let size = state.rag.all.call(MeasureSpace { tenant: caller.tenant, id }, caller.deadline).await?;
    Ok(HttpResponse::Ok().json(SpaceView::of(&state, space, Some(size))))
}

/// Have a complete space searched from now on.
///
/// The one before is kept, and kept up to date while its model is configured.
#[utoipa::path(post, path = "/v1/spaces/{id}/activate", tag = "spaces", params(("id" = String, Path)),
    responses((status = 200, body = SpaceView), (status = 404),
        (status = 409, description = "it is not complete, or its model is not configured")))]
pub(super) async fn activate(
    state: Data<State>,
    principal: Principal,
    path: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let space = state.rag.activate_space(id(&path)?, &principal.caller(LIMIT)).await?;
    Ok(HttpResponse::Ok().json(SpaceView::of(&state, &space, None)))
}

/// Go back from the active space to the one that was searched before.
#[utoipa::path(post, path = "/v1/spaces/{id}/rollback", tag = "spaces", params(("id" = String, Path)),
    responses((status = 200, body = SpaceView, description = "the space that is searched now"), (status = 404),
        (status = 409, description = "it is not active, or none from before is complete")))]
pub(super) async fn rollback(
    state: Data<State>,
    principal: Principal,
    path: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let space = state.rag.roll_back_space(id(&path)?, &principal.caller(LIMIT)).await?;
    Ok(HttpResponse::Ok().json(SpaceView::of(&state, &space, None)))
}

/// Remove a space that is not searched: its index and its rows go in the background.
#[utoipa::path(delete, path = "/v1/spaces/{id}", tag = "spaces", params(("id" = String, Path)),
    responses((status = 202, body = SpaceJob), (status = 404), (status = 409, description = "it is searched")))]
pub(super) async fn remove(
    state: Data<State>,
    principal: Principal,
    path: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (space, job) = state.rag.remove_space(id(&path)?, &principal.caller(LIMIT)).await?;
    let body = SpaceJob { space: SpaceView::of(&state, &space, None), job: Some(job.to_string()) };
    Ok(HttpResponse::Accepted().json(body))
}

/// Ask a space and the one that is searched the same, and see how alike they answer.
#[utoipa::path(post, path = "/v1/spaces/{id}/compare", tag = "spaces", params(("id" = String, Path)),
    request_body = CompareRequest,
    responses((status = 200, body = Comparison), (status = 400), (status = 404),
        (status = 409, description = "its model is not configured")))]
pub(super) async fn compare(
    state: Data<State>,
    principal: Principal,
    path: Path<String>,
    Json(request): Json<CompareRequest>,
) -> Result<HttpResponse, ApiError> {
    let id = id(&path)?;
    let CompareRequest { queries, sample, k, collections } = request;
    let sample = sample.unwrap_or(if queries.is_empty() { MOST_QUERIES / 2 } else { 0 });
    if queries.len() > MOST_QUERIES || sample > MOST_QUERIES {
        let message = format!("`queries` and `sample` are at most {MOST_QUERIES} each");
        return Err(Error::invalid("queries", message).into());
    }
    if queries.iter().any(|query| query.trim().is_empty() || query.len() > MAX_QUERY_BYTES) {
        let message = format!("each of `queries` holds 1 to {MAX_QUERY_BYTES} bytes");
        return Err(Error::invalid("queries", message).into());
    }
    if !(1..=100).contains(&k) {
        return Err(Error::invalid("k", "`k` is between 1 and 100").into());
    }
    let query = CompareQuery { queries, sample, k, collections };
    let comparison: Comparison =
        state.rag.compare_spaces(id, query, &principal.caller(COMPARE_LIMIT)).await?;
    Ok(HttpResponse::Ok().json(comparison))
}
