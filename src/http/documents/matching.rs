//! Documents deleted by what they are rather than by their names.

use crate::http::body::Json;
use crate::http::documents::Counts;
use crate::http::idempotency::Once;
use crate::http::shapes::Filter;
use crate::http::{ApiError, Principal, State};
use crate::rag::filter;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use mcp_rag_actors::store::{CountMatching, DeleteMatching, Deleted, Matching};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;

/// Half of it is for deleting, batch by batch.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct DeleteRequest {
    /// The conditions, as a search's `filters`; there has to be one.
    #[schema(value_type = Filter)]
    filter: Value,
    /// Only say what would be deleted.
    #[serde(default)]
    dry_run: bool,
}

/// What was deleted, or would be.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::http) enum MatchingView {
    Deleted(DeletedMatching),
    WouldDelete(WouldDelete),
}

#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct DeletedMatching {
    deleted: Counts,
    /// False where some are left: send the request again.
    complete: bool,
    /// A search that brings this along finds none of it, whichever server answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    consistency: Option<String>,
}

/// With `dry_run`.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct WouldDelete {
    would_delete: Counts,
}

impl MatchingView {
    fn of(Deleted { deleted, complete }: Deleted, consistency: Option<String>) -> Self {
        Self::Deleted(DeletedMatching { deleted: deleted.into(), complete, consistency })
    }
}

/// Delete every document that fulfils a filter.
///
/// In batches, each with its chunks and embeddings at once. Where that takes too long for one request, `complete` is false:
/// send it again, with another `Idempotency-Key`.
#[utoipa::path(post, path = "/v1/collections/{name}/documents/delete", tag = "documents", params(("name" = String, Path)),
    request_body(content = DeleteRequest, example = json!({"filter": {"type": "eq", "key": "lang", "value": "en"}, "dry_run": true})),
    responses(
        (status = 200, body = MatchingView),
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
    let collection = state.rag.catalog.get(&caller, &name).await.map(|collection| collection.id);
    if let Some(deleted) = once.done::<Deleted>().await? {
        let consistency = match collection {
            Ok(collection) => state.rag.consistency(&caller, collection).await,
            Err(_) => None, // gone since, with its documents
        };
        return Ok(HttpResponse::Ok().json(MatchingView::of(deleted, consistency)));
    }
    let collection = collection?;
    let matching = Matching { tenant: caller.tenant, collection, filter };
    if request.dry_run {
        let receipt = state.rag.seen_by(&caller).call(CountMatching(matching), caller.deadline).await?;
        let would = MatchingView::WouldDelete(WouldDelete { would_delete: receipt.into() });
        return Ok(HttpResponse::Ok().json(would));
    }
    let deleted =
        state.rag.seen_by(&caller).once(once.key().await?, DeleteMatching(matching), caller.deadline).await;
    // Also after a failure: what was deleted until then is gone.
    let consistency = state.rag.consistency(&caller, collection).await;
    Ok(HttpResponse::Ok().json(MatchingView::of(deleted?, consistency)))
}
