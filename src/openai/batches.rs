use super::chunking::{ChunkingStrategy, StrategyForm};
use super::page::{List, ListQuery};
use super::store_files::{MOST_FILES, StoreFileView, Wanted, attachments, page_of};
use super::vector_stores::{FileCountsView, in_use};
use super::{LIMIT, POLL, WRITE_LIMIT, body, ids};
use crate::error::{Code, Error};
use crate::http::shapes::{self, Attributes, FileIds};
use crate::http::{ApiError, Principal, State};
use crate::rag::Caller;
use actix_web::web::{self, Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use mcp_rag_actors::store::{BatchId, CancelJob, CollectionId, FileBatch, GetFileBatch, NoteCancelled};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFileBatch {
    /// Up to 2,000 uploaded files; or else `files`.
    #[schema(inline, value_type = Option<FileIds>)]
    file_ids: Option<Vec<String>>,
    /// The same, each with what it has of its own.
    #[schema(max_items = 2000)]
    files: Option<Vec<NewBatchFile>>,
    /// With `file_ids`: of all of them.
    #[schema(value_type = Option<Attributes>)]
    attributes: Option<Map<String, Value>>,
    /// With `file_ids`: of all of them.
    #[schema(value_type = Option<StrategyForm>)]
    chunking_strategy: Option<ChunkingStrategy>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBatchFile {
    #[schema(inline, value_type = shapes::FileId)]
    file_id: String,
    #[schema(value_type = Option<Attributes>)]
    attributes: Option<Map<String, Value>>,
    #[schema(value_type = Option<StrategyForm>)]
    chunking_strategy: Option<ChunkingStrategy>,
}

/// Files put into a vector store together.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileBatchView {
    id: String,
    /// `vector_store.files_batch`
    object: &'static str,
    created_at: i64,
    vector_store_id: String,
    /// `in_progress`, `completed`, `cancelled` or `failed`.
    status: &'static str,
    file_counts: FileCountsView,
}

impl From<FileBatch> for FileBatchView {
    fn from(batch: FileBatch) -> Self {
        let files = batch.files;
        let status = if batch.cancelled {
            "cancelled"
        } else if files.in_progress > 0 {
            "in_progress"
        } else if files.failed > 0 && files.failed == files.total() {
            "failed"
        } else {
            "completed"
        };
        Self {
            id: batch.id.to_string(),
            object: "vector_store.files_batch",
            created_at: batch.created_at.unix_timestamp(),
            vector_store_id: ids::of_store(batch.collection),
            status,
            file_counts: files.into(),
        }
    }
}

async fn found(state: &State, caller: &Caller, store: CollectionId, id: BatchId) -> Result<FileBatch, Error> {
    let get = GetFileBatch { tenant: caller.tenant, collection: store, id };
    Ok(state.rag.seen_by(caller).call(get, caller.deadline).await?)
}

/// The batch that a path names.
async fn named(
    state: &State,
    caller: &Caller,
    (store, batch): &(String, String),
) -> Result<(CollectionId, FileBatch), Error> {
    let collection = state.rag.catalog.by_id(caller, ids::store(store)?).await?.id;
    Ok((collection, found(state, caller, collection, ids::batch(batch)?).await?))
}

/// Put up to 2,000 uploaded files into a vector store together.
///
/// All are taken, or none; one that cannot be parsed fails alone.
#[utoipa::path(post, path = "/v1/vector_stores/{vector_store_id}/file_batches", tag = "vector_stores",
    operation_id = "create_batch", params(("vector_store_id" = String, Path)),
    request_body(content = NewFileBatch, example = json!({"file_ids": ["file-1", "file-2"]})),
    responses((status = 200, body = FileBatchView), (status = 404)))]
