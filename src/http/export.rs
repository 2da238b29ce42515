//! A collection given out as NDJSON, and taken in again.
//!
//! A stream reads ahead by two pages at most, each of a few megabytes or of one document, whatever the collection
//! holds. It ends with a line that says so: a stream without that line was cut off.

use super::admission::{Place, Ticket};
use super::collections;
use super::{ApiError, Principal, State, resource};
use crate::error::Error;
use crate::rag::Caller;
use crate::rag::ingest::VectorsView;
use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, Path, Query, ServiceConfig};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{CollectionId, DocumentId, ExportDocuments, Exported, Space};
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc;
use utoipa::IntoParams;

const LIMIT: Duration = Duration::from_secs(10);
/// One page, and how long a database that is away is waited for within a stream.
const PAGE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(500);
/// A client that reads slower than this holds its place no longer.
const MAX_STREAM: Duration = Duration::from_secs(3600);
const MOST: i64 = 200;
const MOST_BYTES: i64 = 4 << 20;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(resource("/collections/{name}/export").route(web::get().to(export))).service(
        resource("/collections/{name}/import").route(web::post().to(super::documents::accept::import)),
    );
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// With each document's vectors, so that an import where the same model is in use embeds nothing.
    #[serde(default)]
    vectors: bool,
}

/// Export a collection.
///
/// NDJSON: first a line about the collection, then one per document, as bulk uploads take them; last one that says
/// that this is all, `{"complete": {"documents": 2}}`. Without it the stream was cut off.
#[utoipa::path(get, path = "/v1/collections/{name}/export", tag = "documents",
    params(("name" = String, Path), ExportQuery),
    responses((status = 200, body = String, content_type = "application/x-ndjson", description = "one document per line"), (status = 404)))]
pub(super) async fn export(
    state: Data<State>,
    principal: Principal,
    name: Path<String>,
    query: Query<ExportQuery>,
    ticket: Ticket,
) -> Result<HttpResponse, ApiError> {
    let caller = principal.caller(LIMIT);
    let collection = state.rag.catalog.get(&caller, &name).await?;
    let id = collection.id;
    let head = json!({"export": {"version": 1, "collection": collections::view(&state, &caller, collection).await?}});
    let space = if query.vectors { state.rag.catalog.active(&caller).await? } else { None };
    let (sender, receiver) = mpsc::channel(1);
    let place = ticket.keep();
    actix_web::rt::spawn(async move {
        let all = give_out(&state, &caller, id, head, space, &sender);
        // Nobody can be told any more: the missing last line says it.
        let _ = tokio::time::timeout(MAX_STREAM, all).await;
        drop::<Place>(place);
    });
    let lines = futures_util::stream::unfold(receiver, |mut lines| async move {
        lines.recv().await.map(|bytes| (bytes, lines))
    });
    // As any stream, its connection's last response.
    Ok(HttpResponse::Ok()
        .force_close()
        .content_type("application/x-ndjson")
        .streaming(lines.map(Ok::<Bytes, Infallible>)))
}

async fn give_out(
    state: &State,
    caller: &Caller,
    collection: CollectionId,
    head: Value,
    space: Option<Arc<Space>>,
    lines: &mpsc::Sender<Bytes>,
) {
    if lines.send(line(&head).into()).await.is_err() {
        return;
    }
    let (mut after, mut documents) = (DocumentId(0), 0_u64);
    loop {
        let page = ExportDocuments {
            tenant: caller.tenant,
            collection,
            after,
            vectors: space.clone(),
            most: MOST,
            most_bytes: MOST_BYTES,
        };
        let page = tokio::select! {
            page = patiently(state, &page, caller) => page,
            () = lines.closed() => return,
        };
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                let _ = lines.send(line(&super::error::body(&error)).into()).await;
                return;
            }
        };
        let Some(last) = page.last() else { break };
        after = last.id;
        documents += page.len() as u64;
        let model = space.as_ref().map(|space| {
            (space.spec.model.as_str(), usize::try_from(space.spec.dimensions).unwrap_or_default())
        });
        let text: String = page.into_iter().map(|one| line(&view(one, model))).collect();
        if lines.send(text.into()).await.is_err() {
            return;
        }
    }
    let _ = lines.send(line(&json!({"complete": {"documents": documents}})).into()).await;
}

/// A database that is away for a moment does not end a stream.
async fn patiently(state: &State, page: &ExportDocuments, caller: &Caller) -> Result<Vec<Exported>, Error> {
    let (began, store) = (Instant::now(), state.rag.seen_by(caller));
    loop {
        match store.call(page.clone(), Deadline::within(PAGE)).await.map_err(Error::from) {
            Err(error) if error.is_temporary() && began.elapsed() < PATIENCE => {
                tokio::time::sleep(PAUSE).await;
            }
            page => return page,
        }
    }
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

/// As a bulk upload takes it.
fn view(document: Exported, model: Option<(&str, usize)>) -> Value {
    let mut view = json!({
        "external_id": document.external_id,
        "title": document.title,
        "uri": document.uri,
        "media_type": document.media_type,
        "attributes": document.attributes,
        "acl": document.acl,
    });
    if let Some(time) = document.expires_at.and_then(|time| time.format(&Rfc3339).ok()) {
        view["expires_at"] = time.into();
    }
    match String::from_utf8(document.raw) {
        Ok(text) => view["text"] = text.into(),
        Err(error) => view["content"] = STANDARD.encode(error.into_bytes()).into(),
    }
    if let Some((model, dimensions)) = model {
        view["vectors"] = json!(VectorsView::of(model, dimensions, &document.vectors));
    }
    view
}
