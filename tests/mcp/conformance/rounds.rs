//! Tools that need something of the client and say so in their result, as 2026-07-28 has it: the client asks again,
//! with the answers and whatever state it was given.

use super::fixture::{of, text};
use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};

/// What is known to be ours. A real one would be signed; here its form is enough.
const STATES: [&str; 2] = ["state-one", "state-two"];

fn elicit(message: &str, field: &str, kind: &str) -> Value {
    json!({"method": "elicitation/create", "params": {"mode": "form", "message": message, "requestedSchema": {
        "type": "object", "properties": {field: {"type": kind}}, "required": [field]}}})
}

fn sample(prompt: &str, most: u32) -> Value {
    let message = json!({"role": "user", "content": {"type": "text", "text": prompt}});
    json!({"method": "sampling/createMessage", "params": {"messages": [message], "maxTokens": most}})
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn needs(requests: Value, state: Option<&str>) -> InputRequiredResult {
    let mut wire = json!({"resultType": "input_required", "inputRequests": requests});
    if let Some(state) = state {
        wire["requestState"] = json!(state);
    }
    of(wire)
}

fn required(requests: Value, state: Option<&str>) -> CallToolResponse {
    CallToolResponse::InputRequired(needs(requests, state))
}

pub(super) fn call(
    name: &str,
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let state = request.request_state.as_deref();
    if state.is_some_and(|state| !STATES.contains(&state)) {
        return Err(ErrorData::invalid_params("requestState is not one that this server gave", None));
    }
    let answers = request.input_responses.clone().unwrap_or_default();
    let answer = |key: &str| answers.get(key).filter(|answer| answer.is_object());
    let content =
        |key: &str, field: &str| answer(key).and_then(|answer| answer["content"].get(field)).cloned();
    let roots = || json!({"method": "roots/list", "params": {}});
    Ok(match name {
        "test_input_required_result_elicitation" => match content("user_name", "name").and_then(string) {
            Some(name) => text(format!("Hello, {name}!")),
            None => required(json!({"user_name": elicit("What is your name?", "name", "string")}), None),
        },
        "test_input_required_result_sampling" => match answer("capital_question") {
            Some(answer) => text(answer["content"]["text"].as_str().unwrap_or_default()),
            None => {
                required(json!({"capital_question": sample("What is the capital of France?", 100)}), None)
            }
        },
        "test_input_required_result_list_roots" => match answer("client_roots") {
            Some(answer) => text(format!("roots: {}", answer["roots"])),
            None => required(json!({"client_roots": roots()}), None),
        },
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            match (content("confirm", "ok"), state) {
                (Some(_), Some(_)) => text("state-ok"),
                _ => required(json!({"confirm": elicit("Please confirm", "ok", "boolean")}), Some(STATES[0])),
            }
        }
        "test_input_required_result_multiple_inputs" => {
            if ["user_name", "greeting", "client_roots"].iter().all(|key| answer(key).is_some())
                && state.is_some()
            {
                text("all there")
            } else {
                let all = json!({"user_name": elicit("What is your name?", "name", "string"),
                    "greeting": sample("Generate a greeting", 50), "client_roots": roots()});
                required(all, Some(STATES[0]))
            }
        }
        "test_input_required_result_multi_round" => {
            match (content("step1", "name"), content("step2", "color"), state) {
                (_, Some(color), Some("state-two")) => text(format!("done: {color}")),
                (Some(_), _, Some("state-one")) => {
                    let next = elicit("Step 2: What is your favorite color?", "color", "string");
                    required(json!({ "step2": next }), Some(STATES[1]))
                }
                _ => required(
                    json!({"step1": elicit("Step 1: What is your name?", "name", "string")}),
                    Some(STATES[0]),
                ),
            }
        }
        _ => {
            let own = context.client_capabilities().unwrap_or_default();
            let mut asks = json!({});
            if own.sampling.is_some() {
                asks["question"] = sample("What is the capital of France?", 100);
            }
            if own.elicitation.is_some() {
                asks["user_name"] = elicit("What is your name?", "name", "string");
            }
            required(asks, None)
        }
    })
}

fn string(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

pub(super) fn prompt(request: &GetPromptRequestParams) -> GetPromptResponse {
    let answers = request.input_responses.clone().unwrap_or_default();
    match answers.get("user_context").map(|answer| answer["content"]["context"].clone()) {
        Some(context) => {
            let message = PromptMessage::new_text(Role::User, format!("Use this context: {context}"));
            GetPromptResult::new(vec![message]).into()
        }
        None => {
            let ask = elicit("What context should the prompt use?", "context", "string");
            GetPromptResponse::InputRequired(needs(json!({ "user_context": ask }), None))
        }
    }
}
