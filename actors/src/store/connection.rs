//! A pooled connection, bound to one tenant while it is in use, and what becomes of it afterwards.
//!
//! A connection that is handed back goes to the pool at once. One that is dropped otherwise (its caller
//! left, the deadline passed, an error returned early) may still run a statement: it is settled in the
//! background first, by cancelling what runs and waiting until the server has answered, so that the
//! next caller never waits behind a stranger's statement. Bounds: as many at once as the pool has
//! connections, and [`SETTLED_WITHIN`] each; what takes longer is closed, and tells that the server is
//! silent.

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

/// Also tells the server when to give up by itself: cancelling is a second connection, which may fail.
const BIND: &str =
    "SELECT set_config('mcp_rag.tenant_id', $1, false), set_config('statement_timeout', $2, false)";

/// A connection that answers within this was idle.
const IDLE_WITHIN: Duration = Duration::from_millis(5);
const SETTLED_WITHIN: Duration = Duration::from_secs(1);

/// Few values, so that the deadline's exact length is nobody's business; each at least the time left.
const LIMITS: [u64; 9] = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

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
        let statement = self.prepare_cached(BIND).await?;
        let (id, limit) = (tenant.0.to_string(), limit(deadline.remaining(), self.longest));
        self.execute(&statement, &[&id, &limit]).await?;
        Ok(())
    }

    /// Statements that only read, bound to their tenant in the same round trip: they are sent behind the
    /// binding without waiting for the answer, and a session answers in the order it is asked. Where the
    /// binding fails the rows are dropped unseen; and as every statement names its tenant besides, a
    /// session that still belonged to another tenant would find nothing.
    pub(super) async fn read(
        &self,
        tenant: TenantId,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
        deadline: Deadline,
    ) -> Result<Vec<Row>, StoreError> {
        let bind = self.prepare_cached(BIND).await?;
        let (id, limit) = (tenant.0.to_string(), limit(deadline.remaining(), self.longest));
        let binding: [&(dyn ToSql + Sync); 2] = [&id, &limit];
        // This `join!`, unlike tokio's, polls from first to last, and a request is sent when first polled.
        let (bound, rows) =
            futures_util::join!(self.execute(&bind, &binding), self.query(statement, parameters));
        bound?;
        Ok(rows?)
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

/// What `statement_timeout` is set to, in milliseconds.
fn limit(left: Duration, longest: Duration) -> String {
    let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    LIMITS.into_iter().find(|limit| *limit >= left).unwrap_or(u64::MAX).min(longest).to_string()
}

/// Only `hand_back` and `drop` take what is held, and both end the connection.
const HELD: &str = "held until it is handed back";

impl Deref for Connection {
    type Target = deadpool_postgres::ClientWrapper;

    fn deref(&self) -> &Self::Target {
        &self.held.as_ref().expect(HELD).object
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.held.as_mut().expect(HELD).object
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_server_gives_a_statement_the_time_that_is_left_and_never_more_than_allowed(
            left in 0_u64..100_000, longest in 1_u64..100_000,
        ) {
            let set: u64 = limit(Duration::from_millis(left), Duration::from_millis(longest)).parse().unwrap();
            prop_assert!(set <= longest && set > 0);
            prop_assert!(set >= left.min(longest));
        }
    }
}
