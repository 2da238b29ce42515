//! Documents coming in: one by `PUT`, many by NDJSON or multipart.

use super::{DocumentView, LIMIT};
use crate::error::{Code, Error};
use crate::http::admission::Ticket;
use crate::http::idempotency::Once;
use crate::http::shapes::{Acl, Base64, JsonObject};
use crate::http::{ApiError, Principal, State, body, upload};
use crate::rag::ingest::{Incoming, Rejected, VectorsView, Wish};
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Data, Path, Query};
use actix_web::{FromRequest, HttpRequest, HttpResponse, http::StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mcp_rag_actors::store::{Class, GetDocument};
use mcp_rag_text::parse::MediaType;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::str::FromStr;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::{IntoParams, ToSchema};

/// A document as JSON; in NDJSON each line is one, with its `external_id`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDocument {
    /// In NDJSON only; otherwise it is part of the path.
    #[schema(min_length = 1, max_length = 512)]
    pub(crate) external_id: Option<String>,
    /// The document as text; or else `content`.
    pub(crate) text: Option<String>,
    /// The document's bytes in base64, for formats that are not text.
    #[schema(inline, value_type = Option<Base64>)]
    pub(crate) content: Option<String>,
    #[serde(default)]
    #[schema(max_length = 2048)]
    pub(crate) title: String,
    #[serde(default)]
    #[schema(max_length = 4096)]
    pub(crate) uri: String,
    /// `text/plain` if absent; the error for an unknown one lists all.
    pub(crate) media_type: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<JsonObject>)]
    pub(crate) attributes: Option<Value>,
    /// Principals who may see it. Stored, and enforced once there are callers other than the tenant's
    /// administrator, who sees every document.
    #[serde(default)]
    #[schema(value_type = Acl)]
    pub(crate) acl: Vec<String>,
    /// When the document ends by itself.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub(crate) expires_at: Option<OffsetDateTime>,
    /// From an export: used where the model is the same, left aside where it is another.
    pub(crate) vectors: Option<VectorsView>,
}

/// A document that was put in.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PutView {
    document: DocumentView,
    /// Absent when there is nothing to work on.
    job: Option<String>,
    /// Whether it was there already, with the same content.
    unchanged: bool,
    /// A search that brings this along sees what was done until now: all of it, where there is no job or it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    consistency: Option<String>,
}

/// What became of documents sent together.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct BulkView {
    accepted: usize,
    /// Of the accepted ones: those that were there already, with the same content.
    unchanged: usize,
    rejected: Vec<Rejected>,
    /// Absent when there is nothing to work on.
    job: Option<String>,
    /// Where nothing is left to work on: a search that brings this along sees what was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    consistency: Option<String>,
    /// Of an import.
    #[serde(skip_serializing_if = "Option::is_none")]
    vectors: Option<VectorsKnown>,
}

