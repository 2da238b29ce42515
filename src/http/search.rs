pub(crate) mod options;

use super::admission::Ticket;
use super::body::{self, Json};
use super::shapes::{CollectionNames, Filter};
use super::{ApiError, Principal, State, resource};
use crate::error::Error;
use crate::rag::filter;
use crate::rag::search::{MAX_QUERY_BYTES, SearchQuery, SearchResponse};
use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use actix_web::web::{self, Data, ServiceConfig};
use mcp_rag_actors::store::Mode;
use options::{Extras, GroupBy, Queries, RecencyRequest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;

const MAX_COLLECTIONS: usize = 100;
/// More than any score, and a number that JSON and ours have alike.
const MOST_SCORE: f32 = 1e6;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(resource("/search").route(web::post().to(search)));
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ModeName {
    /// Both legs, fused.
    #[default]
    Hybrid,
    Dense,
    Lexical,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Hybrid => Self::Hybrid,
            ModeName::Dense => Self::Dense,
            ModeName::Lexical => Self::Lexical,
        }
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Degrade {
    /// Answer with what is left and say so in `degraded`.
    #[default]
    Allow,
    /// Answer 503 instead.
    Forbid,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchRequest {
    /// Required, except with `embedding` and `mode: dense`: a string, or up to 8 that are searched together.
    pub(crate) query: Option<Queries>,
    /// Names of collections; all visible ones by default.
    #[schema(inline, value_type = Option<CollectionNames>)]
    pub(crate) collections: Option<Vec<String>>,
    /// 10 by default.
    #[schema(minimum = 1, maximum = 100)]
    pub(crate) top_k: Option<u16>,
    #[serde(default)]
    pub(crate) mode: ModeName,
    /// Conditions on `attributes`: `{"type":"eq","key":"lang","value":"en"}`, nested by `and` and `or`.
    #[schema(value_type = Option<Filter>)]
    pub(crate) filters: Option<Value>,
    /// Leave out results that score lower.
    #[schema(minimum = -1_000_000, maximum = 1_000_000)]
    pub(crate) min_score: Option<f32>,
    /// Stop before the texts hold more tokens than this.
    #[schema(minimum = 1, maximum = 4_294_967_295_i64, format = Int64)]
    pub(crate) max_tokens: Option<u32>,
    /// Rerank the fused results; without a configured reranker the response is marked degraded.
    #[serde(default)]
    pub(crate) rerank: bool,
    #[serde(default)]
    pub(crate) degrade: Degrade,
    /// A vector in place of the embedded text in the dense leg.
    #[schema(min_items = 1)]
    #[serde(default, deserialize_with = "body::vector")]
    pub(crate) embedding: Option<Vec<f32>>,
    /// Have the chat model add queries that mean the same; without one the response is marked degraded.
    #[serde(default)]
    pub(crate) rewrite: bool,
    /// Of results with nearly the same text give only the best.
    #[serde(default)]
    pub(crate) collapse: bool,
    /// Give one result of each document.
    pub(crate) group_by: Option<GroupBy>,
    /// How much being unlike the results before it counts, beside the score.
    #[schema(minimum = 0, maximum = 1)]
    pub(crate) diversity: Option<f32>,
    pub(crate) recency: Option<RecencyRequest>,
    /// The `next_cursor` of the page before; all other fields but `top_k` and `max_tokens` stay the same.
    pub(crate) cursor: Option<String>,
    /// The `consistency` of writes that must be seen, separated by commas.
    pub(crate) consistency: Option<String>,
}

impl SearchRequest {
    /// A valid search, or what is wrong with this one; `text` names the field with the words.
    pub(crate) fn into_query(self, text: &'static str, default_top_k: u16) -> Result<SearchQuery, Error> {
        let mode = Mode::from(self.mode);
        let (query, also) = match self.query {
            Some(queries) => {
                let (first, also) = queries.split();
                (Some(first), also)
            }
            None => (None, Vec::new()),
        };
        check_text(query.as_deref(), text, self.embedding.is_some() && mode == Mode::Dense)?;
        let top_k = self.top_k.unwrap_or(default_top_k);
        if !(1..=100).contains(&top_k) {
            return Err(Error::invalid("top_k", "`top_k` is between 1 and 100"));
        }
        if self.embedding.is_some() && mode == Mode::Lexical {
            return Err(Error::invalid("embedding", "`embedding` has no use in the mode `lexical`"));
        }
        let embedding = self.embedding.map(|vector| direction(&vector)).transpose()?;
        if self.min_score.is_some_and(|score| !(-MOST_SCORE..=MOST_SCORE).contains(&score)) {
            let message = format!("`min_score` is between -{MOST_SCORE} and {MOST_SCORE}");
            return Err(Error::invalid("min_score", message));
        }
        if self.rerank && query.is_none() {
            return Err(Error::invalid("rerank", "`rerank` needs a `query`"));
        }
        if self.max_tokens == Some(0) {
            return Err(Error::invalid("max_tokens", "`max_tokens` is at least 1"));
        }
        if self.collections.as_ref().is_some_and(|names| names.len() > MAX_COLLECTIONS) {
            let message = format!("`collections` holds at most {MAX_COLLECTIONS} names");
            return Err(Error::invalid("collections", message));
        }
        let extras = Extras {
            rewrite: self.rewrite,
            collapse: self.collapse,
            group_by: self.group_by,
            diversity: self.diversity,
            recency: self.recency,
            cursor: self.cursor,
            consistency: self.consistency,
        };
        let options = extras.into_options(also, embedding.is_some(), query.is_some())?;
        Ok(SearchQuery {
            text: query,
            embedding,
            collections: self.collections,
            top_k,
            mode,
            filter: self.filters.as_ref().map(filter::parse).transpose()?,
            min_score: self.min_score,
            max_tokens: self.max_tokens,
            rerank: self.rerank,
            allow_degraded: self.degrade == Degrade::Allow,
            options,
        })
    }
}

fn check_text(text: Option<&str>, name: &'static str, optional: bool) -> Result<(), Error> {
    match text {
        None if optional => Ok(()),
        None => Err(Error::invalid(name, format!("`{name}` is required"))),
        Some(text) if text.trim().is_empty() => {
            Err(Error::invalid(name, format!("`{name}` must not be empty")))
        }
        Some(text) if text.len() > MAX_QUERY_BYTES => {
            Err(Error::invalid(name, format!("`{name}` holds at most {MAX_QUERY_BYTES} bytes")))
        }
        Some(_) => Ok(()),
    }
}

/// The vector's direction.
fn direction(vector: &[f32]) -> Result<Vec<f32>, Error> {
    // Cosine similarity has no meaning for a vector without a direction.
    let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    if !length.is_finite() || length == 0.0 {
        return Err(Error::invalid("embedding", "`embedding` holds finite numbers that are not all zero"));
    }
    // Of length one: half-precision numbers, as the database compares them, hold no large ones.
    Ok(vector.iter().map(|x| (f64::from(*x) / length) as f32).collect())
}

/// Search by meaning and by keyword.
#[utoipa::path(post, path = "/v1/search", tag = "search",
    request_body(content = SearchRequest, example = json!({"query": "how do I rotate the database password", "top_k": 3})),
    responses((status = 200, body = SearchResponse), (status = 400), (status = 404, description = "unknown collection"),
        (status = 503, description = "`degrade: forbid` and a stage is away, or the database is")))]
