pub(crate) mod accept;
pub(super) mod matching;

use super::idempotency::Once;
use super::page::{Order, Page, cursor, page_size};
use super::shapes::JsonObject;
use super::{ApiError, Principal, State, resource};
use crate::error::Error;
use actix_web::web::{self, Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, guard};
use mcp_rag_actors::store::{
    DeleteDocument, Document, DocumentId, GetContent, GetDocument, ListDocuments, Receipt,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

const LIMIT: Duration = Duration::from_secs(10);

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(
            resource("/collections/{name}/documents")
                .route(web::get().to(list))
                .route(web::post().to(accept::create_many)),
        )
        // Before the next one, and for this method alone: a document may be called `delete`.
        .service(
            resource("/collections/{name}/documents/delete")
                .guard(guard::Post())
                .route(web::post().to(matching::delete_matching)),
        )
        .service(
            resource("/collections/{name}/documents/{external_id}")
                .route(web::get().to(get))
                .route(web::put().to(accept::put))
                .route(web::delete().to(delete)),
        )
        .service(
            resource("/collections/{name}/documents/{external_id}/content").route(web::get().to(content)),
        );
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DocumentsQuery {
    /// 20 by default.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// `asc` by default.
    order: Option<Order>,
    /// The id behind which the page begins.
    after: Option<String>,
    /// The id before which the page ends.
    before: Option<String>,
    /// Only documents in this state.
    #[param(value_type = Option<DocumentStatus>)]
    status: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "for the OpenAPI document")]
pub(super) enum DocumentStatus {
    Queued,
    Running,
    Ready,
    Failed,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DocumentView {
    id: String,
    external_id: String,
    #[schema(value_type = DocumentStatus)]
    status: String,
    error: Option<String>,
    /// That works on it, or did last: what `POST /v1/jobs/{id}/retry` takes.
    job: Option<String>,
    version: i32,
    title: String,
    uri: String,
    media_type: String,
    #[schema(value_type = JsonObject)]
    attributes: Value,
    acl: Vec<String>,
    /// Searchable chunks.
    chunks: i32,
    /// What the searchable version had to do without; empty when all is well.
    warnings: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    /// From then on it is found no more.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
}

impl From<Document> for DocumentView {
    fn from(document: Document) -> Self {
        Self {
            id: document.id.to_string(),
            external_id: document.external_id,
            status: document.status,
            error: document.error,
            job: document.job.map(|job| job.to_string()),
            version: document.version,
            title: document.title,
            uri: document.uri,
            media_type: document.media_type,
            attributes: document.attributes,
            acl: document.acl,
            chunks: document.chunks,
            warnings: document.warnings,
            created_at: document.created_at,
            updated_at: document.updated_at,
            expires_at: document.expires_at,
        }
    }
}

/// What a deletion has removed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeletedView {
    deleted: Counts,
    /// A search that brings this along finds none of it, whichever server answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    consistency: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Counts {
    documents: i64,
    chunks: i64,
    embeddings: i64,
}

impl From<Receipt> for Counts {
    fn from(Receipt { documents, chunks, embeddings }: Receipt) -> Self {
        Self { documents, chunks, embeddings }
    }
}

impl From<Receipt> for DeletedView {
    fn from(receipt: Receipt) -> Self {
        Self { deleted: receipt.into(), consistency: None }
    }
}

/// List documents.
#[utoipa::path(get, path = "/v1/collections/{name}/documents", tag = "documents",
    params(("name" = String, Path), DocumentsQuery), responses((status = 200, body = Page<DocumentView>)))]
