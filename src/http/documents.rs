use super::admission::Ticket;
use super::page::{Order, Page, PageQuery, cursor};
use super::{ApiError, Principal, State, body, resource, upload};
use crate::error::{Code, Error};
use crate::rag::ingest::{Incoming, Rejected};
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Data, Path, Query, ServiceConfig};
use actix_web::{FromRequest, HttpRequest, HttpResponse, http::StatusCode};
use mcp_rag_actors::store::{DeleteDocument, Document, DocumentId, GetContent, GetDocument, ListDocuments};
use mcp_rag_text::parse::MediaType;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::str::FromStr;
use std::time::Duration;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

const LIMIT: Duration = Duration::from_secs(10);

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(
            resource("/collections/{name}/documents")
                .route(web::get().to(list))
                .route(web::post().to(create_many)),
        )
        .service(
            resource("/collections/{name}/documents/{external_id}")
                .route(web::get().to(get))
                .route(web::put().to(put))
                .route(web::delete().to(delete)),
        )
        .service(
            resource("/collections/{name}/documents/{external_id}/content").route(web::get().to(content)),
        );
}

/// A document as JSON; in NDJSON each line is one, with its `external_id`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDocument {
    /// In NDJSON only; otherwise it is part of the path.
    pub(super) external_id: Option<String>,
    pub(super) text: String,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    pub(super) uri: String,
    /// `text/plain` (default), `text/markdown` or `text/html`.
    pub(super) media_type: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(super) attributes: Option<Value>,
    /// Principals who may see it. Stored, and enforced once there are callers other than the tenant's
    /// administrator, who sees every document.
    #[serde(default)]
    pub(super) acl: Vec<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PutQuery {
    /// Answer only once the document is searchable, or has failed.
    #[serde(default)]
    wait: bool,
    /// For a body that is not JSON.
    title: Option<String>,
    /// For a body that is not JSON.
    uri: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DocumentView {
    id: String,
    external_id: String,
    /// queued, running, ready or failed.
    status: String,
    error: Option<String>,
    version: i32,
    title: String,
    uri: String,
    media_type: String,
    #[schema(value_type = Object)]
    attributes: Value,
    acl: Vec<String>,
    /// Searchable chunks.
    chunks: i32,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl From<Document> for DocumentView {
    fn from(document: Document) -> Self {
        Self {
            id: document.id.to_string(),
            external_id: document.external_id,
            status: document.status,
            error: document.error,
            version: document.version,
            title: document.title,
            uri: document.uri,
            media_type: document.media_type,
            attributes: document.attributes,
            acl: document.acl,
            chunks: document.chunks,
            created_at: document.created_at,
            updated_at: document.updated_at,
        }
    }
}

impl NewDocument {
    pub(super) fn into_incoming(self, external_id: String) -> Result<Incoming, Error> {
        let media_type = match &self.media_type {
            Some(name) => media_type(name)?,
            None => MediaType::Plain,
        };
        Ok(Incoming {
            external_id,
            title: self.title,
            uri: self.uri,
            media_type,
            attributes: self.attributes.unwrap_or_else(|| json!({})),
            acl: self.acl,
            content: self.text.into(),
        })
    }
}

pub(super) fn media_type(name: &str) -> Result<MediaType, Error> {
    MediaType::from_str(name)
        .map_err(|error| Error::new(Code::UnsupportedMediaType, error.to_string()).about("media_type"))
}

/// Put a document in, or replace it.
///
/// The body is JSON, or the document itself with its content type. The same content again changes nothing.
#[utoipa::path(put, path = "/v1/collections/{name}/documents/{external_id}", tag = "documents",
    params(("name" = String, Path), ("external_id" = String, Path), PutQuery),
    request_body(content(
        (NewDocument = "application/json", example = json!({"title": "Fox", "text": "The quick brown fox jumps over the lazy dog."})),
        (String = "text/markdown", example = json!("# Fox\n\nThe quick brown fox jumps over the lazy dog.")),
        (String = "text/plain"), (String = "text/html"))),
    responses(
        (status = 202, description = "accepted: `{document, job}`"),
        (status = 201, description = "new and searchable (`wait=true`)"),
        (status = 200, description = "replaced and searchable (`wait=true`), or `unchanged`")))]
