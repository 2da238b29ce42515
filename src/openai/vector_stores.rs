use super::body::given;
use super::chunking::{ChunkingStrategy, StrategyForm};
use super::expiry::ExpiresAfter;
use super::page::{DeletedObject, List, ListQuery};
use super::store_files::{MOST_FILES, Wanted, attachments};
use super::{LIMIT, WRITE_LIMIT, expiry, ids, pairs};
use crate::error::{Code, Error};
use crate::http::body::Json;
use crate::http::shapes::{FileIds, Metadata};
use crate::http::{ApiError, Principal, State};
use crate::rag::Caller;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use mcp_rag_actors::store::{
    Chunking, Collection, CollectionId, CreateCollection, CreateVectorStore, DeleteCollection, FileCounts,
    GetVectorStore, ListVectorStores, UpdateVectorStore, VectorStore,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa::ToSchema;

const MAX_NAME: usize = 256;
const MAX_DESCRIPTION: usize = 4096;
/// Of a collection's name before what makes it its own.
const MAX_SLUG: usize = 100;
const ATTEMPTS: usize = 5;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewVectorStore {
    /// Several may have the same.
    #[schema(max_length = 256)]
    name: Option<String>,
    #[schema(max_length = 4096)]
    description: Option<String>,
    /// Uploaded files to put into it.
    #[schema(inline, value_type = Option<FileIds>)]
    file_ids: Option<Vec<String>>,
    /// Of these files, and of those added later without one of their own.
    #[schema(value_type = Option<StrategyForm>)]
    chunking_strategy: Option<ChunkingStrategy>,
    expires_after: Option<ExpiresAfter>,
    #[schema(value_type = Option<Metadata>)]
    metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VectorStoreChange {
    #[schema(max_length = 256)]
    name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ExpiresAfter>)]
    expires_after: Option<Option<ExpiresAfter>>,
    #[schema(value_type = Option<Metadata>)]
    metadata: Option<Map<String, Value>>,
}

/// How many files are in which state.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct FileCountsView {
    in_progress: i64,
    completed: i64,
    failed: i64,
    cancelled: i64,
    total: i64,
}

impl From<FileCounts> for FileCountsView {
    fn from(counts: FileCounts) -> Self {
        let FileCounts { in_progress, completed, failed, cancelled } = counts;
        Self { in_progress, completed, failed, cancelled, total: counts.total() }
    }
}

/// A collection as a vector store.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VectorStoreView {
    id: String,
    /// `vector_store`
    object: &'static str,
    created_at: i64,
    name: String,
    description: String,
    /// The collection's name in the REST API and in the names of models.
    collection: String,
    /// `completed`, `in_progress` or `expired`.
    status: &'static str,
    usage_bytes: i64,
    file_counts: FileCountsView,
    last_active_at: Option<i64>,
    #[schema(value_type = Object)]
    metadata: Value,
    expires_after: Option<ExpiresAfter>,
    expires_at: Option<i64>,
}

impl From<VectorStore> for VectorStoreView {
    fn from(store: VectorStore) -> Self {
        let status = if store.expired {
            "expired"
        } else if store.files.in_progress > 0 {
            "in_progress"
        } else {
            "completed"
        };
        Self {
            id: ids::of_store(store.id),
            object: "vector_store",
            created_at: store.created_at.unix_timestamp(),
            name: store.name,
            description: store.description,
            collection: store.collection,
            status,
            usage_bytes: store.bytes,
            file_counts: store.files.into(),
            last_active_at: Some(store.last_active_at.unix_timestamp()),
            metadata: pairs::shown(store.metadata, false),
            expires_after: store.expires_after_days.map(ExpiresAfter::of),
            expires_at: store.expires_at.map(OffsetDateTime::unix_timestamp),
        }
    }
}

fn check_text(name: &'static str, text: &str, most: usize) -> Result<(), Error> {
    if text.chars().count() > most || text.contains('\0') {
        return Err(Error::invalid(name, format!("`{name}` is text of at most {most} characters")));
    }
    Ok(())
}

