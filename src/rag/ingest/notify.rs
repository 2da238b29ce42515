//! Telling a client of the end of its job.

use super::carry_out::persist;
use super::worker::STEP;
use crate::rag::Rag;
use mcp_rag_actors::resilience::{Backoff, Deadline};
use mcp_rag_actors::store::{Claim, GetJob, Job, NoteDelivery};
use mcp_rag_actors::webhook::Deliver;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

/// Growing fast, so that a receiver that is being deployed is told soon, and one that is down for hours still is.
const PAUSES: Backoff = Backoff { base: Duration::from_secs(5), max: Duration::from_secs(3600) };

/// A job as clients see it, in answers and in webhooks.
#[derive(Debug, Serialize, PartialEq, Eq, ToSchema)]
pub struct JobView {
    pub id: String,
    kind: String,
    /// queued, running, succeeded, failed or cancelled.
    status: String,
    progress: JobProgress,
    attempts: i32,
    error: Option<String>,
    /// Who is told of the end, and whether that has worked.
    #[schema(value_type = Option<WebhookView>)]
    webhook: Option<Value>,
    /// Of a job that is over: a search that brings this along sees what it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    consistency: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// How telling somebody of a job's end went, as far as it was tried.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "what the store keeps, for the OpenAPI document")]
pub(crate) struct WebhookView {
    url: String,
    delivered: Option<bool>,
    attempts: Option<u32>,
    error: Option<String>,
}

/// In documents.
#[derive(Debug, Serialize, PartialEq, Eq, ToSchema)]
pub struct JobProgress {
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
            webhook: job.webhook,
            consistency: None,
            created_at: job.created_at,
            updated_at: job.updated_at,
        }
    }
}

impl JobView {
    /// What a search brings along to see what the job did.
    pub(crate) fn seen_by(self, consistency: Option<String>) -> Self {
        Self { consistency, ..self }
    }

    /// Names the state that an event shows, the same on every replica.
    pub(crate) fn event_id(&self) -> String {
        let JobProgress { done, failed, total } = self.progress;
        format!("{}-{}-{done}-{failed}-{total}", self.status, self.attempts)
    }
}

/// Calls the job's webhook once; returns when to try again, if that is to be.
pub(super) async fn notify(rag: &Rag, claim: &Claim, url: String, attempt: i32) -> Option<Duration> {
    let get = || rag.all.call(GetJob { tenant: claim.tenant, id: claim.job }, Deadline::within(STEP));
    let Ok(job) = persist(get).await else { return Some(PAUSES.base) };
    let view = JobView::from(job);
    let timestamp = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    let body =
        json!({"type": format!("job.{}", view.status), "timestamp": timestamp, "data": view}).to_string();
    // A job that was retried ends again: that is another message.
    let id = format!("{}-{}", claim.job, claim.task);
    let delivered = rag.webhooks.deliver(Deliver { url, id, body }).await;
    let attempts = u32::try_from(attempt).unwrap_or(u32::MAX);
    let again = delivered.is_err() && attempts < rag.settings().webhooks.max_attempts;
    let outcome = match (&delivered, again) {
        (Ok(()), _) => "delivered",
        (Err(_), true) => "put_off",
        (Err(_), false) => "failed",
    };
    metrics::counter!("mcp_rag_webhooks_total", "outcome" => outcome).increment(1);
    let error = delivered.err().map(|error| error.to_string());
    let note = json!({"delivered": error.is_none(), "attempts": attempts, "error": error});
    let note = NoteDelivery { tenant: claim.tenant, id: claim.job, note };
    if let Err(error) = persist(|| rag.all.call(note.clone(), Deadline::within(STEP))).await {
        tracing::warn!(%error, job = %claim.job, "how a webhook went is not written down");
    }
    again.then(|| PAUSES.delay(attempts, 0.5))
}
