use super::page::{Page, PageQuery, cursor};
use super::{ApiError, Principal, State, resource, sse};
use crate::rag::Caller;
use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, Query, ServiceConfig};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{CancelJob, GetJob, Job, JobId, ListJobs};
use serde::Serialize;
use serde_json::json;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use utoipa::ToSchema;

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
        .service(resource("/jobs/{id}/events").route(web::get().to(events)));
}

#[derive(Debug, Serialize, PartialEq, Eq, ToSchema)]
pub(super) struct JobView {
    id: String,
    kind: String,
    /// queued, running, succeeded, failed or cancelled.
    status: String,
    progress: JobProgress,
    attempts: i32,
    error: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// In documents.
#[derive(Debug, Serialize, PartialEq, Eq, ToSchema)]
pub(super) struct JobProgress {
    done: i32,
    failed: i32,
    total: i32,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        Self {
            id: job.id.to_string(),
            kind: job.kind,
            status: job.status,
            progress: JobProgress { done: job.total - job.waiting, failed: job.failed, total: job.total },
            attempts: job.attempts,
            error: job.error,
            created_at: job.created_at,
            updated_at: job.updated_at,
        }
    }
}

fn id(text: &str) -> Result<JobId, ApiError> {
    text.parse().map_err(|_| crate::error::Error::not_found("job").into())
}

/// List jobs, newest first.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", params(PageQuery), responses((status = 200, body = Page<JobView>)))]
pub(super) async fn list(
    state: Data<State>,
    principal: Principal,
    query: Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = query.limit()?;
    let after: Option<JobId> = cursor("after", query.after.as_ref())?;
    let caller = principal.caller(LIMIT);
    let list = ListJobs { tenant: caller.tenant, after, limit: i64::try_from(limit).unwrap_or(100) };
    let jobs = state.rag.store.call(list, caller.deadline).await?;
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
    let get = GetJob { tenant: caller.tenant, id: id(&path)? };
    let job = state.rag.store.call(get, caller.deadline).await?;
    Ok(HttpResponse::Ok().json(JobView::from(job)))
}

/// Cancel a job.
#[utoipa::path(delete, path = "/v1/jobs/{id}", tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = JobView), (status = 404), (status = 409, description = "the job is over")))]
pub(super) async fn cancel(
    state: Data<State>,
    principal: Principal,
    path: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = principal.caller(LIMIT);
    let id = id(&path)?;
    state.rag.store.call(CancelJob { tenant: caller.tenant, id }, caller.deadline).await?;
    state.rag.progress.advance();
    let job = state.rag.store.call(GetJob { tenant: caller.tenant, id }, caller.deadline).await?;
    Ok(HttpResponse::Ok().json(JobView::from(job)))
}

/// Follow a job by server-sent events.
#[utoipa::path(get, path = "/v1/jobs/{id}/events", tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/event-stream", description = "`progress` events, then `done`"), (status = 404)))]
pub(super) async fn events(
    state: Data<State>,
    principal: Principal,
    path: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = id(&path)?;
    let caller = principal.caller(LIMIT);
    // A job that does not exist is a 404, not a stream.
    state.rag.store.call(GetJob { tenant: caller.tenant, id }, caller.deadline).await?;
    let (sender, receiver) = mpsc::channel(8);
    actix_web::rt::spawn(follow(state, caller, id, sender));
    Ok(sse::respond(receiver))
}

/// Sends the job's state whenever it changes, until it is over or nobody listens.
async fn follow(state: Data<State>, caller: Caller, id: JobId, events: mpsc::Sender<web::Bytes>) {
    let mut news = state.rag.progress.subscribe();
    let end = Deadline::within(MAX_STREAM);
    let mut last = None;
    while !end.has_passed() {
        news.borrow_and_update();
        let get = GetJob { tenant: caller.tenant, id };
        let job = match state.rag.store.call(get, Deadline::within(LIMIT)).await {
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
        if over || last.as_ref() != Some(&view) {
            let event = sse::event(if over { "done" } else { "progress" }, &json!(view));
            if events.send(event).await.is_err() || over {
                return;
            }
            last = Some(view);
        }
        tokio::time::sleep(PACE).await;
        tokio::select! {
            _ = tokio::time::timeout(POLL, news.changed()) => {}
            () = events.closed() => return,
        }
    }
}