/// Vectors that came with documents.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct VectorsKnown {
    reusable: usize,
    of_other_models: usize,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct BulkQuery {
    /// URL that is told when the job is over.
    #[param(format = "uri", max_length = 2048)]
    webhook: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct PutQuery {
    /// Answer only once the document is searchable, or has failed.
    #[serde(default)]
    wait: bool,
    /// URL that is told when the job is over.
    #[param(format = "uri", max_length = 2048)]
    webhook: Option<String>,
    /// For a body that is not JSON.
    title: Option<String>,
    /// For a body that is not JSON.
    uri: Option<String>,
    /// For a body that is not JSON.
    #[param(format = DateTime)]
    expires_at: Option<String>,
}

impl PutQuery {
    fn expires_at(&self) -> Result<Option<OffsetDateTime>, Error> {
        let parse = |text: &String| {
            let invalid =
                || Error::invalid("expires_at", "`expires_at` is a time in RFC 3339, 2030-01-31T12:00:00Z");
            OffsetDateTime::parse(text, &Rfc3339).map_err(|_| invalid())
        };
        self.expires_at.as_ref().map(parse).transpose()
    }
}

impl NewDocument {
    pub(crate) fn into_incoming(self, external_id: String) -> Result<Incoming, Error> {
        let media_type = match &self.media_type {
            Some(name) => media_type(name)?,
            None => MediaType::Plain,
        };
        let content = match (self.text, self.content) {
            (Some(text), None) => text.into(),
            (None, Some(content)) => STANDARD
                .decode(content)
                .map_err(|_| Error::invalid("content", "`content` is not base64"))?
                .into(),
            _ => return Err(Error::invalid("text", "either `text` or `content` is needed")),
        };
        Ok(Incoming {
            line: 1,
            external_id,
            title: self.title,
            uri: self.uri,
            media_type,
            attributes: self.attributes.unwrap_or_else(|| json!({})),
            acl: self.acl,
            expires_at: self.expires_at,
            vectors: self.vectors.map(VectorsView::read).transpose()?,
            content,
        })
    }
}

pub(in crate::http) fn media_type(name: &str) -> Result<MediaType, Error> {
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
        (status = 202, body = PutView, description = "accepted: it is searchable when its job is over"),
        (status = 201, body = PutView, description = "new and searchable (`wait=true`)"),
        (status = 200, body = PutView, description = "replaced and searchable (`wait=true`), or `unchanged`"),
        (status = 415, description = "no documents of this type can be read")))]
pub(in crate::http) async fn put(
    state: Data<State>,
    principal: Principal,
    path: Path<(String, String)>,
    query: Query<PutQuery>,
    once: Once,
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
    let collection = state.rag.catalog.get(&caller, &name).await?;
    let content_type = content_type(&request);
    // Also where it is not used: what is wrong is said.
    let expires_at = query.expires_at()?;
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
            line: 1,
            external_id: external_id.clone(),
            title: query.title.clone().unwrap_or_default(),
            uri: query.uri.clone().unwrap_or_default(),
            media_type: media_type(&content_type)?,
            attributes: json!({}),
            acl: Vec::new(),
            expires_at,
            vectors: None,
            content: bytes,
        }
    };
    incoming.check(limits.ingest.max_document_bytes)?;
    let mut wish = Wish { class: Class::Interactive, webhook: query.webhook.clone(), key: None };
    wish.check(&limits.webhooks)?;
    wish.key = once.key().await?;
    let receipt = state.rag.accept(&collection, vec![incoming], wish, &caller).await?.whole()?;
    // Without room to wait the answer is the same as for a wait that was too short: 202.
    let place = if query.wait { Ticket::of(&request).wait() } else { None };
    if let (Some(job), Some(_held)) = (receipt.job, &place) {
        state.rag.wait_for(job, &caller).await?;
    }
    let get = GetDocument { tenant: caller.tenant, collection: collection.id, external_id };
    let document = state.rag.seen_by(&caller).call(get, principal.caller(LIMIT).deadline).await?;
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
    let unchanged = receipt.changed == 0;
    let consistency = match status {
        StatusCode::ACCEPTED => None, // its job tells
        _ => state.rag.consistency(&caller, collection.id).await,
    };
    Ok(HttpResponse::build(status).json(PutView { document: document.into(), job, unchanged, consistency }))
}

/// Put many documents in.
///
/// A bad line or file is listed in `rejected` and never costs the good ones.
#[utoipa::path(post, path = "/v1/collections/{name}/documents", tag = "documents", params(("name" = String, Path), BulkQuery),
    request_body(content = String, content_type = "application/x-ndjson",
        description = "one document per line; or `multipart/form-data` with files, whose names become external ids",
        example = json!("{\"external_id\":\"a\",\"text\":\"Ants carry fifty times their weight.\"}\n{\"external_id\":\"b\",\"text\":\"Bees dance.\"}\n")),
    responses((status = 202, body = BulkView), (status = 415, description = "neither NDJSON nor a form")))]
