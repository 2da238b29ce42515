use super::openapi;
use super::quotas;
use crate::error::{Code, Error};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use mcp_rag_actors::resilience::random;
use serde_json::{Value, json};
use std::fmt;

/// An [`Error`] as the API shows it.
#[derive(Debug)]
pub struct ApiError(pub Error);

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub(crate) fn status(code: Code) -> StatusCode {
    match code {
        Code::InvalidRequest | Code::UnknownField => StatusCode::BAD_REQUEST,
        Code::Unauthorized | Code::InvalidToken => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::Conflict | Code::InProgress => StatusCode::CONFLICT,
        Code::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        Code::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Degraded | Code::Overloaded | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The family OpenAI's clients know.
fn family(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

/// The body of every error.
pub(crate) fn body(error: &Error) -> Value {
    json!({"error": {
        "message": error.message,
        "type": family(status(error.code)),
        "param": error.param,
        "code": error.code.as_str(),
    }})
}

/// The cause, for the log alone: told once, where an error leaves.
pub(crate) fn tell(error: &Error) {
    match (&error.cause, error.code) {
        (Some(cause), Code::Internal) => tracing::error!(%cause, "internal error"),
        (Some(cause), code) => tracing::warn!(%cause, code = code.as_str(), "request failed"),
        (None, _) => {}
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        status(self.0.code)
    }

    fn error_response(&self) -> HttpResponse {
        let error = &self.0;
        tell(error);
        let mut response = HttpResponse::build(self.status_code());
        if self.status_code() == StatusCode::SERVICE_UNAVAILABLE {
            // Who is refused together must not come back together.
            let spread = if error.code == Code::Overloaded { (random::uniform() * 3.0) as u32 } else { 0 };
            response.insert_header((RETRY_AFTER, 1 + spread));
        }
        if let Some(time) = error.retry_after {
            response.insert_header((RETRY_AFTER, quotas::seconds(time).max(1)));
        }
        if error.code == Code::InProgress {
            response.insert_header((RETRY_AFTER, 1));
        }
        if error.code == Code::RequestTimeout {
            response.force_close();
        }
        if error.code == Code::Unauthorized {
            response.insert_header(("www-authenticate", "Bearer"));
        }
        if error.code == Code::InvalidToken {
            let told = format!("Bearer error=\"invalid_token\", error_description=\"{}\"", error.message);
            response.insert_header(("www-authenticate", told));
        }
        if error.code == Code::Forbidden {
            response.insert_header(("www-authenticate", "Bearer error=\"insufficient_scope\""));
        }
        response.json(body(error))
    }
}

pub(super) async fn no_such_route() -> Result<HttpResponse, ApiError> {
    Err(ApiError(Error::new(Code::NotFound, "no such route: GET /docs lists them all")))
}

pub(crate) async fn wrong_method(request: HttpRequest) -> HttpResponse {
    let allowed = openapi::methods(request.path());
    let message = format!("{} is not possible here: {allowed} is", request.method());
    let mut response = ApiError(Error::new(Code::MethodNotAllowed, message)).error_response();
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}
