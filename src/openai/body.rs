//! Bodies that may be longer than the usual JSON.

use crate::error::Error;
use crate::http::{State, body};
use actix_web::HttpRequest;
use actix_web::web::Payload;
use serde::de::DeserializeOwned;

/// JSON of up to `server.max_body_bytes`, which takes its room among the uploads while it is read.
pub(super) async fn long<T: DeserializeOwned>(
    state: &State,
    request: &HttpRequest,
    payload: Payload,
) -> Result<T, Error> {
    let limit = state.rag.settings().server.max_body_bytes;
    let _room = state.uploads.reserve(request, limit)?;
    body::parse(&body::read(request, payload.into_inner(), limit).await?)
}

/// A field whose `null` means something else than its absence.
pub(super) fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: serde::Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    serde::Deserialize::deserialize(deserializer).map(Some)
}
