use super::chunking::{ChunkingStrategy, ChunkingView, StrategyForm};
use super::page::{DeletedObject, FileStatus, List, ListQuery};
use super::search::TextContent;
use super::vector_stores::in_use;
use super::{LIMIT, POLL, WRITE_LIMIT, ids, pairs};
use crate::error::Error;
use crate::http::body::Json;
use crate::http::shapes::{self, Attributes};
use crate::http::{ApiError, Principal, State};
use crate::rag::Caller;
use crate::rag::ingest::{Attachment, filename_of};
use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use mcp_rag_actors::store::{
    CollectionId, DeleteDocument, FileId, GetContent, GetFiles, GetStoreFile, ListStoreFiles, SetAttributes,
    StoreFile, StoreFileId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use utoipa::ToSchema;

/// Put into a vector store at once.
pub(super) const MOST_FILES: usize = 2000;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewStoreFile {
    #[schema(inline, value_type = shapes::FileId)]
    file_id: String,
    #[schema(value_type = Option<Attributes>)]
    attributes: Option<Map<String, Value>>,
    #[schema(value_type = Option<StrategyForm>)]
    chunking_strategy: Option<ChunkingStrategy>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreFileChange {
    #[schema(value_type = Option<Attributes>)]
    attributes: Option<Map<String, Value>>,
}

/// A document as a file of a vector store.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoreFileView {
    id: String,
    /// `vector_store.file`
    object: &'static str,
    created_at: i64,
    vector_store_id: String,
    #[schema(value_type = FileStatus)]
    status: String,
    last_error: Option<LastError>,
    usage_bytes: i64,
    #[schema(value_type = Object)]
    attributes: Value,
    chunking_strategy: ChunkingView,
}

/// The text of a file, in one piece.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileContentPage {
    /// `vector_store.file_content.page`
    object: &'static str,
    file_id: String,
    filename: String,
    #[schema(value_type = Object)]
    attributes: Value,
    data: Vec<TextContent>,
    has_more: bool,
    next_page: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LastError {
    /// `unsupported_file`, `invalid_file` or `server_error`.
    code: &'static str,
    message: String,
}

impl LastError {
    fn of(reason: String) -> Self {
        let code = if reason.starts_with("media type") {
            "unsupported_file"
        } else if reason.starts_with("given up") {
            "server_error"
        } else {
            "invalid_file"
        };
        Self { code, message: reason }
    }
}

impl StoreFileView {
    pub(super) fn of(store: CollectionId, file: StoreFile) -> Self {
        Self {
            id: id_of(&file),
            object: "vector_store.file",
            created_at: file.created_at.unix_timestamp(),
            vector_store_id: ids::of_store(store),
            last_error: file.error.filter(|_| file.state == "failed").map(LastError::of),
            status: file.state,
            usage_bytes: file.bytes,
            attributes: pairs::shown(file.attributes, true),
            chunking_strategy: ChunkingView::of(file.max_tokens, file.overlap_tokens),
        }
    }

    pub(super) fn id(&self) -> String {
        self.id.clone()
    }
}

fn id_of(file: &StoreFile) -> String {
    ids::of_file(file.file.map_or(StoreFileId::Document(file.document), StoreFileId::Uploaded))
}

/// An uploaded file with its attributes and its own cut.
type WantedFile = (FileId, Value, Option<(u32, u32)>);

/// Uploaded files that are to be made searchable.
pub(super) struct Wanted(Vec<WantedFile>);

impl Wanted {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All without attributes; `name` is the field that lists them.
    pub(super) fn alike(name: &'static str, files: Vec<String>) -> Result<Self, Error> {
        Self::new(name, files.into_iter().map(|id| (id, None, None)))
    }

    pub(super) fn new(
        name: &'static str,
        files: impl Iterator<Item = (String, Option<Map<String, Value>>, Option<ChunkingStrategy>)>,
    ) -> Result<Self, Error> {
        let mut seen = HashSet::new();
        let mut wanted = Vec::new();
        for (id, attributes, strategy) in files {
            let StoreFileId::Uploaded(id) = ids::file(&id).map_err(|error| error.about(name))? else {
                return Err(Error::not_found("file").about(name));
            };
            // One that is named twice is one file.
            if seen.insert(id) {
                wanted.push((id, pairs::attributes(attributes)?, ChunkingStrategy::cut(strategy)?));
            }
        }
        Ok(Self(wanted))
    }
}

/// The files as they are to be attached; one that is not there is an error that names it.
pub(super) async fn attachments(
    state: &State,
    caller: &Caller,
    Wanted(wanted): Wanted,
) -> Result<Vec<Attachment>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let get = GetFiles { tenant: caller.tenant, ids: wanted.iter().map(|(id, ..)| *id).collect() };
    let found = state.rag.seen_by(caller).call(get, caller.deadline).await?;
    let mut found: HashMap<FileId, _> = found.into_iter().map(|file| (file.id, file)).collect();
    let attach = |(id, attributes, cut)| {
        let file =
            found.remove(&id).ok_or_else(|| Error::not_found(&format!("file {id}")).about("file_id"))?;
        Ok(Attachment { file, attributes, cut })
    };
    wanted.into_iter().map(attach).collect()
}