/// What a collection may be called, as near to a vector store's name as can be.
fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let slug: String = name.trim().chars().map(plain).take(MAX_SLUG).collect();
    slug.trim_matches('-').to_owned()
}

/// Names to try, in order: the vector store's own, and then that with something no other has.
fn candidates(name: &str) -> impl Iterator<Item = String> {
    let slug = slug(name);
    let own = (!slug.is_empty()).then(|| slug.clone());
    let base = if slug.is_empty() { "vs".to_owned() } else { slug };
    let unique = move || {
        let id = uuid::Uuid::new_v4().simple().to_string();
        format!("{base}-{}", &id[..8])
    };
    own.into_iter().chain(std::iter::repeat_with(unique)).take(ATTEMPTS)
}

async fn view(state: &State, caller: &Caller, id: CollectionId) -> Result<VectorStoreView, Error> {
    // Who may not see the collection is told as if there were none.
    let id = state.rag.catalog.by_id(caller, id).await?.id;
    let get = GetVectorStore { tenant: caller.tenant, id };
    Ok(state.rag.seen_by(caller).call(get, caller.deadline).await?.into())
}

/// The collection of a vector store that may still be used, which it is by this.
pub(super) async fn in_use(state: &Data<State>, caller: &Caller, id: &str) -> Result<Collection, Error> {
    let collection = state.rag.catalog.by_id(caller, ids::store(id)?).await?;
    expiry::used(state, caller, vec![collection.id]).await?;
    Ok(collection)
}

/// Create a vector store.
///
/// It is a collection, whose name is made of the vector store's.
#[utoipa::path(post, path = "/v1/vector_stores", tag = "vector_stores",
    request_body(content = NewVectorStore, example = json!({"name": "Support FAQ"})),
    responses((status = 200, body = VectorStoreView), (status = 404, description = "a file is not there")))]
pub(crate) async fn create(
    state: Data<State>,
    principal: Principal,
    Json(new): Json<NewVectorStore>,
) -> Result<HttpResponse, ApiError> {
    let name = new.name.unwrap_or_default();
    check_text("name", &name, MAX_NAME)?;
    let description = new.description.unwrap_or_default();
    check_text("description", &description, MAX_DESCRIPTION)?;
    let metadata = pairs::metadata(new.metadata.unwrap_or_default())?;
    let expires_after_days = new.expires_after.map(ExpiresAfter::days).transpose()?;
    let mut chunking = Chunking::default();
    if let Some((max_tokens, overlap_tokens)) = ChunkingStrategy::cut(new.chunking_strategy)? {
        chunking = Chunking { max_tokens, overlap_tokens, ..chunking };
    }
    let caller = &principal.caller(WRITE_LIMIT);
    let wanted = Wanted::alike("file_ids", new.file_ids.unwrap_or_default())?;
    if wanted.len() > MOST_FILES {
        return Err(Error::invalid("file_ids", format!("`file_ids` holds at most {MOST_FILES}")).into());
    }
    // Before anything is made: a file that is not there leaves no vector store behind.
    let files = attachments(&state, caller, wanted).await?;
    let mut created = Err(Error::new(Code::Conflict, "no name could be found for the collection"));
    for candidate in candidates(&name) {
        let collection = CreateCollection {
            tenant: caller.tenant,
            name: candidate,
            description: description.clone(),
            metadata: metadata.clone(),
            language: "en".to_owned(),
            chunking,
        };
        let create = CreateVectorStore { collection, name: name.clone(), expires_after_days };
        created = state.rag.seen_by(caller).call(create, caller.deadline).await.map_err(Error::from);
        match &created {
            Err(error) if error.code == Code::Conflict => {}
            Ok(_) | Err(_) => break,
        }
    }
    let created = created?;
    state.rag.catalog.forget();
    if !files.is_empty() {
        state.rag.attach(&created, files, false, caller).await?;
    }
    Ok(HttpResponse::Ok().json(view(&state, caller, created.id).await?))
}

