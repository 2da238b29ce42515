//! A pooled connection, bound to one tenant while it is in use, and what becomes of it afterwards.
//!
//! A connection that is handed back goes to the pool at once. One that is dropped otherwise (its caller
//! left, the deadline passed, an error returned early) may still run a statement: it is settled in the
//! background first, by cancelling what runs and waiting until the server has answered, so that the
//! next caller never waits behind a stranger's statement. Bounds: as many at once as the pool has
//! connections, and [`SETTLED_WITHIN`] each; what takes longer is closed, and tells that the server is
//! silent.
//!
//! What a session is bound to is remembered ([`Bound`]), so that most reads need no binding. It is forgotten
//! before another one is sent, known again only once the server has confirmed that, and forgotten with
//! every connection that is not handed back.

use super::bound::Bound;
use super::error::StoreError;
use super::ids::TenantId;
use super::server::Pooled;
use crate::resilience::{Deadline, Pass};
use deadpool::managed::Object;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

/// A connection that answers within this was idle.
const IDLE_WITHIN: Duration = Duration::from_millis(5);
const SETTLED_WITHIN: Duration = Duration::from_secs(1);

/// Given back together: whoever gets the place finds the connection.
struct Held {
    object: Pooled,
    place: OwnedSemaphorePermit,
    pass: Pass,
}

pub(super) struct Connection {
    held: Option<Held>,
    suspected: Arc<Notify>,
    longest: Duration,
}

impl Connection {
    pub(super) fn new(
        object: Pooled,
        place: OwnedSemaphorePermit,
        pass: Pass,
        suspected: Arc<Notify>,
        longest: Duration,
    ) -> Self {
        Self { held: Some(Held { object, place, pass }), suspected, longest }
    }

    /// The session may still belong to the tenant it served last; row-level security reads this
    /// setting, so nothing runs before it is known to be the right one.
    pub(super) async fn bind(&self, tenant: TenantId, deadline: Deadline) -> Result<(), StoreError> {
        let wanted = Bound::new(tenant, deadline, self.longest, None);
        if !self.object().binding.serves(&wanted) {
            self.rebind(&wanted).await?;
        }
        Ok(())
    }

    /// Statements that only read, bound to their tenant in the same round trip where the session is not
    /// yet: they are sent behind the binding without waiting for the answer, and a session answers in the
    /// order it is asked. Where the binding fails the rows are dropped unseen; and as every statement names
    /// its tenant besides, a session that still belonged to another tenant would find nothing.
    /// `ef` is how many candidates an HNSW scan of this statement keeps.
    pub(super) async fn read(
        &self,
        tenant: TenantId,
        ef: Option<u16>,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
        deadline: Deadline,
    ) -> Result<Vec<Row>, StoreError> {
        let wanted = Bound::new(tenant, deadline, self.longest, ef);
        if self.object().binding.serves(&wanted) {
            return Ok(self.query(statement, parameters).await?);
        }
        // This `join!`, unlike tokio's, polls from first to last, and a request is sent when first polled:
        // preparing the binding would put it last.
        let prepared = self.prepare_cached(wanted.sql()).await?;
        let (bound, rows) =
            futures_util::join!(self.rebind_with(&wanted, &prepared), self.query(statement, parameters));
        bound?;
        Ok(rows?)
    }

    async fn rebind(&self, wanted: &Bound) -> Result<(), StoreError> {
        let prepared = self.prepare_cached(wanted.sql()).await?;
        self.rebind_with(wanted, &prepared).await
    }

    async fn rebind_with(&self, wanted: &Bound, prepared: &Statement) -> Result<(), StoreError> {
        let before = self.object().binding.forget();
        let values = wanted.values();
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        self.execute(prepared, &values).await?;
        self.object().binding.remember(Bound::then(before, wanted));
        Ok(())
    }

    fn object(&self) -> &Pooled {
        &self.held.as_ref().expect(HELD).object
    }

    /// Nothing runs on it any more: back to the pool.
    pub(super) fn hand_back(mut self) {
        if let Some(Held { object, place, pass }) = self.held.take() {
            drop(object);
            drop(place);
            pass.succeed();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        held.object.binding.forget();
        if held.object.is_closed() {
            drop(Object::take(held.object));
            held.pass.fail();
            self.suspected.notify_one();
        } else if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(settle(held, Arc::clone(&self.suspected)));
        } else {
            drop(Object::take(held.object)); // the actor is being torn down
        }
    }
}

async fn settle(held: Held, suspected: Arc<Notify>) {
    let Held { object, place, pass } = held;
    let settled = {
        let mut answered = std::pin::pin!(object.simple_query(""));
        match tokio::time::timeout(IDLE_WITHIN, answered.as_mut()).await {
            Ok(answer) => answer.is_ok(),
            Err(_) => {
                let cancelled = tokio::time::timeout(SETTLED_WITHIN, object.cancel()).await == Ok(true);
                let outcome = if cancelled { "cancelled" } else { "failed" };
                metrics::counter!("mcp_rag_database_cancellations_total", "outcome" => outcome).increment(1);
                cancelled && matches!(tokio::time::timeout(SETTLED_WITHIN, answered).await, Ok(Ok(_)))
            }
        }
    };
    if settled {
        drop(object);
        pass.ignore();
    } else {
        drop(Object::take(object));
        pass.fail();
        suspected.notify_one();
    }
    drop(place);
}

/// Only `hand_back` and `drop` take what is held, and both end the connection.
const HELD: &str = "held until it is handed back";

impl Deref for Connection {
    type Target = deadpool_postgres::ClientWrapper;

    fn deref(&self) -> &Self::Target {
        self.object()
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.held.as_mut().expect(HELD).object
    }
}