pub(crate) async fn create(
    state: Data<State>,
    principal: Principal,
    id: Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let new: NewFileBatch = body::long(&state, &request, payload).await?;
    let count = new.file_ids.as_ref().map_or(0, Vec::len) + new.files.as_ref().map_or(0, Vec::len);
    if !(1..=MOST_FILES).contains(&count) {
        let message = format!("a batch holds 1 to {MOST_FILES} files");
        return Err(Error::invalid("file_ids", message).into());
    }
    let wanted = match (new.file_ids, new.files) {
        (Some(ids), None) => {
            let all = |id| (id, new.attributes.clone(), new.chunking_strategy);
            Wanted::new("file_ids", ids.into_iter().map(all))?
        }
        (None, Some(files)) if new.attributes.is_none() && new.chunking_strategy.is_none() => {
            let each = |file: NewBatchFile| (file.file_id, file.attributes, file.chunking_strategy);
            Wanted::new("files", files.into_iter().map(each))?
        }
        (Some(_) | None, _) => {
            let message =
                "either `file_ids`, with `attributes` and `chunking_strategy` of all, or `files` is needed";
            return Err(Error::invalid("file_ids", message).into());
        }
    };
    let caller = &principal.caller(WRITE_LIMIT);
    let collection = in_use(&state, caller, &id).await?;
    let files = attachments(&state, caller, wanted).await?;
    let batch = state.rag.attach(&collection, files, true, caller).await?.batch;
    let batch = batch.ok_or_else(|| Error::new(Code::Internal, "an internal error; it is logged"))?;
    let batch = found(&state, caller, collection.id, batch).await?;
    Ok(HttpResponse::Ok().json(FileBatchView::from(batch)))
}

/// Get a batch and how its files stand; it is known for 30 days.
#[utoipa::path(get, path = "/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}", tag = "vector_stores",
    operation_id = "get_batch", params(("vector_store_id" = String, Path), ("batch_id" = String, Path)),
    responses((status = 200, body = FileBatchView), (status = 404)))]
pub(crate) async fn get(
    state: Data<State>,
    principal: Principal,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (_, batch) = named(&state, &principal.caller(LIMIT), &path).await?;
    Ok(HttpResponse::Ok().insert_header(POLL).json(FileBatchView::from(batch)))
}

/// List the files of a batch.
#[utoipa::path(get, path = "/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}/files", tag = "vector_stores",
    operation_id = "list_batch", params(("vector_store_id" = String, Path), ("batch_id" = String, Path), ListQuery),
    responses((status = 200, body = List<StoreFileView>), (status = 404)))]
pub(crate) async fn files(
    state: Data<State>,
    principal: Principal,
    path: Path<(String, String)>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let caller = &principal.caller(LIMIT);
    let (collection, batch) = named(&state, caller, &path).await?;
    Ok(HttpResponse::Ok().json(page_of(&state, caller, collection, Some(batch.id), &query).await?))
}

/// Cancel a batch: what is searchable stays, what waits is not worked on.
#[utoipa::path(post, path = "/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel", tag = "vector_stores",
    operation_id = "cancel_batch", params(("vector_store_id" = String, Path), ("batch_id" = String, Path)),
    responses((status = 200, body = FileBatchView), (status = 404)))]
pub(crate) async fn cancel(
    state: Data<State>,
    principal: Principal,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let caller = &principal.caller(LIMIT);
    let (collection, batch) = named(&state, caller, &path).await?;
    if let Some(job) = batch.job.filter(|_| batch.files.in_progress > 0) {
        match state.rag.all.call(CancelJob { tenant: caller.tenant, id: job }, caller.deadline).await {
            Ok(()) => {
                let note = NoteCancelled { tenant: caller.tenant, id: batch.id };
                state.rag.seen_by(caller).call(note, caller.deadline).await?;
                state.rag.progress.advance();
            }
            // It was over a moment before: the batch stays as it has ended.
            Err(error) if Error::from(error.clone()).code == Code::Conflict => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(HttpResponse::Ok().json(FileBatchView::from(found(&state, caller, collection, batch.id).await?)))
}