/// List vector stores: every collection is one.
#[utoipa::path(get, path = "/v1/vector_stores", tag = "vector_stores", params(ListQuery),
    responses((status = 200, body = List<VectorStoreView>)))]
pub(crate) async fn list(
    state: Data<State>,
    principal: Principal,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    query.without(true, true)?;
    let page = query.keyset(100, 20, |id| ids::store(id).ok().map(|id| id.0))?;
    let caller = &principal.caller(LIMIT);
    let list = ListVectorStores { tenant: caller.tenant, page };
    let listed = state.rag.seen_by(caller).call(list, caller.deadline).await?;
    Ok(HttpResponse::Ok().json(List::of(listed, VectorStoreView::from, |view| view.id.clone())))
}

/// Get a vector store.
#[utoipa::path(get, path = "/v1/vector_stores/{vector_store_id}", tag = "vector_stores",
    params(("vector_store_id" = String, Path)), responses((status = 200, body = VectorStoreView), (status = 404)))]
pub(crate) async fn get(
    state: Data<State>,
    principal: Principal,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = ids::store(&id)?;
    Ok(HttpResponse::Ok().json(view(&state, &principal.caller(LIMIT), id).await?))
}

/// Change a vector store's name, metadata or expiry.
#[utoipa::path(post, path = "/v1/vector_stores/{vector_store_id}", tag = "vector_stores",
    params(("vector_store_id" = String, Path)),
    request_body(content = VectorStoreChange, example = json!({"metadata": {"team": "support"}})),
    responses((status = 200, body = VectorStoreView), (status = 404)))]
pub(crate) async fn update(
    state: Data<State>,
    principal: Principal,
    id: Path<String>,
    Json(change): Json<VectorStoreChange>,
) -> Result<HttpResponse, ApiError> {
    if let Some(name) = &change.name {
        check_text("name", name, MAX_NAME)?;
    }
    let expires_after_days =
        change.expires_after.map(|after| after.map(ExpiresAfter::days).transpose()).transpose()?;
    let metadata = change.metadata.map(pairs::metadata).transpose()?;
    let caller = &principal.caller(LIMIT);
    let collection = in_use(&state, caller, &id).await?;
    let (tenant, id) = (caller.tenant, collection.id);
    let update = UpdateVectorStore { tenant, id, name: change.name, metadata, expires_after_days };
    state.rag.seen_by(caller).call(update, caller.deadline).await?;
    state.rag.catalog.forget();
    Ok(HttpResponse::Ok().json(view(&state, caller, id).await?))
}

/// Delete a vector store, its collection and all documents in it; uploaded files stay.
#[utoipa::path(delete, path = "/v1/vector_stores/{vector_store_id}", tag = "vector_stores",
    params(("vector_store_id" = String, Path)),
    responses((status = 200, body = DeletedObject), (status = 404)))]
pub(crate) async fn delete(
    state: Data<State>,
    principal: Principal,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = &principal.caller(WRITE_LIMIT);
    let collection = state.rag.catalog.by_id(caller, ids::store(&id)?).await?;
    let delete = DeleteCollection { tenant: caller.tenant, id: collection.id };
    state.rag.seen_by(caller).call(delete, caller.deadline).await?;
    state.rag.catalog.forget();
    Ok(HttpResponse::Ok().json(DeletedObject::new(&id, "vector_store.deleted")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collections_name_is_as_near_to_the_vector_stores_as_can_be() {
        let first = |name: &str| candidates(name).next().expect("one");
        assert_eq!(first("notes"), "notes");
        assert_eq!(first(" Support FAQ (2026) "), "Support-FAQ--2026");
        assert!(first("日本語").starts_with("vs-") && first("").starts_with("vs-"));
        let all: Vec<String> = candidates(&"x".repeat(300)).collect();
        assert_eq!(all.len(), ATTEMPTS);
        assert!(all.iter().all(|name| name.len() <= 128) && all[1] != all[2]);
    }
}
