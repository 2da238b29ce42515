use super::{MAX_TOKENS, UNTRUSTED, arguments, json};
use crate::error::Error;
use crate::http::search::SearchRequest;
use crate::mcp::address::Address;
use crate::mcp::call::Call;
use crate::mcp::signals::{Signal, signals};
use crate::rag::search::{Degradation, SearchResult, Span};
use rmcp::model::JsonObject;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

const TOP_K: u16 = 10;

#[derive(Serialize)]
struct Found {
    results: Vec<Passage>,
    truncated: bool,
    cursor: Option<String>,
    degraded: Vec<Degradation>,
    notice: &'static str,
}

/// `id`, `title` and `url` are what hosts look for; the rest spares them a `fetch`.
#[derive(Serialize)]
struct Passage {
    id: String,
    title: String,
    url: String,
    text: String,
    score: f32,
    source: Source,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signals: Vec<Signal>,
}

/// Where a text comes from.
#[derive(Serialize)]
struct Source {
    collection: String,
    external_id: String,
    chunk_id: String,
    /// Bytes of the document's parsed text.
    span: Span,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Value>,
}

pub(super) async fn run(given: JsonObject, call: &Call) -> Result<Value, Error> {
    let mut request: SearchRequest = arguments(given)?;
    request.max_tokens.get_or_insert(MAX_TOKENS);
    let query = request.into_query("query", TOP_K)?;
    let caller = call.caller(Duration::from_millis(call.rag.settings().search.deadline_ms));
    let found = call.rag.search(query, &caller).await?;
    json(&Found {
        results: found.results.into_iter().map(Passage::from).collect(),
        truncated: found.truncated,
        cursor: found.next_cursor,
        degraded: found.degraded,
        notice: UNTRUSTED,
    })
}

impl From<SearchResult> for Passage {
    fn from(result: SearchResult) -> Self {
        let mut address = Address::of(&result.collection, &result.external_id);
        let url = url(&result.uri, &address);
        let at = |offset: i32| usize::try_from(offset).unwrap_or_default();
        address.span = Some(at(result.span.start)..at(result.span.end));
        Self {
            id: address.id(),
            title: title(result.title, &result.external_id),
            url,
            signals: signals(&result.text),
            text: result.text,
            score: result.score,
            source: Source {
                collection: result.collection,
                external_id: result.external_id,
                chunk_id: result.chunk_id,
                span: result.span,
                headings: result.headings,
                location: result.location,
            },
        }
    }
}

/// Hosts cite nothing that has no URL.
pub(in crate::mcp) fn url(uri: &str, address: &Address) -> String {
    if uri.trim().is_empty() { Address { span: None, ..address.clone() }.uri() } else { uri.to_owned() }
}

pub(in crate::mcp) fn title(title: String, external_id: &str) -> String {
    if title.trim().is_empty() { external_id.to_owned() } else { title }
}