async fn found(state: &State, caller: &Caller, store: CollectionId, id: &str) -> Result<StoreFile, Error> {
    let get = GetStoreFile { tenant: caller.tenant, collection: store, id: ids::file(id)? };
    Ok(state.rag.seen_by(caller).call(get, caller.deadline).await?)
}

/// Put an uploaded file into a vector store.
///
/// It is searchable once its status is `completed`.
#[utoipa::path(post, path = "/v1/vector_stores/{vector_store_id}/files", tag = "vector_stores",
    operation_id = "create_file", params(("vector_store_id" = String, Path)),
    request_body(content = NewStoreFile, example = json!({"file_id": "file-1", "attributes": {"year": 2026}})),
    responses((status = 200, body = StoreFileView), (status = 404)))]
pub(crate) async fn create(
    state: Data<State>,
    principal: Principal,
    id: Path<String>,
    Json(new): Json<NewStoreFile>,
) -> Result<HttpResponse, ApiError> {
    let file_id = new.file_id.clone();
    let one = std::iter::once((new.file_id, new.attributes, new.chunking_strategy));
    let wanted = Wanted::new("file_id", one)?;
    let caller = &principal.caller(WRITE_LIMIT);
    let collection = in_use(&state, caller, &id).await?;
    let files = attachments(&state, caller, wanted).await?;
    state.rag.attach(&collection, files, false, caller).await?;
    let file = found(&state, caller, collection.id, &file_id).await?;
    Ok(HttpResponse::Ok().json(StoreFileView::of(collection.id, file)))
}

/// List the files of a vector store: every document is one.
#[utoipa::path(get, path = "/v1/vector_stores/{vector_store_id}/files", tag = "vector_stores",
    operation_id = "list_files", params(("vector_store_id" = String, Path), ListQuery),
    responses((status = 200, body = List<StoreFileView>), (status = 404)))]
pub(crate) async fn list(
    state: Data<State>,
    principal: Principal,
    id: Path<String>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let caller = &principal.caller(LIMIT);
    let collection = state.rag.catalog.by_id(caller, ids::store(&id)?).await?.id;
    Ok(HttpResponse::Ok().json(page_of(&state, caller, collection, None, &query).await?))
}

/// A page of a vector store's files, or of a batch's.
pub(super) async fn page_of(
    state: &State,
    caller: &Caller,
    collection: CollectionId,
    batch: Option<mcp_rag_actors::store::BatchId>,
    query: &ListQuery,
) -> Result<List<StoreFileView>, Error> {
    query.without(false, true)?;
    let (after, before) = (
        place(state, caller, collection, "after", query.after.as_deref()).await?,
        place(state, caller, collection, "before", query.before.as_deref()).await?,
    );
    // Cursors name files, whose order is that of their documents.
    let known = HashMap::from([(query.after.as_deref(), after), (query.before.as_deref(), before)]);
    let page = query.keyset(100, 20, |id| known.get(&Some(id)).copied().flatten())?;
    let list = ListStoreFiles { tenant: caller.tenant, collection, state: query.state()?, batch, page };
    let listed = state.rag.seen_by(caller).call(list, caller.deadline).await?;
    Ok(List::of(listed, |file| StoreFileView::of(collection, file), StoreFileView::id))
}

/// The place of a cursor among the documents.
async fn place(
    state: &State,
    caller: &Caller,
    collection: CollectionId,
    name: &'static str,
    id: Option<&str>,
) -> Result<Option<i64>, Error> {
    let Some(id) = id else { return Ok(None) };
    if let Ok(StoreFileId::Document(document)) = ids::file(id) {
        return Ok(Some(document.0));
    }
    let wrong = |_| Error::invalid(name, format!("`{name}` is not the id of a file in this vector store"));
    match found(state, caller, collection, id).await {
        Ok(file) => Ok(Some(file.document.0)),
        Err(error) if error.code == crate::error::Code::NotFound => Err(wrong(())),
        Err(error) => Err(error),
    }
}

