//! Tools that change what is found.

use super::search::url;
use super::{arguments, json};
use crate::error::{Code, Error};
use crate::http::documents::accept::NewDocument;
use crate::mcp::address::Address;
use crate::mcp::call::Call;
use crate::rag::ingest::Wish;
use mcp_rag_actors::store::{Class, DeleteDocument, GetDocument};
use rmcp::model::JsonObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use time::OffsetDateTime;

const LIMIT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOne {
    collection: String,
    external_id: String,
    text: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    url: String,
    media_type: Option<String>,
    attributes: Option<Value>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
}

#[derive(Serialize)]
struct Ingested {
    id: String,
    url: String,
    /// queued, running or ready.
    status: String,
    unchanged: bool,
    chunks: i32,
    job: Option<String>,
    warnings: Vec<String>,
}

/// Takes a document in, or replaces it, and waits until it is found, or for as long as a request may take.
pub(super) async fn ingest(given: JsonObject, call: &Call) -> Result<Value, Error> {
    let NewOne { collection, external_id, text, title, url: uri, media_type, attributes, expires_at } =
        arguments(given)?;
    let limits = call.rag.settings();
    let caller = call.caller(Duration::from_millis(limits.server.request_timeout_ms));
    let home = call.rag.catalog.get(&caller, &collection).await?;
    let new = NewDocument {
        external_id: None,
        text: Some(text),
        content: None,
        title,
        uri,
        media_type,
        attributes,
        acl: Vec::new(),
        expires_at,
        vectors: None,
    };
    let incoming = new.into_incoming(external_id.clone())?;
    incoming.check(limits.ingest.max_document_bytes)?;
    let wish = Wish { class: Class::Interactive, webhook: None, key: None };
    let receipt = call.rag.accept(&home, vec![incoming], wish, &caller).await?.whole()?;
    if let Some(job) = receipt.job {
        call.telling("reading and embedding the document", call.rag.wait_for(job, &caller)).await?;
    }
    let get = GetDocument { tenant: caller.tenant, collection: home.id, external_id };
    let document = call.rag.seen_by(&caller).call(get, call.caller(LIMIT).deadline).await?;
    if document.status == "failed" {
        let reason = document.error.unwrap_or_default();
        return Err(Error::new(Code::InvalidRequest, format!("the document cannot be ingested: {reason}")));
    }
    let address = Address::of(&collection, &document.external_id);
    json(&Ingested {
        id: address.id(),
        url: url(&document.uri, &address),
        status: document.status,
        unchanged: receipt.changed == 0,
        chunks: document.chunks,
        job: receipt.job.map(|job| job.to_string()),
        warnings: document.warnings,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    id: String,
}

pub(super) async fn delete(given: JsonObject, call: &Call) -> Result<Value, Error> {
    let Which { id } = arguments(given)?;
    let Address { collection, external_id, .. } = Address::parse(&id)?;
    let caller = call.caller(LIMIT);
    let collection = call.rag.catalog.get(&caller, &collection).await?.id;
    let delete = DeleteDocument { tenant: caller.tenant, collection, external_id };
    let receipt = call.rag.seen_by(&caller).once(None, delete, caller.deadline).await?;
    call.rag.catalog.forget();
    json(&serde_json::json!({ "deleted": receipt }))
}
