mod chunking;

use super::body::{Json, object};
use super::documents::DeletedView;
use super::idempotency::Once;
use super::page::{Page, PageQuery, cursor, page_size};
use super::shapes::JsonObject;
use super::{ApiError, Principal, State, resource};
use crate::error::{Code, Error};
use crate::rag::Caller;
use crate::rag::ingest::holds_nul;
use actix_web::web::{self, Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, http::StatusCode};
use chunking::{ChunkingChange, ChunkingView};
use mcp_rag_actors::store::{
    Chunking, Collection, CollectionId, CreateCollection, DeleteCollection, Receipt, ReindexCollection,
    UpdateCollection, Updated,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use time::OffsetDateTime;
use utoipa::ToSchema;

const LIMIT: Duration = Duration::from_secs(10);
/// Deleting a large collection, or queueing all its documents, takes a while; it is one transaction.
const WRITE_LIMIT: Duration = Duration::from_secs(30);
const MAX_NAME: usize = 128;
const MAX_DESCRIPTION: usize = 4096;
const MAX_METADATA: usize = 16 * 1024;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/collections").route(web::get().to(list)).route(web::post().to(create)))
        .service(
            resource("/collections/{name}")
                .route(web::get().to(get))
                .route(web::patch().to(update))
                .route(web::delete().to(delete)),
        )
        .service(resource("/collections/{name}/reindex").route(web::post().to(reindex)));
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCollection {
    /// Letters, digits, `-`, `_` and `.`
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._-]+$")]
    name: String,
    /// In bytes of UTF-8.
    #[serde(default)]
    #[schema(max_length = 4096)]
    description: String,
    #[serde(default)]
    #[schema(value_type = Option<JsonObject>)]
    metadata: Option<Value>,
    #[serde(default, deserialize_with = "object")]
    chunking: ChunkingChange,
    /// A code or English name (`en`, `german`); an unknown one is searched without stemming.
    #[serde(default)]
    #[schema(pattern = "^[A-Za-z0-9-]{1,32}$")]
    language: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CollectionChange {
    #[schema(max_length = 4096)]
    description: Option<String>,
    #[schema(value_type = Option<JsonObject>)]
    metadata: Option<Value>,
    /// What is named changes, and a job cuts the collection's documents anew.
    chunking: Option<ChunkingChange>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CollectionView {
    id: String,
    name: String,
    description: String,
    #[schema(value_type = JsonObject)]
    metadata: Value,
    language: String,
    chunking: ChunkingView,
    /// Searchable documents and chunks.
    documents: i64,
    chunks: i64,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    /// The job that cuts its documents anew, in the answer to the change that began it.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<String>,
}

impl From<Collection> for CollectionView {
    fn from(collection: Collection) -> Self {
        Self {
            id: collection.id.to_string(),
            name: collection.name,
            description: collection.description,
            metadata: collection.metadata,
            language: collection.language,
            chunking: collection.chunking.into(),
            documents: collection.documents,
            chunks: collection.chunks,
            created_at: collection.created_at,
            updated_at: collection.updated_at,
            job: None,
        }
    }
}

fn check_description(description: &str) -> Result<(), Error> {
    if description.len() > MAX_DESCRIPTION || description.contains('\0') {
        return Err(Error::invalid(
            "description",
            format!("`description` is text of at most {MAX_DESCRIPTION} bytes"),
        ));
    }
    Ok(())
}

fn check_metadata(metadata: &Value) -> Result<(), Error> {
    if !metadata.is_object() || metadata.to_string().len() > MAX_METADATA || holds_nul(metadata) {
        return Err(Error::invalid(
            "metadata",
            format!("`metadata` is an object of at most {MAX_METADATA} bytes"),
        ));
    }
    Ok(())
}

impl NewCollection {
    fn check(&self) -> Result<(), Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if self.name.is_empty() || self.name.len() > MAX_NAME || !self.name.bytes().all(plain) {
            let message = format!("`name` is 1 to {MAX_NAME} letters, digits, `-`, `_` and `.`");
            return Err(Error::invalid("name", message));
        }
        check_description(&self.description)?;
        let language = |text: &str| {
            !text.is_empty()
                && text.len() <= 32
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if self.language.as_deref().is_some_and(|text| !language(text)) {
            return Err(Error::invalid(
                "language",
                "`language` is a code or an English name, such as `en` or `german`",
            ));
        }
        Ok(())
    }
}

/// Create a collection.
#[utoipa::path(post, path = "/v1/collections", tag = "collections",
    request_body(content = NewCollection, example = json!({"name": "notes", "language": "en"})),
    responses((status = 201, body = CollectionView), (status = 409, description = "the name is taken")))]
pub(super) async fn create(
    state: Data<State>,
    principal: Principal,
    once: Once,
    Json(new): Json<NewCollection>,
) -> Result<HttpResponse, ApiError> {
    new.check()?;
    let metadata = new.metadata.unwrap_or_else(|| json!({}));
    check_metadata(&metadata)?;
    let chunking = new.chunking.over(Chunking::default(), state.rag.generator.model().is_some())?;
    let caller = principal.caller(LIMIT);
    if !caller.identity.sees_collection(&new.name) {
        let message = "the credential is limited to other collections";
        return Err(Error::new(Code::Forbidden, message).about("name").into());
    }
    let create = CreateCollection {
        tenant: caller.tenant,
        name: new.name,
        description: new.description,
        metadata,
        language: new.language.unwrap_or_else(|| "en".to_owned()),
        chunking,
    };
    let created = state.rag.seen_by(&caller).once(once.key().await?, create, caller.deadline).await?;
    state.rag.catalog.forget();
    Ok(HttpResponse::build(StatusCode::CREATED).json(CollectionView::from(created)))
}

