//! `Idempotency-Key`: a write that is sent again is answered again, and done once.
//!
//! * The key is claimed before the request is carried out and its answer stored afterwards; what it did is recorded in
//!   the write's own transaction (`actors/src/store/idempotency.rs`), so a server may be lost at any moment between.
//! * A body is hashed while its handler reads it; nothing is kept of it but the hash.
//! * Not remembered: 5xx, 429, 408, an answer to a body that did not arrive whole, and one above [`MAX_ANSWER`],
//!   which is made again from what was recorded.
//! * Cancel safety: a request that is dropped gives its key back; should that fail, the lease runs out.

mod body;

use self::body::Hashed;
use super::admission::Ticket;
use super::{ApiError, Principal, State, auth};
use crate::error::{Code, Error};
use crate::identity::{Credential, Identity};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{
    ClaimKey, Claimed, HeldKey, IdempotencyKey, Settle, SettleKey, StoredResponse, recorded,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

const HEADER: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";
const MAX_KEY: usize = 255;
/// Larger answers, lists of thousands of bad lines, are not stored.
const MAX_ANSWER: usize = 1 << 20;
const LIMIT: Duration = Duration::from_secs(10);
/// How long the key of a server that was lost is not free.
const LEASE: Duration = Duration::from_secs(6);
const RENEW: Duration = Duration::from_secs(2);

/// The key its request is done under; none in most requests.
#[derive(Clone, Default)]
pub(super) struct Once(Option<Rc<Holding>>);

struct Holding {
    key: Arc<IdempotencyKey>,
    claim: Arc<str>,
    /// Of an earlier request that took effect and was never answered.
    before: Option<Vec<u8>>,
    done: Option<Value>,
    body: Hashed,
}

impl Holding {
    /// Whether what was done under the key was another request's.
    fn is_of_another(&self, fingerprint: &Vec<u8>) -> bool {
        self.done.is_some() && self.before.as_ref() != Some(fingerprint)
    }
}

impl Once {
    /// What a write has to be sent with. Reads what is left of the body.
    pub(super) async fn key(&self) -> Result<Option<HeldKey>, Error> {
        let Some(held) = &self.0 else { return Ok(None) };
        let fingerprint = held.body.finish().await?;
        if held.is_of_another(&fingerprint) {
            return Err(reused());
        }
        let (key, claim) = (Arc::clone(&held.key), Arc::clone(&held.claim));
        Ok(Some(HeldKey { key, claim, fingerprint, done: held.done.clone() }))
    }

    /// What the write's reply was, if an earlier request has done it: for handlers that could not even ask any more.
    pub(super) async fn done<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        let Some(HeldKey { done: Some(done), .. }) = self.key().await? else { return Ok(None) };
        Ok(Some(recorded(done)?))
    }
}

impl FromRequest for Once {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(request.extensions().get::<Self>().cloned().unwrap_or_default()))
    }
}

fn reused() -> Error {
    let message = "this Idempotency-Key was used for another request: use a new key for each new request, \
                   and send the same bytes when repeating one";
    Error::new(Code::KeyReused, message).about("Idempotency-Key")
}

fn running() -> Error {
    Error::new(
        Code::InProgress,
        "a request with this Idempotency-Key is under way: repeat it after Retry-After",
    )
    .about("Idempotency-Key")
}

/// Whether writes here are of collections, documents and jobs.
pub(super) fn is_remembered(path: &str) -> bool {
    let route = path.strip_prefix("/v1/").and_then(|route| route.split('/').next());
    matches!(route, Some("collections" | "jobs"))
}

fn writes(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH | Method::DELETE)
}

fn key_of(request: &ServiceRequest, value: &HeaderValue) -> Result<IdempotencyKey, Error> {
    let key = value.to_str().ok().filter(|key| (1..=MAX_KEY).contains(&key.len()));
    let key = key.ok_or_else(|| {
        Error::invalid(
            "Idempotency-Key",
            format!("`Idempotency-Key` is 1 to {MAX_KEY} visible ASCII characters"),
        )
    })?;
    let principal = request.extensions().get::<Principal>().cloned();
    let principal =
        principal.ok_or_else(|| Error::new(Code::Unauthorized, "a valid credential is needed"))?;
    let caller = caller(&principal.identity, auth::presented(request.request()).unwrap_or_default());
    Ok(IdempotencyKey { tenant: principal.tenant, caller, key: key.to_owned() })
}

/// Whoever comes with the same credential; of a token, whoever it is about, since it is renewed every few minutes.
fn caller(identity: &Identity, presented: &[u8]) -> Vec<u8> {
    match &identity.credential {
        Credential::Jwt { subject } => {
            let limits = format!("jwt {subject:?} {:?}", identity.collections);
            Sha256::digest(limits).to_vec()
        }
        Credential::None | Credential::Token | Credential::Key(_) | Credential::Server => {
            Sha256::digest(presented).to_vec()
        }
    }
}

