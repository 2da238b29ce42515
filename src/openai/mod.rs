//! What clients of OpenAI's API know, as an adapter over the same pipelines and store as the REST surface: a vector
//! store is a collection, a file in it a document, a completion an answer (docs/OPENAI.md).
//!
//! Ids are the store's own numbers behind the prefixes that OpenAI uses (`ids`), so they need no table. Bodies are
//! bounded as everywhere; fields that mean something elsewhere and nothing here are listed where they are ignored,
//! and any other is an error.

pub(crate) mod batches;
mod body;
pub(crate) mod chat;
mod chunking;
mod content;
pub(crate) mod embeddings;
mod expiry;
pub(crate) mod files;
mod ids;
pub(crate) mod models;
mod page;
mod pairs;
pub(crate) mod search;
pub(crate) mod store_files;
mod upload;
pub(crate) mod vector_stores;

pub(crate) use page::FileStatus;

use crate::http::resource;
use actix_web::web::{self, ServiceConfig};
use std::time::Duration;

/// Of a request that reads or writes a few rows.
const LIMIT: Duration = Duration::from_secs(10);
/// Of one that may touch thousands.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// Tells a client that polls how soon it is worth asking again; without it some wait for seconds.
const POLL: (&str, &str) = ("openai-poll-after-ms", "500");

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/chat/completions").route(web::post().to(chat::create)))
        .service(resource("/embeddings").route(web::post().to(embeddings::create)))
        .service(resource("/models").route(web::get().to(models::list)))
        // A name may hold a slash, escaped or not.
        .service(resource("/models/{model:.+}").route(web::get().to(models::get)))
        .service(resource("/files").route(web::get().to(files::list)).route(web::post().to(files::create)))
        .service(
            resource("/files/{file_id}")
                .route(web::get().to(files::get))
                .route(web::delete().to(files::delete)),
        )
        .service(resource("/files/{file_id}/content").route(web::get().to(files::content)))
        .service(
            resource("/vector_stores")
                .route(web::get().to(vector_stores::list))
                .route(web::post().to(vector_stores::create)),
        )
        .service(
            resource("/vector_stores/{vector_store_id}")
                .route(web::get().to(vector_stores::get))
                .route(web::post().to(vector_stores::update))
                .route(web::delete().to(vector_stores::delete)),
        )
        .service(resource("/vector_stores/{vector_store_id}/search").route(web::post().to(search::search)))
        .service(
            resource("/vector_stores/{vector_store_id}/files")
                .route(web::get().to(store_files::list))
                .route(web::post().to(store_files::create)),
        )
        .service(
            resource("/vector_stores/{vector_store_id}/files/{file_id}")
                .route(web::get().to(store_files::get))
                .route(web::post().to(store_files::update))
                .route(web::delete().to(store_files::delete)),
        )
        .service(
            resource("/vector_stores/{vector_store_id}/files/{file_id}/content")
                .route(web::get().to(store_files::content)),
        )
        .service(
            resource("/vector_stores/{vector_store_id}/file_batches").route(web::post().to(batches::create)),
        )
        .service(
            resource("/vector_stores/{vector_store_id}/file_batches/{batch_id}")
                .route(web::get().to(batches::get)),
        )
        .service(
            resource("/vector_stores/{vector_store_id}/file_batches/{batch_id}/files")
                .route(web::get().to(batches::files)),
        )
        .service(
            resource("/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel")
                .route(web::post().to(batches::cancel)),
        );
}