/// Get a file of a vector store.
#[utoipa::path(get, path = "/v1/vector_stores/{vector_store_id}/files/{file_id}", tag = "vector_stores",
    operation_id = "get_file", params(("vector_store_id" = String, Path), ("file_id" = String, Path)),
    responses((status = 200, body = StoreFileView), (status = 404)))]
pub(crate) async fn get(
    state: Data<State>,
    principal: Principal,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let caller = &principal.caller(LIMIT);
    let collection = state.rag.catalog.by_id(caller, ids::store(&path.0)?).await?.id;
    let file = found(&state, caller, collection, &path.1).await?;
    Ok(HttpResponse::Ok().insert_header(POLL).json(StoreFileView::of(collection, file)))
}

/// Give a file of a vector store other attributes.
///
/// They are in force at once; nothing is parsed or embedded again.
#[utoipa::path(post, path = "/v1/vector_stores/{vector_store_id}/files/{file_id}", tag = "vector_stores",
    operation_id = "update_file", params(("vector_store_id" = String, Path), ("file_id" = String, Path)),
    request_body(content = StoreFileChange, example = json!({"attributes": {"year": 2027}})),
    responses((status = 200, body = StoreFileView), (status = 404)))]
pub(crate) async fn update(
    state: Data<State>,
    principal: Principal,
    path: Path<(String, String)>,
    Json(change): Json<StoreFileChange>,
) -> Result<HttpResponse, ApiError> {
    let attributes = pairs::attributes(change.attributes)?;
    let caller = &principal.caller(LIMIT);
    let collection = in_use(&state, caller, &path.0).await?.id;
    let document = found(&state, caller, collection, &path.1).await?.document;
    let set = SetAttributes { tenant: caller.tenant, collection, document, attributes };
    state.rag.seen_by(caller).call(set, caller.deadline).await?;
    state.rag.catalog.forget();
    let file = found(&state, caller, collection, &path.1).await?;
    Ok(HttpResponse::Ok().json(StoreFileView::of(collection, file)))
}

/// Take a file out of a vector store; an uploaded file stays.
#[utoipa::path(delete, path = "/v1/vector_stores/{vector_store_id}/files/{file_id}", tag = "vector_stores",
    operation_id = "delete_file", params(("vector_store_id" = String, Path), ("file_id" = String, Path)),
    responses((status = 200, body = DeletedObject), (status = 404)))]
pub(crate) async fn delete(
    state: Data<State>,
    principal: Principal,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let caller = &principal.caller(WRITE_LIMIT);
    let collection = state.rag.catalog.by_id(caller, ids::store(&path.0)?).await?.id;
    let external_id = found(&state, caller, collection, &path.1).await?.external_id;
    let delete = DeleteDocument { tenant: caller.tenant, collection, external_id };
    state.rag.seen_by(caller).call(delete, caller.deadline).await?;
    state.rag.catalog.forget();
    Ok(HttpResponse::Ok().json(DeletedObject::new(&path.1, "vector_store.file.deleted")))
}

/// Get the parsed text of a file of a vector store.
#[utoipa::path(get, path = "/v1/vector_stores/{vector_store_id}/files/{file_id}/content", tag = "vector_stores",
    operation_id = "file_content", params(("vector_store_id" = String, Path), ("file_id" = String, Path)),
    responses((status = 200, body = FileContentPage), (status = 404, description = "it is not there, or not searchable yet")))]
pub(crate) async fn content(
    state: Data<State>,
    principal: Principal,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let caller = &principal.caller(LIMIT);
    let collection = state.rag.catalog.by_id(caller, ids::store(&path.0)?).await?.id;
    let file = found(&state, caller, collection, &path.1).await?;
    let filename =
        filename_of(&file.external_id).map_or(file.external_id.as_str(), |(_, name)| name).to_owned();
    let get = GetContent { tenant: caller.tenant, collection, external_id: file.external_id };
    let text = state.rag.seen_by(caller).call(get, caller.deadline).await?;
    Ok(HttpResponse::Ok().json(FileContentPage {
        object: "vector_store.file_content.page",
        file_id: path.into_inner().1,
        filename,
        attributes: pairs::shown(file.attributes, true),
        data: vec![TextContent::of(text)],
        has_more: false,
        next_page: None,
    }))
}