pub(super) async fn search(
    state: Data<State>,
    principal: Principal,
    ticket: Ticket,
    Json(request): Json<SearchRequest>,
) -> Result<HttpResponse, ApiError> {
    let query = request.into_query("query", 10)?;
    let caller = principal.caller(Duration::from_millis(state.rag.settings().search.deadline_ms));
    let response = state.rag.search_if(&ticket, query, &caller).await?;
    // One that waited for a dependency in vain says nothing about this machine.
    if !response.cached && response.degraded.iter().all(|stage| stage.stage == "cache") {
        ticket.tells();
    }
    let json = response.json().map_err(|error| Error::internal(&error))?;
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(json))
}

#[cfg(test)]
mod tests {
    use super::SearchRequest;
    use crate::http::body::parse;

    #[test]
    fn fuzz_searches() {
        let seeds: [&[u8]; 3] = [
            br#"{"query":"a fox","collections":["notes"],"top_k":5,"mode":"hybrid","rerank":true,"min_score":0.5,"max_tokens":100}"#,
            br#"{"query":"a","mode":"dense","embedding":[0.1,-1e-3,1],"filters":{"type":"eq","key":"a","value":"b"}}"#,
            br#"{"query":"a","rewrite":{"queries":2},"recency":{"half_life_days":3},"group_by":"document","mmr":{"lambda":0.5},"cursor":"AAAA"}"#,
        ];
        crate::fuzz::fuzz(&seeds, |bytes| {
            if let Ok(request) = parse::<SearchRequest>(bytes) {
                let _ = request.into_query("query", 10);
            }
        });
    }
}
