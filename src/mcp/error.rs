//! Our errors as MCP has them. What goes wrong inside a tool is a result that the model reads and can act upon; what
//! goes wrong elsewhere is a JSON-RPC error.

use crate::error::{Code, Error};
use crate::http::error::{body, tell};
use rmcp::ErrorData;
use rmcp::model::{CallToolResult, ContentBlock, ErrorCode};
use serde_json::json;

/// Of ours, outside of what the specification keeps for itself: nothing was done, and the same again may succeed.
const UNAVAILABLE: ErrorCode = ErrorCode(-32010);

/// The one mapping of our codes.
fn code(code: Code) -> ErrorCode {
    match code {
        Code::InvalidRequest | Code::UnknownField | Code::PayloadTooLarge | Code::UnsupportedMediaType => {
            ErrorCode::INVALID_PARAMS
        }
        Code::Unauthorized
        | Code::InvalidToken
        | Code::Forbidden
        | Code::Conflict
        | Code::KeyReused
        | Code::InProgress => ErrorCode::INVALID_REQUEST,
        // The SDK turns it into -32602 for clients of 2026-07-28.
        Code::NotFound => ErrorCode::RESOURCE_NOT_FOUND,
        Code::MethodNotAllowed => ErrorCode::METHOD_NOT_FOUND,
        Code::RequestTimeout
        | Code::Degraded
        | Code::RateLimited
        | Code::Overloaded
        | Code::Unavailable
        | Code::DeadlineExceeded => UNAVAILABLE,
        Code::Internal => ErrorCode::INTERNAL_ERROR,
    }
}

/// For everything but tools.
pub(super) fn protocol(error: Error) -> ErrorData {
    tell(&error);
    let data = json!({"code": error.code.as_str(), "param": error.param, "retryable": error.is_temporary()});
    ErrorData::new(code(error.code), error.message, Some(data))
}

/// For tools: the body that REST answers with, as text.
pub(super) fn of_tool(error: &Error) -> CallToolResult {
    tell(error);
    CallToolResult::error(vec![ContentBlock::text(body(error).to_string())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_our_code_and_says_whether_to_try_again() {
        let error = protocol(Error::new(Code::Overloaded, "busy"));
        assert_eq!(error.code, UNAVAILABLE);
        assert_eq!(error.data, Some(json!({"code": "overloaded", "param": null, "retryable": true})));
        let error = protocol(Error::invalid("cursor", "wrong"));
        assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
        assert_eq!(
            error.data,
            Some(json!({"code": "invalid_request", "param": "cursor", "retryable": false}))
        );
        let result = of_tool(&Error::not_found("collection"));
        assert_eq!((result.is_error, result.structured_content), (Some(true), None));
    }
}