pub(super) async fn list(
    state: Data<State>,
    principal: Principal,
    name: Path<String>,
    query: Query<DocumentsQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = page_size(query.limit)?;
    if query
        .status
        .as_deref()
        .is_some_and(|status| !["queued", "running", "ready", "failed"].contains(&status))
    {
        return Err(Error::invalid("status", "`status` is queued, running, ready or failed").into());
    }
    let after: Option<DocumentId> = cursor("after", query.after.as_ref())?;
    let before: Option<DocumentId> = cursor("before", query.before.as_ref())?;
    let caller = principal.caller(LIMIT);
    let collection = state.rag.catalog.get(&caller, &name).await?;
    let list = ListDocuments {
        tenant: caller.tenant,
        collection: collection.id,
        status: query.status.clone(),
        after,
        before,
        descending: query.order == Some(Order::Desc),
        limit: i64::try_from(limit).unwrap_or(100),
    };
    let documents = state.rag.seen_by(&caller).call(list, caller.deadline).await?;
    let views = documents.into_iter().map(DocumentView::from).collect();
    Ok(HttpResponse::Ok().json(Page::of(views, limit, |view: &DocumentView| view.id.clone())))
}

/// The names of a collection and of a document in it; the database holds no NUL.
fn addressed(path: Path<(String, String)>) -> Result<(String, String), Error> {
    let (name, external_id) = path.into_inner();
    if external_id.contains('\0') { Err(Error::not_found("document")) } else { Ok((name, external_id)) }
}

/// Get a document's state and metadata.
#[utoipa::path(get, path = "/v1/collections/{name}/documents/{external_id}", tag = "documents",
    params(("name" = String, Path), ("external_id" = String, Path)),
    responses((status = 200, body = DocumentView), (status = 404)))]
pub(super) async fn get(
    state: Data<State>,
    principal: Principal,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (name, external_id) = addressed(path)?;
    let caller = principal.caller(LIMIT);
    let collection = state.rag.catalog.get(&caller, &name).await?.id;
    let get = GetDocument { tenant: caller.tenant, collection, external_id };
    let document = state.rag.seen_by(&caller).call(get, caller.deadline).await?;
    Ok(HttpResponse::Ok().json(DocumentView::from(document)))
}

/// Delete a document with its chunks and embeddings.
#[utoipa::path(delete, path = "/v1/collections/{name}/documents/{external_id}", tag = "documents",
    params(("name" = String, Path), ("external_id" = String, Path)),
    responses((status = 200, body = DeletedView, description = "what was deleted"), (status = 404)))]
pub(super) async fn delete(
    state: Data<State>,
    principal: Principal,
    path: Path<(String, String)>,
    once: Once,
) -> Result<HttpResponse, ApiError> {
    let (name, external_id) = addressed(path)?;
    let caller = principal.caller(LIMIT);
    let collection = state.rag.catalog.get(&caller, &name).await;
    let receipt: Receipt = match once.done().await? {
        Some(receipt) => receipt,
        None => {
            let collection = collection.clone()?.id;
            let delete = DeleteDocument { tenant: caller.tenant, collection, external_id };
            state.rag.seen_by(&caller).once(once.key().await?, delete, caller.deadline).await?
        }
    };
    let consistency = match collection {
        Ok(collection) => state.rag.consistency(&caller, collection.id).await,
        Err(_) => None, // gone since, with its documents
    };
    Ok(HttpResponse::Ok().json(DeletedView { consistency, ..receipt.into() }))
}

/// Get the parsed text that spans point into.
#[utoipa::path(get, path = "/v1/collections/{name}/documents/{external_id}/content", tag = "documents",
    params(("name" = String, Path), ("external_id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/plain", description = "the parsed text that spans point into"), (status = 404)))]
pub(super) async fn content(
    state: Data<State>,
    principal: Principal,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (name, external_id) = addressed(path)?;
    let caller = principal.caller(LIMIT);
    let collection = state.rag.catalog.get(&caller, &name).await?.id;
    let get = GetContent { tenant: caller.tenant, collection, external_id };
    let text = state.rag.seen_by(&caller).call(get, caller.deadline).await?;
    // Never as HTML: a document must not become a page of this origin.
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(text))
}
