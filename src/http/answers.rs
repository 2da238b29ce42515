use super::admission::{Place, Ticket};
use super::body::Json;
use super::search::options::{GroupBy, Queries, RecencyRequest};
use super::search::{Degrade, ModeName, SearchRequest};
use super::shapes::{CollectionNames, Filter, Question};
use super::{ApiError, Principal, State, resource, sse};
use crate::error::{Code, Error};
use crate::rag::Caller;
use crate::rag::answer::{Answer, AnswerQuery, Event};
use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::Instrument;
use utoipa::ToSchema;

/// Passages an answer is built from unless the caller says otherwise.
const PASSAGES: u16 = 8;
const MAX_INSTRUCTIONS: usize = 4096;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(resource("/answers").route(web::post().to(answer)));
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerRequest {
    #[schema(inline, value_type = Question)]
    question: String,
    /// Names of collections; all visible ones by default.
    #[schema(inline, value_type = Option<CollectionNames>)]
    collections: Option<Vec<String>>,
    /// Passages to answer from: 8 by default.
    #[schema(minimum = 1, maximum = 100)]
    top_k: Option<u16>,
    #[serde(default)]
    mode: ModeName,
    /// Conditions on `attributes`, as in a search.
    #[schema(value_type = Option<Filter>)]
    filters: Option<Value>,
    /// Leave out passages that score lower.
    #[schema(minimum = -1_000_000, maximum = 1_000_000)]
    min_score: Option<f32>,
    /// Stop before the passages hold more tokens than this.
    #[schema(minimum = 1, maximum = 4_294_967_295_i64, format = Int64)]
    pub(crate) max_tokens: Option<u32>,
    #[serde(default)]
    rerank: bool,
    #[serde(default)]
    degrade: Degrade,
    #[schema(min_items = 1)]
    embedding: Option<Vec<f32>>,
    /// Have the chat model add queries that mean the same as the question.
    #[serde(default)]
    rewrite: bool,
    /// Of passages with nearly the same text use only the best.
    #[serde(default)]
    collapse: bool,
    /// Use one passage of each document.
    group_by: Option<GroupBy>,
    /// How much being unlike the passages before it counts, beside the score.
    #[schema(minimum = 0, maximum = 1)]
    diversity: Option<f32>,
    recency: Option<RecencyRequest>,
    /// The `consistency` of writes that must be seen, separated by commas.
    consistency: Option<String>,
    /// How much of the question the extractive engine must find before it answers; higher abstains more.
    #[schema(minimum = 0, maximum = 1)]
    min_support: Option<f32>,
    /// Answer as server-sent events: `search`, `delta`, `citation`, then `done` or `error`.
    #[serde(default)]
    stream: bool,
    /// Further instructions for the chat model.
    #[schema(max_length = 4096)]
    instructions: Option<String>,
    #[schema(minimum = 1, maximum = 4_294_967_295_i64, format = Int64)]
    max_output_tokens: Option<u32>,
}

impl AnswerRequest {
    pub(crate) fn into_query(self) -> Result<AnswerQuery, Error> {
        if self.instructions.as_ref().is_some_and(|text| text.len() > MAX_INSTRUCTIONS) {
            let message = format!("`instructions` holds at most {MAX_INSTRUCTIONS} bytes");
            return Err(Error::invalid("instructions", message));
        }
        if self.max_output_tokens == Some(0) {
            return Err(Error::invalid("max_output_tokens", "`max_output_tokens` is at least 1"));
        }
        if self.min_support.is_some_and(|support| !(0.0..=1.0).contains(&support)) {
            return Err(Error::invalid("min_support", "`min_support` is between 0 and 1"));
        }
        let search = SearchRequest {
            query: Some(Queries::One(self.question.clone())),
            collections: self.collections,
            top_k: self.top_k,
            mode: self.mode,
            filters: self.filters,
            min_score: self.min_score,
            max_tokens: self.max_tokens,
            rerank: self.rerank,
            degrade: self.degrade,
            embedding: self.embedding,
            rewrite: self.rewrite,
            collapse: self.collapse,
            group_by: self.group_by,
            diversity: self.diversity,
            recency: self.recency,
            cursor: None,
            consistency: self.consistency,
        };
        Ok(AnswerQuery {
            question: self.question,
            history: Vec::new(),
            search: search.into_query("question", PASSAGES)?,
            instructions: self.instructions,
            min_support: self.min_support,
            max_output_tokens: self.max_output_tokens.unwrap_or(u32::MAX),
        })
    }
}

/// Answer a question.
#[utoipa::path(post, path = "/v1/answers", tag = "answers", operation_id = "create",
    request_body(content = AnswerRequest, example = json!({"question": "What happens to a search while the embedder is away?"})),
    responses((status = 200, content((Answer = "application/json"), (sse::EventForm = "text/event-stream")), description = "the answer, or with `stream: true` its events"), (status = 400), (status = 404, description = "unknown collection"), (status = 503)))]
pub(super) async fn answer(
    state: Data<State>,
    principal: Principal,
    ticket: Ticket,
    Json(request): Json<AnswerRequest>,
) -> Result<HttpResponse, ApiError> {
    let stream = request.stream;
    let query = request.into_query()?;
    let caller = principal.caller(Duration::from_millis(state.rag.settings().server.request_timeout_ms));
    if !stream {
        return Ok(HttpResponse::Ok().json(state.rag.answer(query, &caller, None).await?));
    }
    let (sender, receiver) = mpsc::channel(32);
    actix_web::rt::spawn(stream_answer(state, query, caller, sender, ticket.keep()).in_current_span());
    Ok(sse::respond(receiver))
}

/// Ends when the answer is complete or nobody listens any more.
async fn stream_answer(
    state: Data<State>,
    query: AnswerQuery,
    caller: Caller,
    out: mpsc::Sender<Bytes>,
    _place: Place,
) {
    let (events, mut happened) = mpsc::channel(32);
    let forwarding = async {
        while let Some(event) = happened.recv().await {
            let bytes = match event {
                Event::Search(response) => sse::event("search", &response),
                Event::Delta(text) => sse::event("delta", &serde_json::json!({ "text": text })),
                Event::Citation(citation) => sse::event("citation", &citation),
            };
            if out.send(bytes).await.is_err() {
                break;
            }
        }
        drop(happened); // with nobody left to read, the answer ends too
    };
    // The answer drops its end of the channel when it is complete, which ends the forwarding.
    let answering = async { tokio::join!(state.rag.answer(query, &caller, Some(events)), forwarding).0 };
    let answered = tokio::select! {
        answered = answering => answered,
        // A model may be silent for long: its connection must not outlive the client's.
        () = out.closed() => return,
        // Answers are complete well before this unless the grace is shorter than their deadline.
        () = state.drain.last_end() => {
            let _ = out.send(sse::retry()).await;
            Err(Error::new(Code::Unavailable, "this server is shutting down: ask again"))
        }
    };
    let last = match answered {
        Ok(answer) => sse::event("done", &answer),
        Err(error) => sse::event("error", &super::error::body(&error)),
    };
    let _ = out.send(last).await; // the client may have left
}
