//! Chat completions: the last message is the question, the answer comes from the documents with its citations as
//! annotations.

mod messages;
mod request;
mod stream;
mod view;

use super::models::{collections_of, named};
use super::{body, expiry};
use crate::error::Error;
use crate::http::admission::Ticket;
use crate::http::{ApiError, Principal, State, sse};
use crate::rag::Caller;
use crate::rag::answer::AnswerQuery;
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse};
use request::ChatRequest;
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument;
use view::{Completion, Head};

/// The question with everything it is to be answered from and by.
async fn query(state: &Data<State>, caller: &Caller, mut request: ChatRequest) -> Result<AnswerQuery, Error> {
    let of_model = collections_of(&request.model)?;
    let (names, param) = match (of_model, request.collections.take()) {
        (Some(_), Some(_)) => {
            let message = "`collections` goes with the model `mcp-rag`: this one names its own";
            return Err(Error::invalid("collections", message));
        }
        (Some(names), None) => (Some(names), "model"),
        (None, names) => (names, "collections"),
    };
    let names = match names {
        None => None,
        Some(names) => {
            request::check_names(&names)?;
            let found = named(state, caller, &names, param).await?;
            expiry::used(state, caller, found.iter().map(|collection| collection.id).collect()).await?;
            Some(found.into_iter().map(|collection| collection.name).collect())
        }
    };
    request.into_query(names)
}

/// Answer from the documents as a chat completion.
///
/// The last message is the question. Citations are annotations of the message, in a stream of its deltas.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "chat",
    request_body(content = ChatRequest, example = json!({"model": "mcp-rag", "messages": [{"role": "user", "content": "What does the fox jump over?"}]})),
    responses((status = 200, content((Completion = "application/json"), (sse::EventForm = "text/event-stream")), description = "the completion, or with `stream: true` its chunks as server-sent events"),
        (status = 404, description = "no such model or collection")))]
pub(crate) async fn create(
    state: Data<State>,
    principal: Principal,
    ticket: Ticket,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let fields: Map<String, Value> = body::long(&state, &request, payload).await?;
    let chat = ChatRequest::read(fields)?;
    let caller = principal.caller(Duration::from_millis(state.rag.settings().server.request_timeout_ms));
    let (streams, with_usage) = (chat.streams(), chat.wants_usage());
    let head = Head::new(&request, chat.model.clone(), messages::tokens(&state, &chat));
    let query = query(&state, &caller, chat).await?;
    if !streams {
        let answer = state.rag.answer(query, &caller, None).await?;
        return Ok(HttpResponse::Ok().json(head.completion(&state, answer)));
    }
    let (out, chunks) = mpsc::channel(32);
    let (begun, begins) = oneshot::channel();
    let stream = stream::Stream { state: state.clone(), head, with_usage, out, begun: Some(begun) };
    actix_web::rt::spawn(stream.run(query, caller, ticket.keep()).in_current_span());
    // What fails before anything was found is an error like any other, which clients may repeat.
    match begins.await {
        Ok(Err(error)) => Err(error.into()),
        Ok(Ok(())) | Err(_) => Ok(sse::respond(chunks)),
    }
}
