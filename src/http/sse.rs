use actix_web::HttpResponse;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};
use mcp_rag_actors::resilience::random;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc;
use utoipa::ToSchema;

/// Proxies and clients give up on silent streams.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One event of a stream, as those read it who take streams apart.
#[derive(Deserialize, ToSchema)]
#[schema(as = ServerSentEvent)]
#[expect(dead_code, reason = "for the OpenAPI document")]
pub(crate) struct EventForm {
    event: Option<String>,
    /// JSON.
    data: Option<String>,
    id: Option<String>,
    /// Milliseconds to wait before coming back.
    retry: Option<u32>,
}

/// One server-sent event.
pub(super) fn event(name: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "{}".to_owned());
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// The same with an id, which a client that was cut off sends back as `Last-Event-ID`.
pub(super) fn event_with_id(name: &str, id: &str, data: &impl Serialize) -> Bytes {
    let mut bytes = format!("id: {id}\n").into_bytes();
    bytes.extend_from_slice(&event(name, data));
    bytes.into()
}

/// Asks the client to come back after a while: 0.5 to 1.5 s, so that not all do at once.
pub(super) fn retry() -> Bytes {
    Bytes::from(format!("retry: {:.0}\n\n", 500.0 + 1000.0 * random::uniform()))
}

/// Streams events until the sender is dropped, with comments while there are none.
///
/// A stream is its connection's last response: one that ends while the server leaves could not say so
/// any more, and the client's next request would be lost.
pub(crate) fn respond(events: mpsc::Receiver<Bytes>) -> HttpResponse {
    HttpResponse::Ok()
        .force_close()
        .content_type("text/event-stream")
        .insert_header(("x-accel-buffering", "no"))
        .streaming(with_keep_alive(events).map(Ok::<_, Infallible>))
}

fn with_keep_alive(events: mpsc::Receiver<Bytes>) -> impl Stream<Item = Bytes> {
    futures_util::stream::unfold(events, |mut events| async move {
        match tokio::time::timeout(KEEP_ALIVE, events.recv()).await {
            Ok(event) => event.map(|event| (event, events)),
            Err(_) => Some((Bytes::from_static(b": keep-alive\n\n"), events)),
        }
    })
}
