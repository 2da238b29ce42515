//! Which requests the audit log is told of: those that change something, give much away, or are refused.

use super::access;
use crate::audit::{Audit, Event};
use crate::identity::{Identity, Scope};
use actix_web::HttpRequest;
use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode};

/// What a request made, where its path does not say so.
pub(crate) struct Made(pub(crate) String);

/// Tells the log of a request that was answered.
pub(super) async fn answered<B>(
    audit: &Audit,
    identity: &Identity,
    method: &Method,
    response: &ServiceResponse<B>,
) {
    let request = response.request();
    let refused = response.status() == StatusCode::FORBIDDEN;
    let action = action(request, method);
    if refused {
        audit.note(Some(identity), event(request, action, response.status(), None));
    } else if is_told(method, request.path()) {
        let made = response.response().extensions().get::<Made>().map(|made| made.0.clone());
        audit.record(identity, event(request, action, response.status(), made)).await;
    }
}

/// Tells the log of a request that was not let in; without its tenant where nobody knows whose it is.
pub(super) fn denied(audit: &Audit, identity: Option<&Identity>, request: &HttpRequest, status: StatusCode) {
    audit.note(identity, event(request, action(request, request.method()), status, None));
}

fn event(request: &HttpRequest, action: String, status: StatusCode, made: Option<String>) -> Event {
    Event {
        action,
        target: made.unwrap_or_else(|| request.path().to_owned()),
        status: status.as_u16(),
        request_id: super::envelope::id_of(request).to_str().unwrap_or_default().to_owned(),
        peer: request.peer_addr().map(|peer| peer.ip().to_string()).unwrap_or_default(),
    }
}

fn action(request: &HttpRequest, method: &Method) -> String {
    let route = request.match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    format!("{method} {route}")
}

/// Searches and reads are not; what is done over MCP is told by its tools.
fn is_told(method: &Method, path: &str) -> bool {
    if path == "/mcp" {
        return false;
    }
    if path.ends_with("/export") {
        return true;
    }
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    !reads && !access::needs(method, path).contains(&Scope::Search)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_exports_are_told_and_searches_are_not() {
        assert!(is_told(&Method::PUT, "/v1/collections/a/documents/b"));
        assert!(is_told(&Method::DELETE, "/v1/keys/key_1"));
        assert!(is_told(&Method::GET, "/v1/collections/a/export"));
        for (method, path) in [
            (Method::POST, "/v1/search"),
            (Method::POST, "/v1/answers"),
            (Method::POST, "/v1/chat/completions"),
            (Method::GET, "/v1/collections/a/documents"),
            (Method::POST, "/v1/embeddings"),
        ] {
            assert!(!is_told(&method, path), "{method} {path}");
        }
    }
}
