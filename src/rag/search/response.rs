//! What a search answers: the documented JSON, and how the cache keeps it.

use crate::error::{Code, Error};
use crate::flags::SWITCHED_OFF;
use crate::quotas::Spent;
use bytes::Bytes;
use mcp_rag_actors::store::Plan;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize};
use std::time::Duration;
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
    /// The JSON of `results` where it was made already. What comes from the cache has this alone ([`Self::read`]).
    #[serde(skip)]
    pub kept: Option<Bytes>,
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
    /// How old what was found may be, where that is known; else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
pub struct Timings {
    pub embed_ms: f64,
    pub search_ms: f64,
    pub total_ms: f64,
    /// How the chunks were found: `hot` in memory; in PostgreSQL the nearest by `exact` or `index`, null where only words
    /// were looked for.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub plan: Option<Plan>,
}

impl Degradation {
    pub(in crate::rag) fn new(stage: &str, reason: &str, fallback: &str) -> Self {
        Self {
            stage: stage.to_owned(),
            reason: reason.to_owned(),
            fallback: fallback.to_owned(),
            age_ms: None,
        }
    }

    /// PostgreSQL is away, and a copy in memory answered.
    pub(in crate::rag) fn hot(reason: &str, age: Duration) -> Self {
        let age_ms = u64::try_from(age.as_millis()).ok();
        Self { age_ms, ..Self::new("database", reason, "hot_index") }
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

/// How the JSON of a response without results begins.
const EMPTY: &[u8] = b"{\"results\":[]";
const BEGIN: &[u8] = b"{\"results\":";
/// What the JSON of a result usually has beside its text, in bytes.
const BESIDE_TEXT: usize = 700;

impl SearchResponse {
    /// The documented JSON. Results that were kept are copied, not read and written again: they are nearly all of it.
    ///
    /// # Errors
    /// Never in practice: all of it can be JSON.
    pub fn json(mut self) -> sonic_rs::Result<Vec<u8>> {
        let Some(kept) = self.kept.take() else {
            let mut json = Vec::with_capacity(room(&self.results));
            sonic_rs::to_writer(&mut json, &self)?;
            return Ok(json);
        };
        self.results.clear();
        let rest = sonic_rs::to_vec(&self)?;
        let rest = rest.strip_prefix(EMPTY).unwrap_or_default();
        Ok([BEGIN, &kept, rest].concat())
    }

    /// With the results as values, for whoever shows them in another form.
    ///
    /// # Errors
    /// [`Code::Internal`]: what was kept is none of ours.
    pub(super) fn read(mut self) -> Result<Self, Error> {
        if let Some(kept) = self.kept.take()
            && self.results.is_empty()
        {
            self.results = serde_json::from_slice(&kept).map_err(|error| Error::internal(&error))?;
        }
        Ok(self)
    }
}

/// What the cache keeps: the length of the head, the head, the JSON of the results.
#[derive(Serialize)]
struct HeadRef<'a> {
    /// Without its results.
    response: &'a SearchResponse,
    until: Option<OffsetDateTime>,
}

#[derive(Deserialize)]
struct Head {
    response: SearchResponse,
    until: Option<OffsetDateTime>,
}

/// What the cache kept, unless it may not be shown any more. What another version wrote may not be readable: a miss.
pub(super) fn decode(entry: &Bytes) -> Option<SearchResponse> {
    let (length, rest) = entry.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let Head { response, until } = serde_json::from_slice(rest.get(..length)?).ok()?;
    let kept = entry.slice(size_of::<u32>() + length..);
    // It is sent as it is: a part of it would be no JSON.
    if !(kept.starts_with(b"[") && kept.ends_with(b"]")) {
        return None;
    }
    let fresh = until.is_none_or(|until| OffsetDateTime::now_utc() < until);
    fresh.then_some(SearchResponse { kept: Some(kept), until, ..response })
}

/// Writes the results' JSON, once: for the cache's entry, which this gives, and for the client.
pub(super) fn encode(response: &mut SearchResponse) -> Option<Bytes> {
    let results = std::mem::take(&mut response.results);
    let mut entry = Vec::with_capacity(room(&results));
    let written = write(response, &results, &mut entry);
    response.results = results;
    let kept = written.ok()?;
    // The cache counts what is written, not what there was room for.
    let entry = Bytes::from(entry.into_boxed_slice());
    response.kept = Some(entry.slice(kept..));
    Some(entry)
}

/// What the JSON of a response with these usually needs, in bytes, so that it does not grow while it is written: the
/// writer wants room for each text as if all of it were escaped.
fn room(results: &[SearchResult]) -> usize {
    const ESCAPED: usize = 6;
    let texts = results.iter().map(|result| result.text.len());
    let longest = texts.clone().max().unwrap_or_default();
    texts.map(|text| text + BESIDE_TEXT).sum::<usize>() + longest * ESCAPED + BESIDE_TEXT
}

/// Where in the entry the results begin.
fn write(
    response: &SearchResponse,
    results: &[SearchResult],
    entry: &mut Vec<u8>,
) -> sonic_rs::Result<usize> {
    const LENGTH: usize = size_of::<u32>();
    entry.extend([0; LENGTH]);
    sonic_rs::to_writer(&mut *entry, &HeadRef { response, until: response.until })?;
    let kept = entry.len();
    let length = u32::try_from(kept - LENGTH).map_err(sonic_rs::Error::custom)?;
    entry[..LENGTH].copy_from_slice(&length.to_le_bytes());
    sonic_rs::to_writer(entry, results)?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn result(id: &str, text: &str) -> SearchResult {
        SearchResult {
            chunk_id: id.to_owned(),
            document_id: "1".to_owned(),
            external_id: "one".to_owned(),
            collection: "notes".to_owned(),
            title: String::new(),
            uri: String::new(),
            text: text.to_owned(),
            headings: vec!["A".to_owned()],
            location: None,
            score: 0.25,
            scores: Scores { dense: Some(0.5), lexical: None, rerank: None },
            span: Span { start: 0, end: 9 },
            matched: None,
            tokens: 4,
            attributes: serde_json::json!({"lang": "en"}),
            duplicates: 0,
            same_document: 0,
        }
    }

    fn response() -> SearchResponse {
        SearchResponse {
            results: vec![result("a", "The \"fox\" \u{1f98a} jumps.\n"), result("b", "")],
            degraded: vec![Degradation::new("embedder", "timeout", "lexical")],
            complete: true,
            truncated: false,
            next_cursor: Some("AA".to_owned()),
            queries: vec!["one".to_owned(), "two".to_owned()],
            timings: Timings { total_ms: 1.5, plan: Some(Plan::Index), ..Timings::default() },
            cached: false,
            kept: None,
            until: None,
        }
    }

    #[test]
    fn a_kept_response_is_the_same_json_and_the_same_values() {
        let plain = serde_json::to_string(&response()).expect("JSON");
        let mut fresh = response();
        let entry = encode(&mut fresh).expect("an entry");
        let kept = decode(&entry).expect("a response");
        assert!(kept.results.is_empty(), "not read until somebody wants to");
        let read = kept.clone().read().expect("results");
        for one in [fresh, kept, read] {
            assert_eq!(String::from_utf8(one.json().expect("JSON")).expect("text"), plain);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_serde_json_writes(
            text in prop_oneof!["\\PC{0,80}", prop::collection::vec(any::<char>(), 0..80).prop_map(String::from_iter)],
            score in prop::num::f32::NORMAL | prop::num::f32::ZERO | prop::num::f32::SUBNORMAL,
            ms in prop::num::f64::NORMAL,
        ) {
            let mut one = result("a", &text);
            (one.title, one.score) = (text.clone(), score);
            one.attributes = serde_json::json!({text: [score, ms, null, true, i64::MIN]});
            let timings = Timings { total_ms: ms, ..Timings::default() };
            let response = SearchResponse { results: vec![one], timings, ..response() };
            let json = response.clone().json().expect("JSON");
            prop_assert_eq!(json, serde_json::to_vec(&response).expect("JSON"));
        }
    }

    #[test]
    fn an_entry_takes_no_more_room_than_it_has_bytes() {
        let mut response =
            SearchResponse { results: vec![result("a", &"long ".repeat(9_000))], ..response() };
        let entry = encode(&mut response).expect("an entry");
        drop(response);
        let length = entry.len();
        assert_eq!(entry.try_into_mut().expect("nobody else has it").capacity(), length);
    }

    #[test]
    fn what_has_expired_or_is_damaged_is_a_miss() {
        let mut response = response();
        let entry = encode(&mut response).expect("an entry");
        for damaged in [
            entry.slice(..3),
            entry.slice(..40),
            entry.slice(..entry.len() - 9),
            Bytes::from_static(b"{\"response\":{}}"),
        ] {
            assert!(decode(&damaged).is_none());
        }
        response.until = Some(OffsetDateTime::now_utc() - std::time::Duration::from_secs(1));
        assert!(decode(&encode(&mut response).expect("an entry")).is_none());
    }
}
