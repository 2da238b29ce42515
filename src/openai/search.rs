use super::vector_stores::in_use;
use super::{ids, pairs};
use crate::error::Error;
use crate::http::admission::Ticket;
use crate::http::body::Json;
use crate::http::search::SearchRequest;
use crate::http::search::options::Queries;
use crate::http::shapes::Filter;
use crate::http::{ApiError, Principal, State};
use crate::rag::ingest::filename_of;
use crate::rag::search::{Degradation, SearchResult};
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use mcp_rag_actors::reranker::RerankerKind;
use mcp_rag_actors::store::{DocumentId, StoreFileId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;

const MOST_RESULTS: u16 = 50;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreSearch {
    /// A string, or up to 8 that are searched together.
    query: Queries,
    /// `{"type":"eq|ne|gt|gte|lt|lte|in|nin","key","value"}`, nested by `and` and `or`.
    #[schema(value_type = Option<Filter>)]
    filters: Option<Value>,
    /// 10 by default.
    #[schema(minimum = 1, maximum = 50)]
    max_num_results: Option<u16>,
    ranking_options: Option<RankingOptions>,
    /// Have the chat model add queries that mean the same.
    rewrite_query: Option<bool>,
    /// The `next_page` of the page before; everything else stays the same.
    page: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RankingOptions {
    #[serde(default)]
    ranker: Ranker,
    /// Leave out results that score lower.
    #[schema(minimum = 0, maximum = 1)]
    score_threshold: Option<f32>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
enum Ranker {
    /// The configured reranker, or none where none is.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    #[serde(rename = "default-2024-11-15", alias = "default_2024_08_21")]
    Default,
    #[serde(rename = "none")]
    None,
}

/// Results, best first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoreSearchPage {
    /// `vector_store.search_results.page`
    object: &'static str,
    search_query: Vec<String>,
    data: Vec<StoreSearchResult>,
    has_more: bool,
    /// Passed as `page` it gives what follows.
    next_page: Option<String>,
    /// Stages that were away and what took their place; empty when all is well.
    degraded: Vec<Degradation>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoreSearchResult {
    file_id: String,
    filename: String,
    /// 0 to 1.
    score: f32,
    #[schema(value_type = Object)]
    attributes: Value,
    content: Vec<TextContent>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TextContent {
    /// `text`
    #[serde(rename = "type")]
    kind: &'static str,
    text: String,
}

impl TextContent {
    pub(super) fn of(text: String) -> Self {
        Self { kind: "text", text }
    }
}

/// How scores become numbers between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// They are already.
    Plain,
    /// They are the local reranker's, which may be any number.
    Logistic,
}

impl Scale {
    fn shown(self, score: f32, reranked: bool) -> f32 {
        match self {
            Self::Logistic if reranked => 1.0 / (1.0 + (-score).exp()),
            Self::Plain | Self::Logistic => score.clamp(0.0, 1.0),
        }
    }
}

/// The file that a result is of, and its name.
pub(super) fn file_of(external_id: &str, document_id: &str) -> (String, String) {
    match filename_of(external_id) {
        Some((id, name)) => (id.to_string(), name.to_owned()),
        None => {
            let document = document_id.parse().unwrap_or(DocumentId(0));
            (ids::of_file(StoreFileId::Document(document)), external_id.to_owned())
        }
    }
}

fn view(result: SearchResult, scale: Scale) -> StoreSearchResult {
    let (file_id, filename) = file_of(&result.external_id, &result.document_id);
    StoreSearchResult {
        file_id,
        filename,
        score: scale.shown(result.score, result.scores.rerank.is_some()),
        attributes: pairs::shown(result.attributes, true),
        content: vec![TextContent::of(result.text)],
    }
}

/// Search a vector store by meaning and by keyword.
#[utoipa::path(post, path = "/v1/vector_stores/{vector_store_id}/search", tag = "vector_stores",
    params(("vector_store_id" = String, Path)),
    request_body(content = StoreSearch, example = json!({"query": "return policy", "max_num_results": 5})),
    responses((status = 200, body = StoreSearchPage), (status = 404)))]
pub(crate) async fn search(
    state: Data<State>,
    principal: Principal,
    ticket: Ticket,
    id: Path<String>,
    Json(request): Json<StoreSearch>,
) -> Result<HttpResponse, ApiError> {
    let most = request.max_num_results.unwrap_or(10);
    if !(1..=MOST_RESULTS).contains(&most) {
        let message = format!("`max_num_results` is between 1 and {MOST_RESULTS}");
        return Err(Error::invalid("max_num_results", message).into());
    }
    let ranking = request.ranking_options.unwrap_or_default();
    if ranking.score_threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
        let message = "`ranking_options.score_threshold` is between 0 and 1";
        return Err(Error::invalid("ranking_options.score_threshold", message).into());
    }
    let settings = state.rag.settings();
    let caller = &principal.caller(Duration::from_millis(settings.search.deadline_ms));
    let collection = in_use(&state, caller, &id).await?;
    let kind = settings.reranker.kind;
    let scale = if kind == RerankerKind::Local { Scale::Logistic } else { Scale::Plain };
    let query = SearchRequest {
        query: Some(request.query),
        collections: Some(vec![collection.name]),
        top_k: Some(most),
        filters: request.filters,
        rerank: ranking.ranker != Ranker::None && kind != RerankerKind::None,
        rewrite: request.rewrite_query.unwrap_or_default(),
        cursor: request.page,
        ..SearchRequest::default()
    };
    let query = query.into_query("query", most)?;
    let asked = query.text.clone().into_iter().chain(query.options.also.clone()).collect();
    let response = state.rag.search(query, caller).await?;
    if !response.cached && response.degraded.iter().all(|stage| stage.stage == "cache") {
        ticket.tells();
    }
    let threshold = ranking.score_threshold.unwrap_or_default();
    let views = response.results.into_iter().map(|result| view(result, scale));
    let data: Vec<StoreSearchResult> = views.filter(|view| view.score >= threshold).collect();
    // Scores only fall: behind a result that was left out there is nothing.
    let next_page = response.next_cursor.filter(|_| data.len() == usize::from(most));
    let page = StoreSearchPage {
        object: "vector_store.search_results.page",
        search_query: if response.queries.is_empty() { asked } else { response.queries },
        data,
        has_more: next_page.is_some(),
        next_page,
        degraded: response.degraded,
    };
    Ok(HttpResponse::Ok().json(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_shown_between_zero_and_one_in_their_order() {
        let shown = [-9.0, -1.0, 0.0, 2.5, 9.0].map(|score| Scale::Logistic.shown(score, true));
        assert!(shown.is_sorted() && shown.iter().all(|score| (0.0..=1.0).contains(score)), "{shown:?}");
        assert!((Scale::Logistic.shown(0.7, false) - 0.7).abs() < 1e-6, "a fused score stays what it is");
        assert!((Scale::Plain.shown(1.2, true) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_result_names_the_file_it_was_made_of_or_its_document() {
        assert_eq!(file_of("file-7/a/b.md", "doc_3"), ("file-7".to_owned(), "a/b.md".to_owned()));
        assert_eq!(file_of("guides/b.md", "doc_3"), ("file-doc3".to_owned(), "guides/b.md".to_owned()));
    }
}
