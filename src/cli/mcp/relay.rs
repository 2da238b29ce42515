//! Messages of a host to a server over HTTP, and what comes back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use futures_util::future::{AbortHandle, Abortable};
use reqwest::{RequestBuilder, Response};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Requests under way.
pub(super) const AT_ONCE: usize = 64;
/// One event of a stream.
const MAX_EVENT: usize = 64 << 20;
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
/// As the server says it: nothing was done, and the same again may succeed.
const UNAVAILABLE: i32 = -32010;
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

pub(super) struct Relay {
    /// A request to the server's `/mcp`, as yet without a message.
    request: RequestBuilder,
    out: mpsc::Sender<String>,
    /// What a client of the older protocols agreed upon with the server.
    agreed: Rc<RefCell<Option<String>>>,
    under_way: Rc<RefCell<HashMap<String, AbortHandle>>>,
    tasks: JoinSet<()>,
}

impl Relay {
    pub(super) fn new(request: RequestBuilder, out: mpsc::Sender<String>) -> Self {
        Self { request, out, agreed: Rc::default(), under_way: Rc::default(), tasks: JoinSet::new() }
    }

    /// One line. Returns as soon as it is on its way.
    pub(super) async fn take(&mut self, line: &[u8]) {
        while self.tasks.try_join_next().is_some() {}
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        let Ok(message) = serde_json::from_slice::<Value>(line) else {
            return self.say(error(&Value::Null, PARSE_ERROR, "this line is not JSON")).await;
        };
        let (id, method) = (message["id"].clone(), message["method"].as_str().map(str::to_owned));
        match (method, id) {
            (Some(method), Value::Null) => {
                // A server without sessions has no use for any other.
                if method == "notifications/cancelled" {
                    self.cancel(&message["params"]["requestId"]);
                }
            }
            (Some(method), id) => self.ask(&method, id, &message, line).await,
            // An answer: no request of the server's was passed on.
            (None, id) if message.get("result").or(message.get("error")).is_some() && !id.is_null() => {}
            (None, id) => self.say(error(&id, INVALID_REQUEST, "a message has a `method`")).await,
        }
    }

    pub(super) async fn refuse_line(&self, most: usize) {
        let text = format!("a message holds at most {most} bytes (mcp.max_request_bytes)");
        self.say(error(&Value::Null, INVALID_REQUEST, &text)).await;
    }

    /// Waits for what is under way.
    pub(super) async fn finish(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    async fn say(&self, message: String) {
        let _ = self.out.send(message).await;
    }

    fn cancel(&self, id: &Value) {
        if let Some(request) = self.under_way.borrow_mut().remove(&id.to_string()) {
            request.abort();
        }
    }

    async fn ask(&mut self, method: &str, id: Value, message: &Value, line: &[u8]) {
        if self.under_way.borrow().len() == AT_ONCE {
            return self.say(error(&id, UNAVAILABLE, "too much is under way: try again shortly")).await;
        }
        let Some(request) = self.request.try_clone() else { return };
        // As it came: numbers that were read and written again are not always the same.
        let request = self.headed(request, method, message).header("content-type", "application/json");
        let request = request.body(line.to_vec());
        let (abort, aborted) = AbortHandle::new_pair();
        let key = id.to_string();
        self.under_way.borrow_mut().insert(key.clone(), abort);
        let (out, agreed, under_way) =
            (self.out.clone(), Rc::clone(&self.agreed), Rc::clone(&self.under_way));
        let initializes = method == "initialize";
        let exchange = async move {
            if let Err(message) = pass_on(request, &out, initializes.then_some(&agreed), &id).await {
                let _ = out.send(error(&id, UNAVAILABLE, &message)).await;
            }
        };
        self.tasks.spawn_local(async move {
            // One that was cancelled is not answered.
            let _ = Abortable::new(exchange, aborted).await;
            under_way.borrow_mut().remove(&key);
        });
    }

    /// What the transport repeats of a message in its head.
    fn headed(&self, request: RequestBuilder, method: &str, message: &Value) -> RequestBuilder {
        let request = request.header("accept", "application/json, text/event-stream");
        let params = &message["params"];
        let Some(version) = params["_meta"][VERSION].as_str() else {
            return match &*self.agreed.borrow() {
                Some(version) if method != "initialize" => request.header("mcp-protocol-version", version),
                _ => request,
            };
        };
        let request = request.header("mcp-protocol-version", version).header("mcp-method", encoded(method));
        let name = match method {
            "tools/call" | "prompts/get" => params["name"].as_str(),
            "resources/read" => params["uri"].as_str(),
            _ => None,
        };
        match name {
            Some(name) => request.header("mcp-name", encoded(name)),
            None => request,
        }
    }
}

/// A value that a header may hold.
fn encoded(text: &str) -> String {
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && text.trim() == text;
    if plain && !text.starts_with("=?base64?") {
        text.to_owned()
    } else {
        format!("=?base64?{}?=", STANDARD.encode(text))
    }
}

fn error(id: &Value, code: i32, message: &str) -> String {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}).to_string()
}

