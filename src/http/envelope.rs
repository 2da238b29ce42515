//! What holds for every request: an id, a trace, a log line without content, metrics, and no panic that
//! reaches the client as an empty reply.

use super::{ApiError, Drain, State};
use crate::error::{Code, Error};
use crate::telemetry::{Incoming, incoming};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Instant;
use tracing::Instrument;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_REQUEST_ID: usize = 128;

pub async fn envelope<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let began = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let drain = request.app_data::<Data<State>>().map(|state| state.drain.clone());
    let span = tracing::info_span!("request", id = %id.to_str().unwrap_or_default(), %method);
    let trace = incoming(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    let labels = Labels { id, drain, trace, secure: request.app_config().secure() };
    // The request itself must not be kept: actix routes only a request that nobody else holds.
    let outcome = AssertUnwindSafe(next.call(request)).catch_unwind();
    // The trace's span within the log's: what is called from here finds it as the current one.
    let outcome = outcome.instrument(labels.trace.span.clone()).instrument(span.clone()).await;
    let mut response = match outcome {
        Ok(Ok(response)) => documented(response.map_into_boxed_body()),
        Ok(Err(error)) => return Err(answered(&in_our_words(&error), &labels)),
        Err(_) => return Err(answered(&internal(&"a handler panicked"), &labels)),
    };
    labels.put_on(response.response_mut());
    let route = response.request().match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    let status = response.status().as_u16();
    let elapsed = began.elapsed();
    labels.trace.answered(&method, &route, status);
    let counted = [("method", method.to_string()), ("route", route.clone()), ("status", status.to_string())];
    metrics::counter!("mcp_rag_http_requests_total", &counted).increment(1);
    metrics::histogram!("mcp_rag_http_request_seconds", "route" => route.clone())
        .record(elapsed.as_secs_f64());
    if let (Some(trace_id), Some(state)) =
        (labels.trace.exemplar(), response.request().app_data::<Data<State>>())
    {
        state.exemplars.record(&route, elapsed, trace_id);
    }
    // Paths may hold external ids; the pattern never does.
    let trace_id = labels.trace.trace_id.as_deref();
    let ms = elapsed.as_millis();
    span.in_scope(|| {
        // Thousands of refusals a second are counted, not told one by one.
        if turned_away(&response) {
            tracing::debug!(%route, status, ms, trace_id, "request");
        } else {
            tracing::info!(%route, status, ms, trace_id, "request");
        }
    });
    Ok(response)
}

fn turned_away(response: &ServiceResponse) -> bool {
    let error = response.response().error().and_then(|error| error.as_error::<ApiError>());
    error.is_some_and(|error| matches!(error.0.code, Code::Overloaded | Code::RateLimited))
}

/// For whoever must name the request.
struct RequestId(HeaderValue);

/// The id that the response carries too.
pub(super) fn id_of(request: &HttpRequest) -> HeaderValue {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    id.unwrap_or(HeaderValue::from_static("unknown"))
}

/// What every response carries.
struct Labels {
    id: HeaderValue,
    drain: Option<Drain>,
    trace: Incoming,
    /// It came over TLS.
    secure: bool,
}

/// Unless a handler knows better: nothing we answer is to be kept by a cache between us and the client, guessed to be
/// of another kind, run or framed by a page, or told to the next site.
const PROTECTION: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox"),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];
/// A year, for this host and none below it.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

impl Labels {
    fn put_on<B>(&self, response: &mut HttpResponse<B>) {
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, self.id.clone());
        for (name, value) in PROTECTION {
            if !headers.contains_key(&name) {
                headers.insert(name, value);
            }
        }
        if self.secure {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
        }
        if let Some((name, value)) = self.trace.header() {
            response.headers_mut().insert(name, value);
        }
        if let Some(drain) = &self.drain {
            drain.mark(response);
        }
    }
}

fn internal(cause: &dyn ToString) -> ApiError {
    let shown = Error::new(Code::Internal, "an internal error; it is logged");
    ApiError(Error { cause: Some(cause.to_string()), ..shown })
}

/// An error that answers with its own response, labelled as any.
fn answered(error: &ApiError, labels: &Labels) -> actix_web::Error {
    let mut response = error.error_response();
    labels.put_on(&mut response);
    InternalError::from_response(error.to_string(), response).into()
}

/// actix's own refusals (a bad path or query, an oversized payload, …) in the documented format.
fn documented(response: ServiceResponse) -> ServiceResponse {
    match response.response().error() {
        Some(error) if error.as_error::<ApiError>().is_none() => {
            let ours = in_our_words(error).error_response();
            response.into_response(ours)
        }
        Some(_) | None => response,
    }
}

fn in_our_words(error: &actix_web::Error) -> ApiError {
    let code = match error.as_response_error().status_code().as_u16() {
        404 => Code::NotFound,
        405 => Code::MethodNotAllowed,
        408 => Code::RequestTimeout,
        413 => Code::PayloadTooLarge,
        415 => Code::UnsupportedMediaType,
        400..=499 => Code::InvalidRequest,
        _ => return internal(error),
    };
    ApiError(Error::new(code, error.to_string()))
}

/// The client's own id when it is a sane one, else a fresh one.
fn request_id(request: &ServiceRequest) -> HeaderValue {
    let sane = |value: &&HeaderValue| {
        !value.is_empty()
            && value.len() <= MAX_REQUEST_ID
            && value.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
    };
    let own = request.headers().get(REQUEST_ID).filter(sane);
    own.cloned().unwrap_or_else(|| {
        let fresh = uuid::Uuid::new_v4().simple().to_string();
        HeaderValue::from_str(&fresh).unwrap_or(HeaderValue::from_static("unknown"))
    })
}
