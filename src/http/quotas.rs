//! What a request counts as, and whether its caller has that left: asked once it is known who calls, before anything of
//! the body is read.
//!
//! * Searches and answers count as requests, cached or not; writes of documents count as the bytes of their bodies, by
//!   their announced length, or read first where none is announced.
//! * Reads are not counted: who follows a job must not be told to stop looking. Admission bounds them.
//! * Every counted response says what is left in `RateLimit-*`; a refusal is 429 with `Retry-After`.

use super::admission::discard_body;
use super::{ApiError, Principal, State, body};
use crate::error::Error;
use crate::quotas::{Budget, Refused, Standing};
use actix_web::HttpMessage;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use actix_web::middleware::Next;
use actix_web::web::Data;
use std::time::Duration;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// None for what is not counted.
pub(super) fn budget(method: &Method, path: &str) -> Option<Budget> {
    let route: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
    match (method, route.as_slice()) {
        (&Method::GET | &Method::HEAD | &Method::OPTIONS, _) => None,
        (_, ["search" | "embeddings"] | ["vector_stores", _, "search"]) => Some(Budget::Search),
        (_, ["answers"] | ["chat", "completions"]) => Some(Budget::Answers),
        (_, ["collections" | "files" | "vector_stores", ..]) => Some(Budget::Ingest),
        _ => None, // keys, spaces, jobs
    }
}

/// Why a request goes no further.
enum Stop {
    Refused(Box<Refused>),
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

pub(super) async fn count(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let standing = match take(&mut request).await {
        Ok(standing) => standing,
        Err(stop) => {
            discard_body(&mut request).await;
            let (error, standing) = match stop {
                Stop::Refused(refused) => (refused.error, Some(refused.standing)),
                Stop::Error(error) => (error, None),
            };
            let mut response = request.error_response(ApiError(error)).map_into_boxed_body();
            if let Some(standing) = standing {
                put_on(response.headers_mut(), &standing);
            }
            return Ok(response);
        }
    };
    let mut response = next.call(request).await?.map_into_boxed_body();
    if let Some(standing) = standing {
        put_on(response.headers_mut(), &standing);
    }
    Ok(response)
}

async fn take(request: &mut ServiceRequest) -> Result<Option<Standing>, Stop> {
    let state = request.app_data::<Data<State>>().cloned();
    let principal = request.extensions().get::<Principal>().cloned();
    let budget = budget(request.method(), request.path());
    let (Some(state), Some(principal), Some(budget)) = (state, principal, budget) else { return Ok(None) };
    let settings = state.rag.settings();
    let quotas = &state.rag.quotas;
    let applying = quotas.applying(&principal.identity, budget, &settings).await;
    let Some(applying) = applying else { return Ok(None) };
    let bytes = match budget {
        Budget::Search | Budget::Answers => 0,
        Budget::Ingest => length(request, &state, settings.server.max_body_bytes).await?,
    };
    quotas.take(&applying, budget.units(bytes)).await.map(Some).map_err(Stop::Refused)
}

/// Of the body. One that does not say how long it is, is read: a promise would not bind its sender.
async fn length(request: &mut ServiceRequest, state: &State, most: usize) -> Result<u64, Error> {
    if !request.headers().contains_key(TRANSFER_ENCODING) {
        let announced =
            request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        // What is longer is refused, unread.
        return Ok(announced.filter(|length| *length <= most as u64).unwrap_or_default());
    }
    let _room = state.uploads.reserve(request.request(), most)?;
    let payload = request.take_payload();
    let bytes = body::read(request.request(), payload, most).await?;
    let length = bytes.len() as u64;
    request.set_payload(Payload::from(bytes));
    Ok(length)
}

/// A message at `/mcp`, of which only the body tells what it counts as.
pub(crate) async fn take_for(
    state: &State,
    principal: &Principal,
    budget: Option<Budget>,
    bytes: usize,
) -> Result<Option<Standing>, Box<Refused>> {
    let Some(budget) = budget else { return Ok(None) };
    let settings = state.rag.settings();
    let applying = state.rag.quotas.applying(&principal.identity, budget, &settings).await;
    let Some(applying) = applying else { return Ok(None) };
    state.rag.quotas.take(&applying, budget.units(bytes as u64)).await.map(Some)
}

/// The three headers that clients know, and the policy behind them.
pub(crate) fn put_on(headers: &mut HeaderMap, standing: &Standing) {
    let Standing { limit, remaining, full_in, window } = *standing;
    for (name, value) in [(LIMIT, limit), (REMAINING, remaining), (RESET, seconds(full_in))] {
        headers.insert(name, value.into());
    }
    let policy = format!("{limit};w={}", seconds(window).max(1));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(POLICY, policy);
    }
}

/// Whole ones, rounded up: who comes back then does not come too early.
pub(super) fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_takes_from_its_budget_and_reads_from_none() {
        for (method, path, expected) in [
            (Method::POST, "/v1/search", Some(Budget::Search)),
            (Method::POST, "/v1/embeddings", Some(Budget::Search)),
            (Method::POST, "/v1/vector_stores/vs_1/search", Some(Budget::Search)),
            (Method::POST, "/v1/answers", Some(Budget::Answers)),
            (Method::POST, "/v1/chat/completions", Some(Budget::Answers)),
            (Method::PUT, "/v1/collections/a/documents/x", Some(Budget::Ingest)),
            (Method::POST, "/v1/collections/a/import", Some(Budget::Ingest)),
            (Method::POST, "/v1/files", Some(Budget::Ingest)),
            (Method::POST, "/v1/vector_stores/vs_1/files", Some(Budget::Ingest)),
            (Method::GET, "/v1/collections/a/export", None),
            (Method::GET, "/v1/jobs/job_1/events", None),
            (Method::DELETE, "/v1/jobs/job_1", None),
            (Method::POST, "/v1/keys", None),
            (Method::GET, "/health", None),
        ] {
            assert_eq!(budget(&method, path), expected, "{method} {path}");
        }
    }
}
