//! Where a client gets an access token for this server: RFC 9728, in force where authorization servers are configured.
//! Tokens themselves are verified where every credential is, in `src/http/auth.rs`.

use super::access::{SCOPES, Scope};
use crate::error::Error;
use crate::http::{ApiError, State, resource};
use actix_web::HttpResponse;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};
use actix_web::middleware::Next;
use actix_web::web::{self, Data, ServiceConfig};
use serde_json::json;

const PATH: &str = "/.well-known/oauth-protected-resource";

pub(crate) fn routes(config: &mut ServiceConfig) {
    // Clients look below the well-known path for the resource's own, then at its root.
    for path in [PATH.to_owned(), format!("{PATH}/mcp")] {
        config.service(resource(&path).route(web::get().to(metadata)));
    }
}

/// For everyone: it is what somebody without a credential needs.
async fn metadata(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let settings = state.rag.settings();
    let Some(own) = settings.mcp.resource() else {
        return Err(Error::not_found("OAuth metadata (mcp.authorization_servers is empty)").into());
    };
    Ok(HttpResponse::Ok().insert_header(("cache-control", "max-age=3600")).json(json!({
        "resource": own,
        "resource_name": "mcp-rag",
        "authorization_servers": settings.mcp.authorization_servers,
        "scopes_supported": SCOPES.map(Scope::as_str),
        "bearer_methods_supported": ["header"],
    })))
}

/// Tells who is refused where the metadata is.
pub(crate) async fn challenge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let settings = request.app_data::<Data<State>>().map(|state| state.rag.settings());
    let mut response = next.call(request).await?.map_into_boxed_body();
    let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&response.status());
    let mcp = settings.as_ref().map(|settings| &settings.mcp).filter(|mcp| mcp.resource().is_some());
    if let (true, Some(url)) = (refused, mcp.and_then(|mcp| mcp.public_url.as_deref()))
        && let Some(asked) = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok())
    {
        let comma = if asked.contains(' ') { "," } else { "" };
        let told = format!("{asked}{comma} resource_metadata=\"{url}{PATH}/mcp\"");
        if let Ok(told) = HeaderValue::from_str(&told) {
            response.headers_mut().insert(WWW_AUTHENTICATE, told);
        }
    }
    Ok(response)
}
