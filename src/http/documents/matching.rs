//! Documents deleted by what they are rather than by their names.

use crate::http::body::Json;
use crate::http::idempotency::Once;
use crate::http::{ApiError, Principal, State};
use crate::rag::filter;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use mcp_rag_actors::store::{CountMatching, DeleteMatching, Deleted, Matching};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use utoipa::ToSchema;

/// Half of it is for deleting, batch by batch.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct DeleteRequest {
    /// The conditions, as a search's `filters`; there has to be one.
    #[schema(value_type = Object)]
    filter: Value,
    /// Only say what would be deleted.
    #[serde(default)]
    dry_run: bool,
}

/// Delete every document that fulfils a filter.
///
/// In batches, each with its chunks and embeddings at once. Where that takes too long for one request, `complete` is false:
/// send it again, with another `Idempotency-Key`.
#[utoipa::path(post, path = "/v1/collections/{name}/documents/delete", tag = "documents", params(("name" = String, Path)),
    request_body(content = DeleteRequest, example = json!({"filter": {"type": "eq", "key": "lang", "value": "en"}, "dry_run": true})),
    responses(
        (status = 200, description = "`{deleted: {documents, chunks, embeddings}, complete}`; with `dry_run`: `{would_delete: {documents, chunks, embeddings}}`"),
        (status = 404, description = "no such collection")))]
pub(in crate::http) async fn delete_matching(
    state: Data<State>,
    principal: Principal,
    name: Path<String>,
    once: Once,
    Json(request): Json<DeleteRequest>,
) -> Result<HttpResponse, ApiError> {
    let filter = filter::parse(&request.filter).map_err(|error| error.about("filter"))?;
    let caller = principal.caller(LIMIT);
    if let Some(deleted) = once.done::<Deleted>().await? {
        return Ok(HttpResponse::Ok().json(deleted));
    }
    let collection = state.rag.catalog.get(&caller, &name).await?.id;
    let matching = Matching { tenant: caller.tenant, collection, filter };
    if request.dry_run {
        let receipt = state.rag.seen_by(&caller).call(CountMatching(matching), caller.deadline).await?;
        return Ok(HttpResponse::Ok().json(json!({"would_delete": receipt})));
    }
    let deleted =
        state.rag.seen_by(&caller).once(once.key().await?, DeleteMatching(matching), caller.deadline).await;
    // Also after a failure: what was deleted until then is gone.
    state.rag.catalog.forget();
    Ok(HttpResponse::Ok().json(deleted?))
}