pub(super) async fn put(
    state: Data<State>,
    principal: Principal,
    path: Path<(String, String)>,
    query: Query<PutQuery>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let (name, external_id) = path.into_inner();
    // Percent-encoded bytes that are no UTF-8 are read as this: two such ids would be one document.
    if external_id.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Error::invalid("external_id", "`external_id` is not valid UTF-8").into());
    }
    let limits = state.rag.settings();
    let caller = principal.caller(Duration::from_millis(limits.server.request_timeout_ms));
    let collection = state.rag.catalog.get(caller, &name).await?;
    let content_type = content_type(&request);
    // JSON escapes may double a text's size.
    let limit = limits.server.max_body_bytes;
    let _room = state.uploads.reserve(&request, limit)?;
    let bytes = body::read(&request, payload.into_inner(), limit).await?;
    let incoming = if content_type.starts_with("application/json") {
        let new: NewDocument = body::parse(&bytes)?;
        if new.external_id.as_ref().is_some_and(|inner| *inner != external_id) {
            return Err(
                Error::invalid("external_id", "`external_id` differs from the one in the path").into()
            );
        }
        new.into_incoming(external_id.clone())?
    } else {
        Incoming {
            external_id: external_id.clone(),
            title: query.title.clone().unwrap_or_default(),
            uri: query.uri.clone().unwrap_or_default(),
            media_type: media_type(&content_type)?,
            attributes: json!({}),
            acl: Vec::new(),
            content: bytes,
        }
    };
    incoming.check(limits.ingest.max_document_bytes)?;
    let receipt = state.rag.accept(&collection, vec![incoming], caller).await?;
    // Without room to wait the answer is the same as for a wait that was too short: 202.
    let place = if query.wait { Ticket::of(&request).wait() } else { None };
    if let (Some(job), Some(_held)) = (receipt.job, &place) {
        state.rag.wait_for(job, caller).await?;
    }
    let get = GetDocument { tenant: caller.tenant, collection: collection.id, external_id };
    let document = state.rag.store.call(get, principal.caller(LIMIT).deadline).await?;
    let status = match receipt.job {
        None => StatusCode::OK,
        Some(_) if query.wait && document.status == "ready" => {
            if document.version == 1 {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            }
        }
        Some(_) if query.wait && document.status == "failed" => {
            let reason = document.error.unwrap_or_default();
            return Err(Error::new(
                Code::InvalidRequest,
                format!("the document cannot be ingested: {reason}"),
            )
            .into());
        }
        Some(_) => StatusCode::ACCEPTED,
    };
    let job = receipt.job.map(|job| job.to_string());
    Ok(HttpResponse::build(status).json(json!({
        "document": DocumentView::from(document),
        "job": job,
        "unchanged": receipt.job.is_none(),
    })))
}

/// Put many documents in.
///
/// A bad line or file is listed in `rejected` and never costs the good ones.
#[utoipa::path(post, path = "/v1/collections/{name}/documents", tag = "documents", params(("name" = String, Path)),
    request_body(content = String, content_type = "application/x-ndjson",
        description = "one document per line; or `multipart/form-data` with files, whose names become external ids",
        example = json!("{\"external_id\":\"a\",\"text\":\"Ants carry fifty times their weight.\"}\n{\"external_id\":\"b\",\"text\":\"Bees dance.\"}\n")),
    responses((status = 202, description = "`{accepted, rejected: [{line, error}], job}`")))]
pub(super) async fn create_many(
    state: Data<State>,
    principal: Principal,
    name: Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let limits = state.rag.settings();
    let caller = principal.caller(Duration::from_millis(limits.server.request_timeout_ms));
    let collection = state.rag.catalog.get(caller, &name).await?;
    let content_type = content_type(&request);
    let max_document = limits.ingest.max_document_bytes;
    let _room = state.uploads.reserve(&request, limits.server.max_body_bytes)?;
    let (documents, rejected) = if content_type.starts_with("application/x-ndjson") {
        let bytes = body::read(&request, payload.into_inner(), limits.server.max_body_bytes).await?;
        upload::ndjson(&bytes, max_document)
    } else if content_type.starts_with("multipart/form-data") {
        let mut inner: Payload = payload.into_inner();
        let multipart = actix_multipart::Multipart::from_request(&request, &mut inner).await;
        let multipart = multipart.map_err(|error| Error::new(Code::InvalidRequest, error.to_string()))?;
        let parts = upload::multipart(multipart, max_document, limits.server.max_body_bytes);
        let parts = tokio::time::timeout_at(body::due(&request).into(), parts).await;
        Ticket::of(&request).enter()?;
        parts.map_err(|_| body::late())??
    } else {
        let message =
            "send application/x-ndjson or multipart/form-data; one document goes by PUT with its external id";
        return Err(Error::new(Code::UnsupportedMediaType, message).into());
    };
    respond(&state, &collection, documents, rejected, caller).await
}

