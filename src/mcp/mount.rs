//! An MCP handler as a route of actix-web: a request with its whole, bounded body goes into the SDK's service, and
//! what comes out is sent as it is, JSON at once and events as they happen.
//!
//! * Stateless in both eras of the protocol: no session, so that any replica answers any request.
//! * Overload: a message takes its place among requests of its kind once it was read, else 503.
//! * Cancel safety: who hangs up cancels what it asked for; that is how a client of 2026-07-28 cancels.
//! * A server that leaves lets what is under way finish, and ends what is not over when the rest has to.

use super::route::{Message, Needs};
use crate::config::McpSettings;
use crate::error::Error;
use crate::http::{ApiError, Drain, Principal, State, body, quotas};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError, http::StatusCode};
use futures_util::{Stream, StreamExt};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyDataStream, BodyExt, Full};
use rmcp::ServerHandler;
use rmcp::transport::StreamableHttpServerConfig;
use rmcp::transport::streamable_http_server::session::SessionManager;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::tower::StreamableHttpService;
use std::convert::Infallible;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The SDK's service on one HTTP thread.
pub struct Mount<H, S = NeverSessionManager> {
    service: StreamableHttpService<H, S>,
    max_bytes: usize,
}

impl<H: ServerHandler + Clone> Mount<H> {
    /// Ends what is under way when the drain has to. To be called on the thread that serves it.
    pub(crate) fn new(handler: H, settings: &McpSettings, credential: bool, drain: Drain) -> Self {
        let stop = CancellationToken::new();
        let config = config(settings, credential).with_legacy_session_mode(false);
        let config = config.with_cancellation_token(stop.clone());
        actix_web::rt::spawn(async move {
            drain.last_end().await;
            stop.cancel();
        });
        Self::over(handler, Arc::default(), config)
    }
}

impl<H: ServerHandler + Clone, S: SessionManager> Mount<H, S> {
    /// With sessions for clients of before 2026-07-28, for a handler that asks its client back. Ours never does.
    pub fn with_sessions(handler: H, sessions: Arc<S>, settings: &McpSettings) -> Self {
        Self::over(handler, sessions, config(settings, false).with_legacy_session_mode(true))
    }

    fn over(handler: H, sessions: Arc<S>, config: StreamableHttpServerConfig) -> Self {
        let max_bytes = config.max_request_body_bytes;
        let service = StreamableHttpService::new(move || Ok(handler.clone()), sessions, config);
        Self { service, max_bytes }
    }

    /// Lets the service answer a request whose body is `bytes`. The handler finds `caller` in the request's parts, and
    /// `place` is kept until the last event was sent. Nothing if it is no HTTP that the service knows.
    ///
    /// # Cancel safety
    /// Dropping the future, or the response, cancels the request.
    pub async fn answer<C, P>(
        &self,
        request: &HttpRequest,
        bytes: Bytes,
        caller: C,
        place: P,
    ) -> Option<HttpResponse>
    where
        C: Clone + Send + Sync + 'static,
        P: 'static,
    {
        let asked = inward(request, bytes, caller)?;
        Some(outward(self.service.handle(asked).await, place).await)
    }
}

fn config(settings: &McpSettings, credential: bool) -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default()
        .with_json_response(true)
        .with_max_request_body_bytes(settings.max_request_bytes)
        .with_allowed_hosts(settings.hosts(credential))
        .with_allowed_origins(settings.origins(credential))
        .enforce_origin_validation()
}

/// Any method: the service itself says which ones there are.
pub(crate) async fn serve<H: ServerHandler + Clone>(
    request: HttpRequest,
    payload: Payload,
    principal: Principal,
    state: Data<State>,
    mount: Data<Mount<H>>,
) -> Result<HttpResponse, ApiError> {
    let _room = state.uploads.reserve(&request, mount.max_bytes)?;
    let bytes = body::read(&request, payload.into_inner(), mount.max_bytes).await?;
    let message = Message::of(&bytes);
    if let Needs::Scope(scope) = message.needs() {
        super::access::require(&principal, scope)?;
    }
    let standing = match quotas::take_for(&state, &principal, message.budget(), bytes.len()).await {
        Ok(standing) => standing,
        Err(refused) => {
            let mut response = ApiError(refused.error).error_response();
            quotas::put_on(response.headers_mut(), &refused.standing);
            return Ok(response);
        }
    };
    let place = state.admission.place(message.class())?;
    let answer = mount.answer(&request, bytes, principal, place).await;
    let mut answer = answer.ok_or_else(|| Error::not_found("route"))?;
    if let Some(standing) = standing {
        quotas::put_on(answer.headers_mut(), &standing);
    }
    Ok(answer)
}

/// What the service looks at. Credentials stay outside: no handler sees one.
fn inward<C>(request: &HttpRequest, bytes: Bytes, caller: C) -> Option<http::Request<Full<Bytes>>>
where
    C: Clone + Send + Sync + 'static,
{
    const SEEN: [&str; 5] = ["host", "origin", "accept", "content-type", "last-event-id"];
    let mut asked = http::Request::builder()
        .method(http::Method::from_bytes(request.method().as_str().as_bytes()).ok()?)
        .uri("/mcp")
        .extension(caller);
    for (name, value) in request.headers() {
        let name = name.as_str();
        if SEEN.contains(&name) || name.starts_with("mcp-") {
            asked = asked.header(name, value.as_bytes());
        }
    }
    asked.body(Full::new(bytes)).ok()
}

async fn outward<P: 'static>(answer: http::Response<BoxBody<Bytes, Infallible>>, place: P) -> HttpResponse {
    let (head, body) = answer.into_parts();
    let status = StatusCode::from_u16(head.status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in &head.headers {
        response.append_header((name.as_str(), value.as_bytes()));
    }
    let events = head.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    if events {
        return response.streaming(holding(BodyDataStream::new(body), place));
    }
    let whole = match body.collect().await {
        Ok(whole) => whole.to_bytes(),
        Err(never) => match never {},
    };
    response.body(whole)
}

/// The place is free again when the last event was sent, or nobody reads any more.
fn holding<S: Stream + Unpin, P>(stream: S, place: P) -> impl Stream<Item = S::Item> {
    futures_util::stream::unfold((stream, place), |(mut stream, place)| async move {
        stream.next().await.map(|item| (item, (stream, place)))
    })
}