pub(in crate::http) async fn create_many(
    state: Data<State>,
    principal: Principal,
    name: Path<String>,
    query: Query<BulkQuery>,
    once: Once,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let limits = state.rag.settings();
    let caller = principal.caller(Duration::from_millis(limits.server.request_timeout_ms));
    let collection = state.rag.catalog.get(&caller, &name).await?;
    let mut wish = Wish { class: Class::Bulk, webhook: query.into_inner().webhook, key: None };
    wish.check(&limits.webhooks)?;
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
    wish.key = once.key().await?;
    respond(&state, &collection, (documents, rejected), None, wish, &caller).await
}

async fn respond(
    state: &Data<State>,
    collection: &mcp_rag_actors::store::Collection,
    (documents, mut rejected): (Vec<Incoming>, Vec<Rejected>),
    vectors: Option<VectorsKnown>,
    wish: Wish,
    caller: &crate::rag::Caller,
) -> Result<HttpResponse, ApiError> {
    let mut accepted = documents.len();
    let (mut job, mut unchanged) = (None, 0);
    if accepted > 0 {
        let receipt = state.rag.accept(collection, documents, wish, caller).await?;
        job = receipt.job.map(|job| job.to_string());
        accepted -= receipt.refused.len();
        rejected.extend(receipt.refused);
        rejected.sort_by_key(|one| one.line);
        unchanged = accepted.saturating_sub(receipt.changed);
    }
    // With nothing good in it the request itself was bad.
    let status =
        if accepted == 0 && !rejected.is_empty() { StatusCode::BAD_REQUEST } else { StatusCode::ACCEPTED };
    if status == StatusCode::BAD_REQUEST {
        let first =
            rejected.first().map(|one| format!("line {}: {}", one.line, one.error)).unwrap_or_default();
        return Err(Error::new(Code::InvalidRequest, format!("no document was accepted; {first}")).into());
    }
    let consistency = match job {
        Some(_) => None, // it tells
        None => state.rag.consistency(caller, collection.id).await,
    };
    Ok(HttpResponse::build(status).json(BulkView {
        accepted,
        unchanged,
        rejected,
        job,
        consistency,
        vectors,
    }))
}

/// Take in what an export gave out.
///
/// The lines of an export, its first and last included, or any lines of a bulk upload. Vectors of the model in use
/// here are used instead of embedding.
#[utoipa::path(post, path = "/v1/collections/{name}/import", tag = "documents", params(("name" = String, Path), BulkQuery),
    request_body(content = String, content_type = "application/x-ndjson", description = "one document per line"),
    responses((status = 202, body = BulkView), (status = 415, description = "not NDJSON")))]
pub(in crate::http) async fn import(
    state: Data<State>,
    principal: Principal,
    name: Path<String>,
    query: Query<BulkQuery>,
    once: Once,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let limits = state.rag.settings();
    let caller = principal.caller(Duration::from_millis(limits.server.request_timeout_ms));
    let collection = state.rag.catalog.get(&caller, &name).await?;
    let mut wish = Wish { class: Class::Bulk, webhook: query.into_inner().webhook, key: None };
    wish.check(&limits.webhooks)?;
    if !content_type(&request).starts_with("application/x-ndjson") {
        return Err(
            Error::new(Code::UnsupportedMediaType, "send application/x-ndjson, as an export is").into()
        );
    }
    let _room = state.uploads.reserve(&request, limits.server.max_body_bytes)?;
    let bytes = body::read(&request, payload.into_inner(), limits.server.max_body_bytes).await?;
    let (documents, rejected) = upload::exported(&bytes, limits.ingest.max_document_bytes);
    drop(bytes);
    let count = |reused: bool| -> usize {
        let known = documents.iter().filter_map(|document| document.vectors.as_ref());
        known.filter(|known| state.rag.reuses(known) == reused).map(|known| known.by_hash.len()).sum()
    };
    let vectors = VectorsKnown { reusable: count(true), of_other_models: count(false) };
    wish.key = once.key().await?;
    respond(&state, &collection, (documents, rejected), Some(vectors), wish, &caller).await
}

fn content_type(request: &HttpRequest) -> String {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or("application/octet-stream").trim().to_ascii_lowercase()
}
