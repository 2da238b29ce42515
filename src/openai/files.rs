use super::content::attachment;
use super::page::{DeletedObject, List, ListQuery};
use super::{LIMIT, WRITE_LIMIT, ids, upload};
use crate::error::{Code, Error};
use crate::http::admission::Ticket;
use crate::http::{ApiError, Principal, State, body};
use crate::rag::Caller;
use actix_multipart::Multipart;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Data, Path, Query};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use mcp_rag_actors::store::{
    CreateFile, DeleteDocument, DeleteFile, DocumentsOfFile, File, FileId, GetFileContent, GetFiles,
    ListFiles, StoreFileId,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Documents of a file that are deleted by one statement before the next are looked for.
const STEP: u16 = 100;

/// What the form holds.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what the form is like, for the OpenAPI document; `upload` reads it")]
pub(crate) struct UploadForm {
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    purpose: FilePurpose,
    /// With `expires_after[seconds]`.
    #[serde(default, rename = "expires_after[anchor]")]
    #[schema(nullable = false)]
    anchor: Option<FileAnchor>,
    /// With `expires_after[anchor]`.
    #[serde(default, rename = "expires_after[seconds]")]
    #[schema(nullable = false, minimum = 3600, maximum = 2_592_000)]
    seconds: Option<u32>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FilePurpose {
    Assistants,
    Batch,
    Evals,
    #[serde(rename = "fine-tune")]
    FineTune,
    UserData,
    Vision,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FileAnchor {
    CreatedAt,
}

/// An uploaded file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileView {
    id: String,
    /// `file`
    object: &'static str,
    bytes: i64,
    created_at: i64,
    expires_at: Option<i64>,
    filename: String,
    purpose: String,
    /// `processed`: it can be used at once.
    status: &'static str,
}

impl From<File> for FileView {
    fn from(file: File) -> Self {
        Self {
            id: file.id.to_string(),
            object: "file",
            bytes: file.bytes,
            created_at: file.created_at.unix_timestamp(),
            expires_at: file.expires_at.map(OffsetDateTime::unix_timestamp),
            filename: file.filename,
            purpose: file.purpose,
            status: "processed",
        }
    }
}

/// The uploaded file of this id.
fn uploaded(id: &str) -> Result<FileId, Error> {
    match ids::file(id)? {
        StoreFileId::Uploaded(id) => Ok(id),
        StoreFileId::Document(_) => Err(Error::not_found("file")),
    }
}

async fn found(state: &State, caller: &Caller, id: FileId) -> Result<File, Error> {
    let get = GetFiles { tenant: caller.tenant, ids: vec![id] };
    let mut files = state.rag.seen_by(caller).call(get, caller.deadline).await?;
    files.pop().ok_or_else(|| Error::not_found("file"))
}

/// Upload a file.
///
/// Its bytes are kept as they are, and can be put into any number of vector stores.
#[utoipa::path(post, path = "/v1/files", tag = "files",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 200, body = FileView), (status = 413, description = "the file is too large, or there is no room for it"),
        (status = 415, description = "the body is not a form")))]
pub(crate) async fn create(
    state: Data<State>,
    principal: Principal,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let limits = state.rag.settings();
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("multipart/form-data")) {
        let message = "send multipart/form-data with `file` and `purpose`";
        return Err(Error::new(Code::UnsupportedMediaType, message).into());
    }
    let _room = state.uploads.reserve(&request, limits.server.max_body_bytes)?;
    let mut inner: Payload = payload.into_inner();
    let multipart = Multipart::from_request(&request, &mut inner).await;
    let multipart = multipart.map_err(|error| Error::new(Code::InvalidRequest, error.to_string()))?;
    let reading = upload::read(multipart, limits.ingest.max_document_bytes);
    let upload = tokio::time::timeout_at(body::due(&request).into(), reading).await;
    Ticket::of(&request).enter()?;
    let upload = upload.map_err(|_| body::late())??;
    let caller = &principal.caller(WRITE_LIMIT);
    let create = CreateFile {
        tenant: caller.tenant,
        filename: upload.filename,
        purpose: upload.purpose,
        media_type: upload.media_type,
        digest: Sha256::digest(&upload.content).to_vec(),
        content: upload.content,
        expires_after: upload.expires_after,
        most_bytes: i64::try_from(limits.files.max_bytes).unwrap_or(i64::MAX),
    };
    let file = state.rag.seen_by(caller).call(create, caller.deadline).await?;
    let file = file.ok_or_else(|| {
        let message = "there is no room for this file (files.max_bytes): delete files that are not needed";
        Error::new(Code::PayloadTooLarge, message).about("file")
    })?;
    Ok(HttpResponse::Ok().json(FileView::from(file)))
}

