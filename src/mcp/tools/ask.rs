use super::search::{title, url};
use super::{MAX_TOKENS, UNTRUSTED, arguments, json};
use crate::error::Error;
use crate::http::answers::AnswerRequest;
use crate::mcp::address::Address;
use crate::mcp::call::Call;
use crate::mcp::signals::{Signal, signals};
use crate::rag::answer::Citation;
use crate::rag::search::Degradation;
use rmcp::model::JsonObject;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

#[derive(Serialize)]
struct Answered {
    answer: String,
    citations: Vec<Cited>,
    abstained: bool,
    degraded: Vec<Degradation>,
    model: String,
    notice: &'static str,
}

/// A verified citation: the quote is the document's own bytes.
#[derive(Serialize)]
struct Cited {
    /// The number in the answer's `[n]`.
    index: usize,
    id: String,
    title: String,
    url: String,
    quote: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signals: Vec<Signal>,
}

pub(super) async fn run(given: JsonObject, call: &Call) -> Result<Value, Error> {
    let mut request: AnswerRequest = arguments(given)?;
    request.max_tokens.get_or_insert(MAX_TOKENS);
    let query = request.into_query()?;
    let caller = call.caller(Duration::from_millis(call.rag.settings().server.request_timeout_ms));
    // Without events: an answer whose chat model fails half-way is then written anew, not broken off.
    let answer =
        call.telling("looking for an answer", Box::pin(call.rag.answer(query, &caller, None))).await?;
    json(&Answered {
        answer: answer.answer,
        citations: answer.citations.into_iter().map(Cited::from).collect(),
        abstained: answer.abstained,
        degraded: answer.degraded,
        model: answer.model,
        notice: UNTRUSTED,
    })
}

impl From<Citation> for Cited {
    fn from(citation: Citation) -> Self {
        let mut address = Address::of(&citation.collection, &citation.external_id);
        let url = url(&citation.uri, &address);
        let at = |offset: i32| usize::try_from(offset).unwrap_or_default();
        address.span = Some(at(citation.span.start)..at(citation.span.end));
        Self {
            index: citation.index,
            id: address.id(),
            title: title(citation.title, &citation.external_id),
            url,
            signals: signals(&citation.quote),
            quote: citation.quote,
        }
    }
}
