//! One request: who asks, what it may use, and the way back to its client while it lasts.

use super::access::{self, Scope};
use super::address::Address;
use super::signals::{Signal, signals};
use super::window::{self, Place};
use crate::audit::Event;
use crate::error::{Code, Error};
use crate::http::Principal;
use crate::rag::{Caller, Rag};
use actix_web::http::StatusCode;
use mcp_rag_actors::store::{Document, GetContent, GetDocument};
use rmcp::model::{ErrorCode, ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};
use rmcp::{ErrorData, RoleServer};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

/// Between two signs of life to a client that wants to know.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// A document is read from the database as a whole.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// Of a document.
pub(super) struct Part {
    pub(super) text: String,
    /// Its bytes in the document.
    pub(super) span: Range<usize>,
    /// The document's length.
    pub(super) whole: usize,
    pub(super) signals: Vec<Signal>,
}

pub(super) struct Call {
    pub(super) rag: Arc<Rag>,
    pub(super) principal: Principal,
    cancelled: CancellationToken,
    /// Where and under which name the client wants to hear of progress.
    progress: Option<(Peer<RoleServer>, ProgressToken)>,
}

impl Call {
    /// # Errors
    /// Unauthorized for a request that came past the entrance.
    pub(super) fn new(rag: Arc<Rag>, context: &RequestContext<RoleServer>) -> Result<Self, Error> {
        let parts = context.extensions.get::<http::request::Parts>();
        let principal = parts.and_then(|parts| parts.extensions.get::<Principal>()).cloned();
        let principal =
            principal.ok_or_else(|| Error::new(Code::Unauthorized, "a valid credential is needed"))?;
        let progress = context.meta.get_progress_token().map(|token| (context.peer.clone(), token));
        Ok(Self { rag, principal, cancelled: context.ct.clone(), progress })
    }

    pub(super) fn caller(&self, within: Duration) -> Caller {
        self.principal.caller(within)
    }

    /// Callers that only may do other things are refused.
    pub(super) fn require(&self, scope: Scope) -> Result<(), Error> {
        access::require(&self.principal, scope)
    }

    /// Tells the audit log of what changes something and of what was refused.
    pub(super) async fn tell(&self, action: &str, target: String, status: StatusCode, changes: bool) {
        let Principal { identity, request_id, peer, .. } = &self.principal;
        let event = Event {
            action: action.to_owned(),
            target,
            status: status.as_u16(),
            request_id: request_id.to_str().unwrap_or_default().to_owned(),
            peer: peer.map(|peer| peer.to_string()).unwrap_or_default(),
        };
        if status == StatusCode::FORBIDDEN {
            self.rag.audit.note(Some(identity), event);
        } else if changes {
            self.rag.audit.record(identity, event).await;
        }
    }

    /// What a document is, and its parsed text.
    pub(super) async fn document(&self, address: &Address) -> Result<(Document, String), Error> {
        let caller = self.caller(READ_LIMIT);
        let collection = self.rag.catalog.get(&caller, &address.collection).await?.id;
        let (tenant, external_id) = (caller.tenant, address.external_id.clone());
        let get = GetDocument { tenant, collection, external_id: external_id.clone() };
        let document = self.rag.seen_by(&caller).call(get, caller.deadline).await?;
        let text = GetContent { tenant, collection, external_id };
        Ok((document, self.rag.seen_by(&caller).call(text, caller.deadline).await?))
    }

    /// The part of a text that fits, and what it looks like; on a thread that may be kept busy.
    pub(super) async fn part(&self, text: String, place: Place, max_tokens: u32) -> Result<Part, Error> {
        let embedder = self.rag.embedder.clone();
        let cutting = move || {
            let span = window::cut(&text, place, max_tokens, embedder.tokenizer());
            let part = text.get(span.clone()).unwrap_or_default().to_owned();
            Part { signals: signals(&part), text: part, span, whole: text.len() }
        };
        tokio::task::spawn_blocking(cutting).await.map_err(|error| Error::internal(&error))
    }

    /// Drops the work when its client has cancelled it or has gone; nobody reads the error then.
    pub(super) async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Result<T, ErrorData> {
        tokio::select! {
            done = work => Ok(done),
            () = self.cancelled.cancelled() => Err(ErrorData::new(ErrorCode::INVALID_REQUEST, "cancelled", None)),
        }
    }

    /// Tells the client, if it wants to know, that the work has begun and still goes on.
    pub(super) async fn telling<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let Some((peer, token)) = &self.progress else { return work.await };
        let mut told = 0.0;
        let mut ticks = interval_at(Instant::now(), TELL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                _ = ticks.tick() => {
                    told += 1.0;
                    let news = ProgressNotificationParam::new(token.clone(), told).with_message(what);
                    // A client that has gone cancels the work; one that is slow is not waited for.
                    let _ = tokio::time::timeout(TELL_EVERY, peer.notify_progress(news)).await;
                }
                done = &mut work => return done,
            }
        }
    }
}