/// List uploaded files.
#[utoipa::path(get, path = "/v1/files", tag = "files", params(ListQuery),
    responses((status = 200, body = List<FileView>)))]
pub(crate) async fn list(
    state: Data<State>,
    principal: Principal,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    query.without(true, false)?;
    let page = query.keyset(10_000, 10_000, |id| uploaded(id).ok().map(|id| id.0))?;
    let caller = &principal.caller(LIMIT);
    let list = ListFiles { tenant: caller.tenant, purpose: query.into_inner().purpose, page };
    let listed = state.rag.seen_by(caller).call(list, caller.deadline).await?;
    Ok(HttpResponse::Ok().json(List::of(listed, FileView::from, |view| view.id.clone())))
}

/// Get an uploaded file's metadata.
#[utoipa::path(get, path = "/v1/files/{file_id}", tag = "files", params(("file_id" = String, Path)),
    responses((status = 200, body = FileView), (status = 404)))]
pub(crate) async fn get(
    state: Data<State>,
    principal: Principal,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let file = found(&state, &principal.caller(LIMIT), uploaded(&id)?).await?;
    Ok(HttpResponse::Ok().json(FileView::from(file)))
}

/// Get an uploaded file's bytes.
#[utoipa::path(get, path = "/v1/files/{file_id}/content", tag = "files", params(("file_id" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream", description = "the bytes as they came"), (status = 404)))]
pub(crate) async fn content(
    state: Data<State>,
    principal: Principal,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = &principal.caller(WRITE_LIMIT);
    let file = found(&state, caller, uploaded(&id)?).await?;
    let get = GetFileContent { tenant: caller.tenant, id: file.id };
    let bytes = state.rag.seen_by(caller).call(get, caller.deadline).await?;
    Ok(attachment(&file.filename, bytes))
}

/// Delete an uploaded file, and take it out of all vector stores.
#[utoipa::path(delete, path = "/v1/files/{file_id}", tag = "files", params(("file_id" = String, Path)),
    responses((status = 200, body = DeletedObject), (status = 404)))]
pub(crate) async fn delete(
    state: Data<State>,
    principal: Principal,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = &principal.caller(WRITE_LIMIT);
    let (tenant, file) = (caller.tenant, uploaded(&id)?);
    found(&state, caller, file).await?;
    // The file goes last: what fails before can be repeated.
    loop {
        let of = DocumentsOfFile { tenant, id: file, most: STEP };
        let documents = state.rag.seen_by(caller).call(of, caller.deadline).await?;
        let last = documents.len() < usize::from(STEP);
        for (collection, _, external_id) in documents {
            let delete = DeleteDocument { tenant, collection, external_id };
            match state.rag.seen_by(caller).call(delete, caller.deadline).await.map_err(Error::from) {
                Err(error) if error.code == Code::NotFound => {} // somebody else was faster
                deleted => drop(deleted?),
            }
            state.rag.catalog.forget();
        }
        if last {
            break;
        }
    }
    state.rag.seen_by(caller).call(DeleteFile { tenant, id: file }, caller.deadline).await?;
    Ok(HttpResponse::Ok().json(DeletedObject::new(&id, "file")))
}