async fn respond(
    state: &Data<State>,
    collection: &mcp_rag_actors::store::Collection,
    documents: Vec<Incoming>,
    rejected: Vec<Rejected>,
    caller: crate::rag::Caller,
) -> Result<HttpResponse, ApiError> {
    let accepted = documents.len();
    let (mut job, mut unchanged) = (None, 0);
    if accepted > 0 {
        let receipt = state.rag.accept(collection, documents, caller).await?;
        job = receipt.job.map(|job| job.to_string());
        unchanged = accepted.saturating_sub(receipt.changed);
    }
    let body = json!({"accepted": accepted, "unchanged": unchanged, "rejected": rejected, "job": job});
    // With nothing good in it the request itself was bad.
    let status =
        if accepted == 0 && !rejected.is_empty() { StatusCode::BAD_REQUEST } else { StatusCode::ACCEPTED };
    if status == StatusCode::BAD_REQUEST {
        let first =
            rejected.first().map(|one| format!("line {}: {}", one.line, one.error)).unwrap_or_default();
        return Err(Error::new(Code::InvalidRequest, format!("no document was accepted; {first}")).into());
    }
    Ok(HttpResponse::build(status).json(body))
}

fn content_type(request: &HttpRequest) -> String {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or("application/octet-stream").trim().to_ascii_lowercase()
}

/// List documents.
#[utoipa::path(get, path = "/v1/collections/{name}/documents", tag = "documents",
    params(("name" = String, Path), PageQuery), responses((status = 200, body = Page<DocumentView>)))]
pub(super) async fn list(
    state: Data<State>,
    principal: Principal,
    name: Path<String>,
    query: Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = query.limit()?;
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
    let collection = state.rag.catalog.get(caller, &name).await?;
    let list = ListDocuments {
        tenant: caller.tenant,
        collection: collection.id,
        status: query.status.clone(),
        after,
        before,
        descending: query.order == Some(Order::Desc),
        limit: i64::try_from(limit).unwrap_or(100),
    };
    let documents = state.rag.store.call(list, caller.deadline).await?;
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
    let collection = state.rag.catalog.get(caller, &name).await?.id;
    let document =
        state.rag.store.call(GetDocument { tenant: caller.tenant, collection, external_id }, caller.deadline);
    Ok(HttpResponse::Ok().json(DocumentView::from(document.await?)))
}

/// Delete a document with its chunks and embeddings.
#[utoipa::path(delete, path = "/v1/collections/{name}/documents/{external_id}", tag = "documents",
    params(("name" = String, Path), ("external_id" = String, Path)),
    responses((status = 200, description = "what was deleted: `{deleted: {documents, chunks, embeddings}}`"), (status = 404)))]
pub(super) async fn delete(
    state: Data<State>,
    principal: Principal,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (name, external_id) = addressed(path)?;
    let caller = principal.caller(LIMIT);
    let collection = state.rag.catalog.get(caller, &name).await?.id;
    let delete = DeleteDocument { tenant: caller.tenant, collection, external_id };
    let receipt = state.rag.store.call(delete, caller.deadline).await?;
    state.rag.catalog.forget();
    Ok(HttpResponse::Ok().json(json!({"deleted": receipt})))
}

/// Get the parsed text that spans point into.
#[utoipa::path(get, path = "/v1/collections/{name}/documents/{external_id}/content", tag = "documents",
    params(("name" = String, Path), ("external_id" = String, Path)),
    responses((status = 200, content_type = "text/plain", description = "the parsed text that spans point into"), (status = 404)))]
pub(super) async fn content(
    state: Data<State>,
    principal: Principal,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (name, external_id) = addressed(path)?;
    let caller = principal.caller(LIMIT);
    let collection = state.rag.catalog.get(caller, &name).await?.id;
    let get = GetContent { tenant: caller.tenant, collection, external_id };
    let text = state.rag.store.call(get, caller.deadline).await?;
    // Never as HTML: a document must not become a page of this origin.
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header(("x-content-type-options", "nosniff"))
        .body(text))
}