/// List collections.
#[utoipa::path(get, path = "/v1/collections", tag = "collections", params(PageQuery),
    responses((status = 200, body = Page<CollectionView>)))]
pub(super) async fn list(
    state: Data<State>,
    principal: Principal,
    query: Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = page_size(query.limit)?;
    let after: Option<CollectionId> = cursor("after", query.after.as_ref())?;
    let before: Option<CollectionId> = cursor("before", query.before.as_ref())?;
    let caller = principal.caller(LIMIT);
    let all = state.rag.catalog.all(&caller).await?;
    let mut all: Vec<Collection> = all.to_vec();
    all.sort_by_key(|collection| collection.id);
    if query.order == Some(super::page::Order::Desc) {
        all.reverse();
    }
    let place = |id: CollectionId| all.iter().position(|collection| collection.id == id);
    let start = after.and_then(place).map_or(0, |at| at + 1);
    let end = before.and_then(place).unwrap_or(all.len()).max(start);
    let page = all[start..end].iter().take(limit + 1).cloned().collect();
    let views =
        state.rag.catalog.counted(&caller, page).await?.into_iter().map(CollectionView::from).collect();
    Ok(HttpResponse::Ok().json(Page::of(views, limit, |view: &CollectionView| view.id.clone())))
}

/// Get a collection.
#[utoipa::path(get, path = "/v1/collections/{name}", tag = "collections", params(("name" = String, Path)),
    responses((status = 200, body = CollectionView), (status = 404)))]
pub(super) async fn get(
    state: Data<State>,
    principal: Principal,
    name: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = principal.caller(LIMIT);
    let collection = state.rag.catalog.get(&caller, &name).await?;
    Ok(HttpResponse::Ok().json(view(&state, &caller, collection).await?))
}

/// What the caller may know of it.
pub(super) async fn view(
    state: &State,
    caller: &Caller,
    collection: Collection,
) -> Result<CollectionView, Error> {
    let counted = state.rag.catalog.counted(caller, vec![collection]).await?;
    counted.into_iter().next().map(CollectionView::from).ok_or_else(|| Error::not_found("collection"))
}

/// Change a collection's description, metadata or chunking.
#[utoipa::path(patch, path = "/v1/collections/{name}", tag = "collections", params(("name" = String, Path)),
    request_body(content = CollectionChange, example = json!({"description": "animals"})), responses((status = 200, body = CollectionView), (status = 404)))]
pub(super) async fn update(
    state: Data<State>,
    principal: Principal,
    name: Path<String>,
    once: Once,
    Json(change): Json<CollectionChange>,
) -> Result<HttpResponse, ApiError> {
    if let Some(description) = &change.description {
        check_description(description)?;
    }
    if let Some(metadata) = &change.metadata {
        check_metadata(metadata)?;
    }
    let caller = principal.caller(WRITE_LIMIT);
    let now = state.rag.catalog.get(&caller, &name).await?;
    let chat = state.rag.generator.model().is_some();
    let CollectionChange { description, metadata, chunking } = change;
    let chunking = chunking.map(|change| change.over(now.chunking, chat)).transpose()?;
    let update = UpdateCollection { tenant: caller.tenant, id: now.id, description, metadata, chunking };
    let Updated { collection, reindex } =
        state.rag.seen_by(&caller).once(once.key().await?, update, caller.deadline).await?;
    state.rag.catalog.forget();
    state.rag.progress.arrived.notify_one();
    let job = reindex.map(|reindex| reindex.job.to_string());
    // What the write returns does not say whether some of it is hidden.
    let restricted = now.restricted;
    let view = view(&state, &caller, Collection { restricted, ..collection }).await?;
    Ok(HttpResponse::Ok().json(CollectionView { job, ..view }))
}

/// What a reindex works on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReindexView {
    /// Absent when nothing is published yet.
    job: Option<String>,
    documents: i64,
}

/// Cut, embed and index a collection's documents anew.
#[utoipa::path(post, path = "/v1/collections/{name}/reindex", tag = "collections", params(("name" = String, Path)),
    responses((status = 202, body = ReindexView), (status = 404)))]
pub(super) async fn reindex(
    state: Data<State>,
    principal: Principal,
    name: Path<String>,
    once: Once,
) -> Result<HttpResponse, ApiError> {
    let caller = principal.caller(WRITE_LIMIT);
    let id = state.rag.catalog.get(&caller, &name).await?.id;
    let reindex = ReindexCollection { tenant: caller.tenant, id };
    let begun = state.rag.seen_by(&caller).once(once.key().await?, reindex, caller.deadline).await?;
    state.rag.progress.arrived.notify_one();
    let (job, documents) = begun.map_or((None, 0), |begun| (Some(begun.job.to_string()), begun.documents));
    Ok(HttpResponse::Accepted().json(ReindexView { job, documents }))
}

/// Delete a collection with everything in it.
#[utoipa::path(delete, path = "/v1/collections/{name}", tag = "collections", params(("name" = String, Path)),
    responses((status = 200, body = DeletedView, description = "what was deleted"), (status = 404)))]
pub(super) async fn delete(
    state: Data<State>,
    principal: Principal,
    name: Path<String>,
    once: Once,
) -> Result<HttpResponse, ApiError> {
    let caller = principal.caller(WRITE_LIMIT);
    let receipt: Receipt = match once.done().await? {
        Some(receipt) => receipt,
        None => {
            let id = state.rag.catalog.get(&caller, &name).await?.id;
            let delete = DeleteCollection { tenant: caller.tenant, id };
            state.rag.seen_by(&caller).once(once.key().await?, delete, caller.deadline).await?
        }
    };
    state.rag.catalog.forget();
    Ok(HttpResponse::Ok().json(DeletedView::from(receipt)))
}