/// Passes on every message of an answer; the error is for the host to read.
async fn pass_on(
    request: RequestBuilder,
    out: &mpsc::Sender<String>,
    agreed: Option<&Rc<RefCell<Option<String>>>>,
    id: &Value,
) -> Result<(), String> {
    let response = request.send().await.map_err(|_| "the server does not answer".to_owned())?;
    let status = response.status();
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/event-stream") {
        return events(response, out).await;
    }
    let body = response.text().await.map_err(|_| "the server's answer broke off".to_owned())?;
    let message: Value = serde_json::from_str(&body).unwrap_or_default();
    if message.get("jsonrpc").is_none() {
        let said = message["error"]["message"].as_str().unwrap_or(body.trim());
        return Err(format!("{said} ({})", status.as_u16()));
    }
    if let Some(agreed) = agreed
        && let Some(version) = message["result"]["protocolVersion"].as_str()
    {
        *agreed.borrow_mut() = Some(version.to_owned());
    }
    debug_assert!(message["id"] == *id || message["id"].is_null(), "an answer to what was asked");
    let _ = out.send(on_one_line(body)).await;
    Ok(())
}

/// A message as it is, but on one line: breaks are space between what JSON consists of, never part of it.
fn on_one_line(message: String) -> String {
    if message.contains(['\n', '\r']) { message.replace(['\n', '\r'], " ") } else { message }
}

/// The data of each event is a message.
async fn events(response: Response, out: &mpsc::Sender<String>) -> Result<(), String> {
    let mut stream = response.bytes_stream();
    let (mut pending, mut data) = (Vec::new(), Vec::new());
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| "the server's answer broke off".to_owned())?;
        for byte in piece {
            if byte != b'\n' {
                pending.push(byte);
                continue;
            }
            let line = pending.trim_ascii_end();
            if let Some(text) = line.strip_prefix(b"data:") {
                data.extend_from_slice(text.trim_ascii_start());
            } else if line.is_empty() && !data.is_empty() {
                let message = String::from_utf8(std::mem::take(&mut data)).unwrap_or_default();
                if serde_json::from_str::<IgnoredAny>(&message).is_ok() {
                    let _ = out.send(on_one_line(message)).await;
                }
            }
            pending.clear();
        }
        if pending.len() + data.len() > MAX_EVENT {
            return Err("the server's answer is too large".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_on_several_lines_is_passed_on_as_it_is_on_one() {
        let message = "{\n  \"score\": 0.18883265554904938,\r\n  \"text\": \"a\\nb\"\n}";
        let passed = on_one_line(message.to_owned());
        assert!(!passed.contains(['\n', '\r']) && passed.contains("0.18883265554904938"), "{passed}");
        let [before, after] =
            [message, &passed].map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
        assert_eq!(before, after);
        assert_eq!(on_one_line(r#"{"id":1}"#.to_owned()), r#"{"id":1}"#);
    }

    #[test]
    fn names_travel_in_headers_whatever_they_hold() {
        assert_eq!(encoded("search"), "search");
        assert_eq!(encoded("a b"), "a b");
        for text in [" a", "ü", "a\r\nx: y", "=?base64?x?="] {
            let encoded = encoded(text);
            let inner =
                encoded.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")).expect("wrapped");
            assert_eq!(STANDARD.decode(inner).expect("base64"), text.as_bytes());
        }
    }
}