/// Answers a request whose key is known, and remembers the answer of one whose key is new.
pub(super) async fn idempotent(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let value = request.headers().get(HEADER).cloned();
    let state = request.app_data::<Data<State>>().cloned();
    let (Some(value), Some(state)) = (value, state) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    if !writes(request.method()) || !is_remembered(request.path()) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let body = Hashed::of(&mut request, &state);
    let claimed = claim(&request, &state, &value).await;
    let (key, claim, claimed) = match claimed {
        Ok(claimed) => claimed,
        Err(error) => return Ok(refuse(request, error)),
    };
    let (before, done) = match claimed {
        Claimed::Held { fingerprint, done } => (fingerprint, done),
        Claimed::Running => {
            // Read to its end, so that its connection stays usable.
            let _ = body.finish().await;
            return Ok(refuse(request, running()));
        }
        Claimed::Answered(stored) => {
            let again = again(&request, &body, stored).await;
            return Ok(match again {
                Ok(response) => request.into_response(response),
                Err(error) => refuse(request, error),
            });
        }
    };
    let mut held = Held { state, key: Arc::clone(&key), claim: Arc::clone(&claim), answered: false };
    request.set_payload(body.payload());
    let holding = Rc::new(Holding { key, claim, before, done, body: body.clone() });
    request.extensions_mut().insert(Once(Some(Rc::clone(&holding))));
    let mut response = tokio::select! {
        response = next.call(request) => response?.map_into_boxed_body(),
        never = held.keep() => match never {},
    };
    let status = response.status();
    if is_kept(status)
        && let Ok(fingerprint) = body.finish().await
        && !holding.is_of_another(&fingerprint)
    {
        if holding.done.is_some() {
            mark(response.response_mut());
        }
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.map(str::to_owned);
        let bytes;
        (response, bytes) = split(response);
        if let Some(bytes) = bytes {
            let answer =
                StoredResponse { fingerprint, status: status.as_u16(), content_type, body: bytes.to_vec() };
            held.answer(answer).await;
        }
    }
    Ok(response)
}

async fn claim(
    request: &ServiceRequest,
    state: &State,
    value: &HeaderValue,
) -> Result<(Arc<IdempotencyKey>, Arc<str>, Claimed), Error> {
    let key = Arc::new(key_of(request, value)?);
    let claim: Arc<str> = uuid::Uuid::new_v4().simple().to_string().into();
    let keep = Duration::from_millis(state.rag.settings().server.idempotency_ttl_ms);
    let take = ClaimKey { key: Arc::clone(&key), claim: Arc::clone(&claim), lease: LEASE, keep };
    let claimed = state.rag.store.call(take, Deadline::within(LIMIT)).await?;
    Ok((key, claim, claimed))
}

fn refuse(request: ServiceRequest, error: Error) -> ServiceResponse<BoxBody> {
    request.error_response(ApiError(error)).map_into_boxed_body()
}

/// The stored answer, if this is the same request.
async fn again(
    request: &ServiceRequest,
    body: &Hashed,
    stored: StoredResponse,
) -> Result<HttpResponse, Error> {
    let fingerprint = body.finish().await?;
    Ticket::of(request.request()).enter()?;
    if stored.fingerprint != fingerprint {
        return Err(reused());
    }
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    if let Some(content_type) = stored.content_type {
        response.content_type(content_type);
    }
    let mut response = response.body(stored.body);
    mark(&mut response);
    Ok(response)
}

fn mark<B>(response: &mut HttpResponse<B>) {
    let name = actix_web::http::header::HeaderName::from_static(REPLAYED);
    response.headers_mut().insert(name, HeaderValue::from_static("true"));
}

fn is_kept(status: StatusCode) -> bool {
    !status.is_server_error()
        && !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// The bytes of a whole body that is small enough, beside the response that still has them.
fn split(response: ServiceResponse<BoxBody>) -> (ServiceResponse<BoxBody>, Option<Bytes>) {
    let mut bytes = None;
    let response = response.map_body(|_, body| match body.try_into_bytes() {
        Ok(whole) => {
            bytes = Some(whole.clone()).filter(|whole| whole.len() <= MAX_ANSWER);
            BoxBody::new(whole)
        }
        Err(stream) => stream,
    });
    (response, bytes)
}

/// A key while its request is under way; given back when dropped.
struct Held {
    state: Data<State>,
    key: Arc<IdempotencyKey>,
    claim: Arc<str>,
    answered: bool,
}

impl Held {
    fn settle(&self, settle: Settle) -> SettleKey {
        SettleKey { key: Arc::clone(&self.key), claim: Arc::clone(&self.claim), settle }
    }

    /// Renews the lease for as long as it is polled.
    async fn keep(&self) -> Infallible {
        loop {
            tokio::time::sleep(RENEW).await;
            let renew = self.settle(Settle::Renew(LEASE));
            // A lease that was lost is noticed by the write itself.
            let _ = self.state.rag.store.call(renew, Deadline::within(RENEW)).await;
        }
    }

    async fn answer(&mut self, answer: StoredResponse) {
        let stored =
            self.state.rag.store.call(self.settle(Settle::Answer(answer)), Deadline::within(LIMIT)).await;
        match stored {
            Ok(()) => self.answered = true,
            Err(error) => tracing::debug!(%error, "the answer of an idempotent request was not stored"),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        let (state, release) = (self.state.clone(), self.settle(Settle::Release));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = state.rag.store.call(release, Deadline::within(LIMIT)).await;
            });
        }
    }
}
