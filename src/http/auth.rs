use super::cors::check_page;
use super::{ApiError, State, access, audited};
use crate::error::Error;
use crate::identity::{Credential, Door, Gate, Identity, unauthorized};
use crate::rag::Caller;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest, ResponseError};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::TenantId;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long the client itself is willing to wait.
pub(super) const TIMEOUT: &str = "x-request-timeout-ms";

/// Who a request's credential says it is.
#[derive(Debug, Clone)]
pub struct Principal {
    pub tenant: TenantId,
    pub identity: Arc<Identity>,
    /// The client's own deadline.
    deadline: Option<Deadline>,
    pub request_id: HeaderValue,
    pub peer: Option<IpAddr>,
}

impl Principal {
    /// The caller of a route that may take so long; the client may want it sooner, never later.
    pub fn caller(&self, within: Duration) -> Caller {
        let limit = Deadline::within(within);
        let deadline = self.deadline.map_or(limit, |own| own.min(limit));
        Caller { tenant: self.tenant, deadline, identity: Arc::clone(&self.identity) }
    }
}

impl FromRequest for Principal {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let principal = request.extensions().get::<Self>().cloned();
        // A route outside the authenticated scope must not act for anyone.
        ready(principal.ok_or_else(|| unauthorized().into()))
    }
}

/// Lets a request through as whoever its credential belongs to, if that one may do what it is about.
pub(super) async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(state) = request.app_data::<Data<State>>().cloned() else {
        return Ok(request.into_response(ApiError(unauthorized()).error_response()));
    };
    let audit = &state.rag.audit;
    let mut known = None;
    let principal = match principal(&state, request.request(), &mut known).await {
        Ok(principal) => principal,
        Err(error) => {
            let refused = ApiError(error).error_response();
            if matches!(refused.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                audited::denied(audit, known.as_deref(), request.request(), refused.status());
            }
            return Ok(request.into_response(refused));
        }
    };
    let (identity, method) = (Arc::clone(&principal.identity), request.method().clone());
    request.extensions_mut().insert(principal);
    let response = next.call(request).await?.map_into_boxed_body();
    audited::answered(audit, &identity, &method, &response).await;
    Ok(response)
}

/// `known` is whose the credential is, also where it is not good enough.
async fn principal(
    state: &State,
    request: &HttpRequest,
    known: &mut Option<Arc<Identity>>,
) -> Result<Principal, Error> {
    let door = if request.path() == "/mcp" { Door::Mcp } else { Door::Api };
    let identity = Gate::identify(&state.gate, presented(request), door).await?;
    *known = Some(Arc::clone(&identity));
    if identity.credential == Credential::None {
        check_page(request, &state.rag.settings())?;
    }
    access::check(request.method(), request.path(), &identity)?;
    let deadline = own_deadline(request)?;
    let (request_id, peer) = (super::envelope::id_of(request), request.peer_addr().map(|peer| peer.ip()));
    Ok(Principal { tenant: identity.tenant, identity, deadline, request_id, peer })
}

/// What `x-request-timeout-ms` asks for, counted from now, when the request's head has arrived.
fn own_deadline(request: &HttpRequest) -> Result<Option<Deadline>, Error> {
    let Some(value) = request.headers().get(TIMEOUT) else { return Ok(None) };
    let millis = value.to_str().ok().and_then(|text| text.trim().parse::<u32>().ok()).filter(|ms| *ms > 0);
    let millis = millis.ok_or_else(|| {
        Error::invalid(TIMEOUT, format!("`{TIMEOUT}` is a whole number of milliseconds, at least 1"))
    })?;
    Ok(Some(Deadline::within(Duration::from_millis(millis.into()))))
}

pub(super) fn presented(request: &HttpRequest) -> Option<&[u8]> {
    let bearer = request.headers().get(AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
    });
    bearer.or_else(|| request.headers().get("x-api-key").map(HeaderValue::as_bytes))
}
