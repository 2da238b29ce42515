//! The OpenAPI document, generated from the code, and a page that shows it without outside assets.

use super::{answers, collections, documents, health, jobs, search, system};
use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "mcp-rag",
        description = "Retrieval for AI agents: ingest, search, answer with verified citations."
    ),
    paths(
        health::live,
        health::ready,
        collections::create,
        collections::list,
        collections::get,
        collections::update,
        collections::delete,
        documents::put,
        documents::create_many,
        documents::list,
        documents::get,
        documents::delete,
        documents::content,
        jobs::list,
        jobs::get,
        jobs::cancel,
        jobs::events,
        search::search,
        answers::answer,
        system::system,
    )
)]
struct Api;

/// The document as JSON text.
pub fn document() -> String {
    Api::openapi().to_pretty_json().unwrap_or_default()
}

pub(super) fn routes(config: &mut ServiceConfig) {
    config.route("/openapi.json", web::get().to(json)).route("/docs", web::get().to(page));
}

async fn json() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document())
}

async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
        ))
        .body(include_str!("docs.html"))
}
