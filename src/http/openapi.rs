//! The OpenAPI document, generated from the code, and a page that shows it without outside assets.

use super::reference::{Common, ErrorBody, ErrorDetail, demand_credentials};
use super::{
    State, answers, audit, collections, documents, explain, export, health, jobs, keys, resource, search,
    spaces, system,
};
use crate::openai::{
    batches, chat, embeddings, files, models, search as store_search, store_files, vector_stores,
};
use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;
use utoipa::OpenApi;
use utoipa::openapi::PathItem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "mcp-rag",
        description = "Retrieval for AI agents: ingest, search, answer with verified citations."
    ),
    paths(
        health::live,
        health::ready,
        health::startup,
        health::overall,
        collections::create,
        collections::list,
        collections::get,
        collections::update,
        collections::reindex,
        collections::delete,
        documents::accept::put,
        documents::accept::create_many,
        documents::list,
        documents::get,
        documents::delete,
        documents::matching::delete_matching,
        documents::content,
        export::export,
        documents::accept::import,
        jobs::list,
        jobs::get,
        jobs::cancel,
        jobs::retry,
        jobs::events,
        keys::create,
        keys::list,
        keys::limit,
        keys::revoke,
        keys::rotate,
        audit::list,
        explain::explain,
        search::search,
        answers::answer,
        spaces::list,
        spaces::build,
        spaces::get,
        spaces::activate,
        spaces::rollback,
        spaces::remove,
        spaces::compare,
        system::system,
        system::history,
        chat::create,
        embeddings::create,
        models::list,
        models::get,
        files::create,
        files::list,
        files::get,
        files::content,
        files::delete,
        vector_stores::create,
        vector_stores::list,
        vector_stores::get,
        vector_stores::update,
        vector_stores::delete,
        store_search::search,
        store_files::create,
        store_files::list,
        store_files::get,
        store_files::update,
        store_files::content,
        store_files::delete,
        batches::create,
        batches::get,
        batches::files,
        batches::cancel,
    ),
    // What query parameters alone use is not registered by itself.
    components(schemas(ErrorBody, ErrorDetail, super::page::Order, documents::DocumentStatus, crate::openai::FileStatus)),
    modifiers(&Common),
    tags(
        (name = "search", description = "Find the best chunks by meaning, by keyword, or both."),
        (name = "answers", description = "Answers from the documents, each claim with a verified citation."),
        (name = "collections", description = "Sets of documents that are searched together."),
        (name = "documents", description = "Put documents in, read them back, delete them."),
        (name = "jobs", description = "Ingest work that outlives a request."),
        (name = "keys", description = "API keys: who may call, and what for."),
        (name = "audit", description = "Who did what, and who may see what."),
        (name = "spaces", description = "Embedding spaces: change the model or its precision while searches go on."),
        (name = "chat", description = "OpenAI-compatible: answers from the documents as chat completions."),
        (name = "embeddings", description = "OpenAI-compatible: vectors of texts."),
        (name = "models", description = "OpenAI-compatible: what can be named as `model`."),
        (name = "vector_stores", description = "OpenAI-compatible: collections as vector stores."),
        (name = "files", description = "OpenAI-compatible: files to put into vector stores."),
        (name = "health", description = "Probes, on both ports. They never need a credential."),
        (name = "system", description = "The server's own state.")
    )
)]
struct Api;

/// The document as JSON text.
pub fn document() -> String {
    Api::openapi().to_pretty_json().unwrap_or_default()
}

/// What can be done with a path, as `Allow` lists it. What is not in the document is there to be read.
///
/// As OpenAPI has it, a path that is spelled out comes before one with placeholders.
pub(super) fn methods(path: &str) -> String {
    static KNOWN: LazyLock<Vec<(Vec<String>, PathItem)>> = LazyLock::new(|| {
        let segments = |path: &str| path.split('/').map(str::to_owned).collect();
        Api::openapi().paths.paths.into_iter().map(|(path, item)| (segments(&path), item)).collect()
    });
    let asked: Vec<&str> = path.split('/').collect();
    let fits = |known: &[String]| {
        let alike = |(known, asked): (&String, &&str)| known.starts_with('{') || known == asked;
        known.len() == asked.len() && known.iter().zip(&asked).all(alike)
    };
    let placeholders = |known: &[String]| known.iter().filter(|segment| segment.starts_with('{')).count();
    let found = KNOWN.iter().filter(|(known, _)| fits(known)).min_by_key(|(known, _)| placeholders(known));
    let Some((_, PathItem { get, post, put, patch, delete, .. })) = found else { return "GET".to_owned() };
    let all = [("GET", get), ("POST", post), ("PUT", put), ("PATCH", patch), ("DELETE", delete)];
    let allowed: Vec<&str> =
        all.into_iter().filter(|(_, there)| there.is_some()).map(|(name, _)| name).collect();
    allowed.join(", ")
}

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/openapi.json").route(web::get().to(json)))
        .service(resource("/docs").route(web::get().to(page)));
}

/// Of a server that lets nobody in without a credential it says so.
async fn json(state: Data<State>) -> HttpResponse {
    let mut api = Api::openapi();
    if state.rag.settings().auth.is_on() {
        demand_credentials(&mut api);
    }
    let json = api.to_pretty_json().unwrap_or_default();
    HttpResponse::Ok().content_type("application/json").body(json)
}

async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("content-security-policy", POLICY.as_str()))
        .body(PAGE)
}

const PAGE: &str = include_str!("docs.html");

/// Runs the page's own script and style, known by their hashes, and nothing else.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |tag: &str| {
        let inner =
            PAGE.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
        let (inner, _) = inner.unwrap_or_default();
        format!("'sha256-{}'", STANDARD.encode(Sha256::digest(inner)))
    };
    format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hash("script"),
        hash("style")
    )
});
