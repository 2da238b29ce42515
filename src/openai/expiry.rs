//! Vector stores that end unless they are used: what uses them, and what they are refused afterwards.

use crate::error::Error;
use crate::http::State;
use crate::rag::Caller;
use actix_web::web::Data;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{CollectionId, GetExpiry, TouchVectorStores};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

const DAYS: std::ops::RangeInclusive<i32> = 1..=365;
/// What knowing is worth waiting for: a search goes on without it.
const LOOK: Duration = Duration::from_millis(500);
const NOTE: Duration = Duration::from_secs(5);

/// When a vector store ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpiresAfter {
    anchor: Anchor,
    /// Since it was used last.
    #[schema(minimum = 1, maximum = 365)]
    days: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Anchor {
    LastActiveAt,
}

impl ExpiresAfter {
    pub(super) fn of(days: i32) -> Self {
        Self { anchor: Anchor::LastActiveAt, days }
    }

    pub(super) fn days(self) -> Result<i32, Error> {
        if DAYS.contains(&self.days) {
            return Ok(self.days);
        }
        Err(Error::invalid("expires_after.days", "`expires_after.days` is between 1 and 365"))
    }
}

pub(super) fn expired() -> Error {
    Error::invalid("vector_store_id", "the vector store has expired: create another one")
}

/// Refuses collections whose time as vector stores is over, and notes that the others are used.
///
/// The note is written beside the request, at most once a minute for each: one that fails is made up for by the next.
pub(super) async fn used(state: &Data<State>, caller: &Caller, ids: Vec<CollectionId>) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let get = GetExpiry { tenant: caller.tenant, ids };
    let known =
        match state.rag.seen_by(caller).call(get, caller.deadline.capped(LOOK)).await.map_err(Error::from) {
            Ok(known) => known,
            Err(error) if error.is_temporary() => return Ok(()), // a search may be answered without the database
            Err(error) => return Err(error),
        };
    if known.iter().any(|store| store.expired) {
        return Err(expired());
    }
    let idle: Vec<CollectionId> = known.iter().filter(|store| store.idle).map(|store| store.id).collect();
    if !idle.is_empty() {
        let (store, touch) =
            (state.rag.store.clone(), TouchVectorStores { tenant: caller.tenant, ids: idle });
        actix_web::rt::spawn(async move {
            if let Err(error) = store.call(touch, Deadline::within(NOTE)).await {
                tracing::debug!(%error, "the use of a vector store was not noted");
            }
        });
    }
    Ok(())
}
