use super::{Api, ModelError, settle};
use crate::resilience::{Backoff, Circuit, Deadline, Pass, RetryBudget, random};
use crate::supervise::CallError;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Who goes first when places are scarce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Somebody waits; worth one repeat.
    Interactive,
    /// The caller repeats by itself, later.
    Bulk,
}

/// Before the one repeat, fully jittered.
const REPEAT: Backoff = Backoff { base: Duration::from_millis(50), max: Duration::from_millis(50) };
/// Kept from the deadline for handing back what came.
const RETURN: Duration = Duration::from_millis(20);

/// Calls to one model server, guarded.
pub(crate) struct Guarded {
    api: Api,
    circuit: Circuit,
    budget: RetryBudget,
    places: Semaphore,
    /// Fewer than `places`, so that interactive calls always find some that bulk ones cannot take.
    bulk_places: Semaphore,
    /// For interactive calls, and for bulk ones.
    timeouts: (Duration, Duration),
}

impl Guarded {
    pub(crate) fn new(
        api: Api,
        circuit: Circuit,
        budget: RetryBudget,
        places: usize,
        timeouts: (Duration, Duration),
    ) -> Self {
        let bulk = (places - places / 4).max(1);
        let (places, bulk_places) = (Semaphore::new(places), Semaphore::new(bulk));
        Self { api, circuit, budget, places, bulk_places, timeouts }
    }

    /// Posts `body` and lets `check` make of the reply what was wanted, or say what is wrong with it.
    ///
    /// An interactive call that would be a half-open circuit's probe is made beside its caller, who is told
    /// at once that the circuit is open: nobody waits to find out whether the server is back.
    pub(crate) async fn ask<T: DeserializeOwned, U>(
        self: &Rc<Self>,
        path: &'static str,
        body: &Value,
        max_bytes: usize,
        urgency: Urgency,
        deadline: Deadline,
        check: impl Fn(T) -> Result<U, &'static str> + Clone + 'static,
    ) -> Result<U, ModelError> {
        let _place = self.place(urgency, deadline).await?;
        self.budget.deposit();
        let once = || async {
            let pass = self.circuit.admit()?;
            if urgency == Urgency::Bulk || !pass.is_probe() {
                return self.once(pass, path, body, max_bytes, urgency, deadline, check.clone()).await;
            }
            let (own, body, check) = (Rc::clone(self), body.clone(), check.clone());
            let deadline = Deadline::within(self.timeouts.0 + RETURN);
            actix::spawn(async move {
                let _ = own.once(pass, path, &body, max_bytes, urgency, deadline, check).await;
            });
            Err(ModelError::Open { retry_in: Duration::ZERO })
        };
        let first = once().await;
        let Err(ModelError::Failed { retry_after: None, .. }) = first else { return first };
        if urgency == Urgency::Bulk || deadline.remaining() < self.timeouts.0 || !self.budget.withdraw() {
            return first;
        }
        tokio::time::sleep(REPEAT.full_jitter(1, random::uniform())).await;
        match once().await {
            // It opened meanwhile: what happened to this call says more.
            Err(ModelError::Open { .. }) => first,
            second => second,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call's own parts")]
    async fn once<T: DeserializeOwned, U>(
        &self,
        pass: Pass,
        path: &str,
        body: &Value,
        max_bytes: usize,
        urgency: Urgency,
        deadline: Deadline,
        check: impl Fn(T) -> Result<U, &'static str>,
    ) -> Result<U, ModelError> {
        let timeout = match urgency {
            Urgency::Interactive => self.timeouts.0,
            Urgency::Bulk => self.timeouts.1,
        };
        let asking = async {
            let reply = self.api.json(path, body, max_bytes).await?;
            check(reply).map_err(ModelError::failed)
        };
        let outcome = in_time(asking, timeout, deadline).await;
        match &outcome {
            Ok(_) if urgency == Urgency::Bulk => pass.succeed_unhurried(),
            Ok(_) => pass.succeed(),
            Err(error) => settle(pass, error),
        }
        outcome
    }

    /// Waits for a place within the deadline. Bulk calls wait for their own first, so that no more of
    /// them than there are bulk places stand in the queue of all.
    async fn place(
        &self,
        urgency: Urgency,
        deadline: Deadline,
    ) -> Result<(Option<SemaphorePermit<'_>>, SemaphorePermit<'_>), ModelError> {
        let waiting = async {
            let bulk = match urgency {
                Urgency::Interactive => None,
                Urgency::Bulk => Some(self.bulk_places.acquire().await),
            };
            (bulk.transpose(), self.places.acquire().await)
        };
        match tokio::time::timeout_at(deadline.instant().into(), waiting).await {
            Ok((Ok(bulk), Ok(place))) => Ok((bulk, place)),
            // They are never closed.
            Ok(_) | Err(_) => Err(CallError::Overloaded.into()),
        }
    }
}

/// What `work` comes to within `timeout`, and a moment before the deadline.
pub(crate) async fn in_time<T>(
    work: impl Future<Output = Result<T, ModelError>>,
    timeout: Duration,
    deadline: Deadline,
) -> Result<T, ModelError> {
    let given = deadline.remaining().saturating_sub(RETURN).min(timeout);
    tokio::time::timeout(given, work).await.unwrap_or_else(|_| Err(late(given, timeout)))
}

/// Silence counts against the server only when it had about the time it may take.
fn late(given: Duration, timeout: Duration) -> ModelError {
    if given * 2 >= timeout {
        ModelError::failed(format!("no reply within {given:?}"))
    } else {
        CallError::Timeout.into()
    }
}
