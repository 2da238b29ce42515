use super::admission::{Place, Ticket};
use super::idempotency::Once;
use super::page::{NewestQuery, Page, cursor, page_size};
use super::{ApiError, Principal, State, resource, sse};
use crate::rag::Caller;
use crate::rag::ingest::JobView;
use actix_web::web::{self, Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{CancelJob, GetJob, JobId, RetryJob};
use serde_json::json;
use std::time::Duration;
use tokio::sync::mpsc;

const LIMIT: Duration = Duration::from_secs(10);
/// A stream of one job's events ends after this; the client asks again.
const MAX_STREAM: Duration = Duration::from_secs(3600);
const POLL: Duration = Duration::from_millis(500);
/// Faster progress than this is not worth an event.
const PACE: Duration = Duration::from_millis(100);

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/jobs").route(web::get().to(list)))
        .service(resource("/jobs/{id}").route(web::get().to(get)).route(web::delete().to(cancel)))
        .service(resource("/jobs/{id}/retry").route(web::post().to(retry)))
        .service(resource("/jobs/{id}/events").route(web::get().to(events)));
}

fn id(text: &str) -> Result<JobId, ApiError> {
    text.parse().map_err(|_| crate::error::Error::not_found("job").into())
}

/// List jobs, newest first.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", params(NewestQuery), responses((status = 200, body = Page<JobView>)))]
pub(super) async fn list(
    state: Data<State>,
    principal: Principal,
    query: Query<NewestQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = page_size(query.limit)?;
    let after: Option<JobId> = cursor("after", query.after.as_ref())?;
    let caller = principal.caller(LIMIT);
    let jobs = state.rag.jobs(after, i64::try_from(limit).unwrap_or(100), &caller).await?;
    let views = jobs.into_iter().map(JobView::from).collect();
    Ok(HttpResponse::Ok().json(Page::of(views, limit, |view: &JobView| view.id.clone())))
}

/// Get a job.
#[utoipa::path(get, path = "/v1/jobs/{id}", tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = JobView), (status = 404)))]
pub(super) async fn get(
    state: Data<State>,
    principal: Principal,
    path: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = principal.caller(LIMIT);
    Ok(HttpResponse::Ok().json(view(&state, &caller, id(&path)?).await?))
}

async fn view(state: &State, caller: &Caller, id: JobId) -> Result<JobView, ApiError> {
    let job = state.rag.job(id, caller).await?;
    let consistency = match job.collection.filter(|_| job.is_over()) {
        Some(collection) => state.rag.consistency(caller, collection).await,
        None => None,
    };
    Ok(JobView::from(job).seen_by(consistency))
}

/// Cancel a job.
#[utoipa::path(delete, path = "/v1/jobs/{id}", tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = JobView), (status = 404), (status = 409, description = "the job is over")))]
pub(super) async fn cancel(
    state: Data<State>,
    principal: Principal,
    path: Path<String>,
    once: Once,
) -> Result<HttpResponse, ApiError> {
    let caller = principal.caller(LIMIT);
    let id = id(&path)?;
    state.rag.job(id, &caller).await?;
    let cancel = CancelJob { tenant: caller.tenant, id };
    state.rag.all.once(once.key().await?, cancel, caller.deadline).await?;
    state.rag.progress.advance();
    Ok(HttpResponse::Ok().json(view(&state, &caller, id).await?))
}

/// Take up the documents of a job that have failed, whatever they failed of.
#[utoipa::path(post, path = "/v1/jobs/{id}/retry", tag = "jobs", params(("id" = String, Path)),
    responses((status = 202, body = JobView), (status = 404), (status = 409, description = "no document of it has failed")))]
pub(super) async fn retry(
    state: Data<State>,
    principal: Principal,
    path: Path<String>,
    once: Once,
) -> Result<HttpResponse, ApiError> {
    let caller = principal.caller(LIMIT);
    let id = id(&path)?;
    state.rag.job(id, &caller).await?;
    let retry = RetryJob { tenant: caller.tenant, id };
    state.rag.all.once(once.key().await?, retry, caller.deadline).await?;
    state.rag.progress.arrived.notify_one();
    state.rag.progress.advance();
    Ok(HttpResponse::Accepted().json(view(&state, &caller, id).await?))
}

/// Follow a job by server-sent events.
///
/// Each event has an id. A client that was cut off, or told to come back by `retry`, sends the last one
/// as `Last-Event-ID`, to any replica, and hears only what has changed since.
#[utoipa::path(get, path = "/v1/jobs/{id}/events", tag = "jobs", params(("id" = String, Path),
        ("last-event-id" = Option<String>, Header, description = "id of the last event seen")),
    responses((status = 200, body = sse::EventForm, content_type = "text/event-stream", description = "`progress` events, then `done`"),
        (status = 204, description = "the last event seen was the last one"), (status = 404)))]
pub(super) async fn events(
    state: Data<State>,
    principal: Principal,
    path: Path<String>,
    ticket: Ticket,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = id(&path)?;
    let caller = principal.caller(LIMIT);
    // A job that does not exist is a 404, not a stream.
    let job = state.rag.job(id, &caller).await?;
    let seen =
        request.headers().get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    if job.is_over() && seen == Some(JobView::from(job).event_id()) {
        return Ok(HttpResponse::NoContent().finish()); // what tells an EventSource not to come back
    }
    let (sender, receiver) = mpsc::channel(8);
    actix_web::rt::spawn(follow(state, caller, id, seen, sender, ticket.keep()));
    Ok(sse::respond(receiver))
}

/// Sends the job's state whenever it changes, until it is over, nobody listens or the server leaves.
async fn follow(
    state: Data<State>,
    caller: Caller,
    id: JobId,
    seen: Option<String>,
    events: mpsc::Sender<web::Bytes>,
    _place: Place,
) {
    tokio::select! {
        () = report(&state, &caller, id, seen, &events) => {}
        // Another replica goes on from the last id.
        () = state.drain.resumable_end() => drop(events.send(sse::retry()).await),
    }
}

async fn report(
    state: &State,
    caller: &Caller,
    id: JobId,
    mut seen: Option<String>,
    events: &mpsc::Sender<web::Bytes>,
) {
    let mut news = state.rag.progress.subscribe();
    let end = Deadline::within(MAX_STREAM);
    while !end.has_passed() {
        news.borrow_and_update();
        let get = GetJob { tenant: caller.tenant, id };
        let job = match state.rag.all.call(get, Deadline::within(LIMIT)).await {
            Ok(job) => job,
            Err(error) => {
                let error = crate::error::Error::from(error);
                if !error.is_temporary() {
                    let _ = events.send(sse::event("error", &super::error::body(&error))).await;
                    return;
                }
                tokio::time::sleep(POLL).await;
                continue;
            }
        };
        let over = job.is_over();
        let view = JobView::from(job);
        let now = view.event_id();
        if over || seen.as_ref() != Some(&now) {
            let event = sse::event_with_id(if over { "done" } else { "progress" }, &now, &json!(view));
            if events.send(event).await.is_err() || over {
                return;
            }
            seen = Some(now);
        }
        tokio::time::sleep(PACE).await;
        tokio::select! {
            _ = tokio::time::timeout(POLL, news.changed()) => {}
            () = events.closed() => return,
        }
    }
}
