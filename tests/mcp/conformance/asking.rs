//! Tools that ask or tell the client while they run, as protocols before 2026-07-28 allow within a session.

use super::fixture::{of, text};
use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(50);

#[expect(clippy::needless_pass_by_value, reason = "of the form that `map_err` takes")]
fn failed(error: impl ToString) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

async fn log(context: &RequestContext<RoleServer>, said: &str) -> Result<(), ErrorData> {
    let message = of(json!({"level": "info", "logger": "fixture", "data": said}));
    context.peer.notify_logging_message(message).await.map_err(failed)
}

pub(super) async fn with_logging(
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    for said in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        log(context, said).await?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(text("logged"))
}

/// Since 2026-07-28 only a request that asks for it hears of it.
pub(super) async fn log_if_asked(
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    if context.meta.log_level().is_some() {
        log(context, "asked for").await?;
    }
    Ok(text("done"))
}

/// Ends the stream before the result, so that the client has to come back for it.
pub(super) async fn reconnect(context: &RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
    tokio::time::sleep(PAUSE).await;
    let _ = context;
    Ok(text("Reconnection test completed"))
}

fn defaults() -> Value {
    json!({"type": "object", "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true}}})
}

fn enums() -> Value {
    let titled = |names: [&str; 3]| {
        let one = |(at, name): (usize, &str)| json!({"const": format!("value{}", at + 1), "title": name});
        names.into_iter().enumerate().map(one).collect::<Vec<_>>()
    };
    json!({"type": "object", "properties": {
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "oneOf": titled(["First Option", "Second Option", "Third Option"])},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled(["First Choice", "Second Choice", "Third Choice"])}}}})
}

pub(super) async fn client(
    tool: &str,
    arguments: JsonObject,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let argument = |name: &str| arguments.get(name).cloned().unwrap_or_default();
    let elicit = |message: Value, schema: Value| {
        let params = json!({"mode": "form", "message": message, "requestedSchema": schema});
        ServerRequest::ElicitRequest(of(json!({"method": "elicitation/create", "params": params})))
    };
    let user = json!({"type": "object", "properties": {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"}}, "required": ["username", "email"]});
    let (request, label) = match tool {
        "test_sampling" => {
            let message = json!({"role": "user", "content": {"type": "text", "text": argument("prompt")}});
            let params = json!({"messages": [message], "maxTokens": 100});
            let request = json!({"method": "sampling/createMessage", "params": params});
            (ServerRequest::CreateMessageRequest(of(request)), "LLM response")
        }
        "test_elicitation" => (elicit(argument("message"), user), "User response"),
        "test_elicitation_sep1034_defaults" => {
            (elicit(json!("defaults"), defaults()), "Elicitation completed")
        }
        _ => (elicit(json!("enums"), enums()), "Elicitation completed"),
    };
    let answer = context.peer.send_request(request).await.map_err(failed)?;
    let answer = serde_json::to_value(answer).map_err(failed)?;
    Ok(text(match answer["content"]["text"].as_str() {
        Some(said) => format!("{label}: {said}"),
        None => format!(
            "{label}: action={}, content={}",
            answer["action"].as_str().unwrap_or_default(),
            answer["content"]
        ),
    }))
}
