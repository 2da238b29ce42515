//! What holds for every request: an id, a log line without content, metrics, and no panic that
//! reaches the client as an empty reply.

use super::{ApiError, Drain, State};
use crate::error::{Code, Error};
use actix_web::ResponseError;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
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
    // The request itself must not be kept: actix routes only a request that nobody else holds.
    let outcome = AssertUnwindSafe(next.call(request)).catch_unwind().instrument(span.clone()).await;
    let mut response = match outcome {
        Ok(Ok(response)) => documented(response.map_into_boxed_body()),
        Ok(Err(error)) => return Err(answered(&in_our_words(&error), id, drain.as_ref())),
        Err(_) => return Err(answered(&internal(&"a handler panicked"), id, drain.as_ref())),
    };
    response.headers_mut().insert(REQUEST_ID, id);
    if let Some(drain) = &drain {
        drain.mark(response.response_mut());
    }
    let route = response.request().match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    let status = response.status().as_u16();
    let elapsed = began.elapsed();
    let labels = [("method", method.to_string()), ("route", route.clone()), ("status", status.to_string())];
    metrics::counter!("mcp_rag_http_requests_total", &labels).increment(1);
    metrics::histogram!("mcp_rag_http_request_seconds", "route" => route.clone())
        .record(elapsed.as_secs_f64());
    // Paths may hold external ids; the pattern never does.
    span.in_scope(|| tracing::info!(%route, status, ms = elapsed.as_millis(), "request"));
    Ok(response)
}

fn internal(cause: &dyn ToString) -> ApiError {
    let shown = Error::new(Code::Internal, "an internal error; it is logged");
    ApiError(Error { cause: Some(cause.to_string()), ..shown })
}

/// An error that answers with its own response, the request's id included.
fn answered(error: &ApiError, id: HeaderValue, drain: Option<&Drain>) -> actix_web::Error {
    let mut response = error.error_response();
    response.headers_mut().insert(REQUEST_ID, id);
    if let Some(drain) = drain {
        drain.mark(&mut response);
    }
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
