//! What a search answers: the documented JSON, and how the cache keeps it.

use crate::error::{Code, Error};
use crate::flags::SWITCHED_OFF;
use crate::quotas::Spent;
use bytes::Bytes;
use mcp_rag_actors::store::Plan;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// What a search found, and how completely.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SearchResponse {
    pub results: Vec<SearchResult>,
    /// Stages that were away and what took their place; empty when all is well.
    pub degraded: Vec<Degradation>,
    /// True when it is known that no further match is missing from the `top_k`.
    pub complete: bool,
    /// True when `max_tokens` left results out.
    pub truncated: bool,
    /// What to pass as `cursor` for the results that follow; null when there are none.
    pub next_cursor: Option<String>,
    /// All queries that were searched, the first as given; absent where that is the only one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<String>,
    pub timings: Timings,
    pub cached: bool,
    /// The JSON of all this, where it was made already: what the cache keeps.
    #[serde(skip)]
    pub encoded: Option<Bytes>,
    /// When the first of its documents expires: not to be shown from the cache any more.
    #[serde(skip)]
    pub until: Option<OffsetDateTime>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SearchResult {
    pub chunk_id: String,
    pub document_id: String,
    pub external_id: String,
    pub collection: String,
    pub title: String,
    pub uri: String,
    pub text: String,
    /// Headings above the chunk, outermost first.
    pub headings: Vec<String>,
    /// Where the chunk begins in the original, if that has pages, slides or sheets.
    #[serde(default)]
    #[schema(value_type = Option<Location>)]
    pub location: Option<serde_json::Value>,
    pub score: f32,
    pub scores: Scores,
    pub span: Span,
    /// Of a collection that finds sentences and returns windows: the sentence that was found, inside `span`.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<Span>,
    pub tokens: i32,
    #[schema(value_type = Object)]
    pub attributes: serde_json::Value,
    /// With `collapse`: how many results with nearly the same text it stands for; absent when none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub duplicates: u32,
    /// With `group_by`: how many results of the same document it stands for; absent when none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub same_document: u32,
}

/// `{"page": 3}`, `{"slide": 2}` or `{"sheet": "Costs"}`.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "what the store keeps, for the OpenAPI document")]
pub(crate) struct Location {
    page: Option<u32>,
    slide: Option<u32>,
    sheet: Option<String>,
}

/// Scores per leg: cosine similarity, BM25, the reranker's own. Absent: not found by that leg.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct Scores {
    pub dense: Option<f32>,
    pub lexical: Option<f32>,
    pub rerank: Option<f32>,
}

/// Bytes of the document's parsed text (`GET …/documents/{external_id}/content`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Span {
    pub start: i32,
    pub end: i32,
}

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct Degradation {
    pub stage: String,
    pub reason: String,
    pub fallback: String,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
pub struct Timings {
    pub embed_ms: f64,
    pub search_ms: f64,
    pub total_ms: f64,
    /// How the nearest chunks were found: `exact` or `index`; null where only words were looked for.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub plan: Option<Plan>,
}

impl Degradation {
    pub(in crate::rag) fn new(stage: &str, reason: &str, fallback: &str) -> Self {
        Self { stage: stage.to_owned(), reason: reason.to_owned(), fallback: fallback.to_owned() }
    }

    /// What a caller with `degrade: forbid` gets instead.
    pub(in crate::rag) fn forbidden(&self) -> Error {
        if let Some(spent) = Spent::ALL.into_iter().find(|spent| spent.as_str() == self.reason) {
            return spent.error();
        }
        let lacks = if self.reason == SWITCHED_OFF { "switched off" } else { "unavailable" };
        let message = format!("`degrade` is `forbid` and the stage `{}` is {lacks}", self.stage);
        Error::new(Code::Degraded, message).about("degrade")
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A response as the cache keeps it.
#[derive(Deserialize)]
struct Kept {
    response: SearchResponse,
    until: Option<OffsetDateTime>,
}

/// What the cache kept, unless it may not be shown any more. What another version wrote may not be readable: a miss.
pub(super) fn decode(kept: &[u8]) -> Option<SearchResponse> {
    let Kept { response, until } = serde_json::from_slice(kept).ok()?;
    until.is_none_or(|until| OffsetDateTime::now_utc() < until).then_some(response)
}

/// Once: as the cache keeps it ([`Kept`]), and the part of that which the client gets.
pub(super) fn encode(response: &SearchResponse) -> Option<(Bytes, Bytes)> {
    /// Everything of a result but its text; more grows.
    const REST: usize = 1024;
    let room: usize = response.results.iter().map(|result| result.text.len() + REST).sum();
    let mut json = Vec::with_capacity(room + REST);
    json.extend_from_slice(b"{\"response\":");
    let begin = json.len();
    serde_json::to_writer(&mut json, response).ok()?;
    let end = json.len();
    json.extend_from_slice(b",\"until\":");
    serde_json::to_writer(&mut json, &response.until).ok()?;
    json.push(b'}');
    // Without the room to spare, which would be kept as long as the cache's entry.
    let kept = Bytes::from(json.into_boxed_slice());
    let body = kept.slice(begin..end);
    Some((kept, body))
}
