//! Writes that may be repeated: what a key's request did, recorded in the transaction that did it.
//!
//! * A key is claimed with a lease before its request is carried out, and fenced: a request whose claim was taken
//!   over cannot commit, so of all requests with one key at most one takes effect, on however many servers.
//! * A write that is sent by [`StoreHandle::once`] records its reply beside its rows. Whoever takes the key up after a
//!   server was lost gets that reply again, and the write is not done twice.
//! * Whether the lease is renewed, given back or runs out never matters for what is right, only for how soon a
//!   repetition is answered.

use super::error::StoreError;
use super::ids::TenantId;
use super::{Store, StoreHandle, only_row};
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use deadpool_postgres::Transaction;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::types::ToSql;

/// A key as its caller named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub tenant: TenantId,
    /// SHA-256 of the credential.
    pub caller: Vec<u8>,
    pub key: String,
}

/// A key held by one request, and what an earlier one has done under it already.
#[derive(Debug, Clone)]
pub struct HeldKey {
    pub key: Arc<IdempotencyKey>,
    pub claim: Arc<str>,
    /// Of the request, complete by the time of the write.
    pub fingerprint: Vec<u8>,
    pub done: Option<Value>,
}

/// An answer to give again.
#[derive(Debug, Clone)]
pub struct StoredResponse {
    pub fingerprint: Vec<u8>,
    pub status: u16,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone)]
pub enum Claimed {
    /// Ours now; an earlier request, which was lost before it answered, had this fingerprint and this effect.
    Held {
        fingerprint: Option<Vec<u8>>,
        done: Option<Value>,
    },
    /// Another request with it is under way.
    Running,
    Answered(StoredResponse),
}

/// Takes a key for one request.
#[derive(Debug, Clone)]
pub struct ClaimKey {
    pub key: Arc<IdempotencyKey>,
    pub claim: Arc<str>,
    pub lease: Duration,
    /// How long the answer is kept.
    pub keep: Duration,
}

impl Request for ClaimKey {
    type Reply = Result<Claimed, StoreError>;

    // A claim that was made but not heard of is made again by the same name.
    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// What has expired is as good as not there.
const CLAIM: &str = "
INSERT INTO idempotency_keys AS k (tenant_id, caller, key, claim, lease_until, expires_at)
VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5), now() + make_interval(secs => $6))
ON CONFLICT (tenant_id, caller, key) DO UPDATE
SET claim = $4, lease_until = now() + make_interval(secs => $5),
    expires_at = CASE WHEN k.expires_at < now() THEN now() + make_interval(secs => $6) ELSE k.expires_at END,
    fingerprint = CASE WHEN k.expires_at < now() THEN NULL ELSE k.fingerprint END,
    effect = CASE WHEN k.expires_at < now() THEN NULL ELSE k.effect END, status = NULL, response = NULL
WHERE (k.status IS NULL AND (k.lease_until < now() OR k.claim = $4)) OR (k.expires_at < now() AND k.lease_until < now())
RETURNING fingerprint, effect";

impl Serve<ClaimKey> for Store {
    async fn serve(self: Rc<Self>, claim: ClaimKey, deadline: Deadline) -> Result<Claimed, StoreError> {
        let IdempotencyKey { tenant, caller, key } = claim.key.as_ref();
        let connection = self.connection(*tenant, deadline).await?;
        let statement = connection.prepare_cached(CLAIM).await?;
        let (lease, keep) = (claim.lease.as_secs_f64(), claim.keep.as_secs_f64());
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&tenant.0, caller, key, &claim.claim.as_ref(), &lease, &keep];
        let claimed = match connection.query_opt(&statement, &parameters).await? {
            Some(row) => Claimed::Held { fingerprint: row.get(0), done: row.get(1) },
            None => {
                let sql = "SELECT fingerprint, status, content_type, response FROM idempotency_keys \
                           WHERE tenant_id = $1 AND caller = $2 AND key = $3 AND status IS NOT NULL";
                let statement = connection.prepare_cached(sql).await?;
                let row = connection.query_opt(&statement, &parameters[..3]).await?;
                row.map_or(Claimed::Running, |row| {
                    Claimed::Answered(StoredResponse {
                        fingerprint: row.get::<_, Option<Vec<u8>>>(0).unwrap_or_default(),
                        status: u16::try_from(row.get::<_, i16>(1)).unwrap_or(500),
                        content_type: row.get(2),
                        body: row.get::<_, Option<Vec<u8>>>(3).unwrap_or_default(),
                    })
                })
            }
        };
        self.done(*tenant, connection);
        Ok(claimed)
    }
}

/// What becomes of a key that is held.
#[derive(Debug, Clone)]
pub enum Settle {
    /// Its request goes on.
    Renew(Duration),
    /// Its request was answered like this.
    Answer(StoredResponse),
    /// Its request was not answered: forgotten, unless it took effect.
    Release,
}

/// Changes nothing when the claim was taken over.
#[derive(Debug, Clone)]
pub struct SettleKey {
    pub key: Arc<IdempotencyKey>,
    pub claim: Arc<str>,
    pub settle: Settle,
}

impl Request for SettleKey {
    type Reply = Result<(), StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<SettleKey> for Store {
    async fn serve(self: Rc<Self>, settle: SettleKey, deadline: Deadline) -> Result<(), StoreError> {
        const MINE: &str = "WHERE tenant_id = $1 AND caller = $2 AND key = $3 AND claim = $4";
        let IdempotencyKey { tenant, caller, key } = settle.key.as_ref();
        let connection = self.connection(*tenant, deadline).await?;
        let mine: [&(dyn ToSql + Sync); 4] = [&tenant.0, caller, key, &settle.claim.as_ref()];
        match &settle.settle {
            Settle::Renew(lease) => {
                let sql = format!(
                    "UPDATE idempotency_keys SET lease_until = now() + make_interval(secs => $5) {MINE}"
                );
                let statement = connection.prepare_cached(&sql).await?;
                let seconds = lease.as_secs_f64();
                let rest: [&(dyn ToSql + Sync); 1] = [&seconds];
                connection.execute(&statement, &[&mine[..], &rest[..]].concat()).await?;
            }
            Settle::Answer(answer) => {
                let sql = format!(
                    "UPDATE idempotency_keys SET lease_until = now(), fingerprint = $5, status = $6, \
                     content_type = $7, response = $8 {MINE}"
                );
                let statement = connection.prepare_cached(&sql).await?;
                let status = answer.status.cast_signed();
                let rest: [&(dyn ToSql + Sync); 4] =
                    [&answer.fingerprint, &status, &answer.content_type, &answer.body];
                connection.execute(&statement, &[&mine[..], &rest[..]].concat()).await?;
            }
            Settle::Release => {
                let sql = format!("DELETE FROM idempotency_keys {MINE} AND effect IS NULL");
                let statement = connection.prepare_cached(&sql).await?;
                if connection.execute(&statement, &mine).await? == 0 {
                    let sql = format!("UPDATE idempotency_keys SET lease_until = now() {MINE}");
                    let statement = connection.prepare_cached(&sql).await?;
                    connection.execute(&statement, &mine).await?;
                }
            }
        }
        self.done(*tenant, connection);
        Ok(())
    }
}

tokio::task_local! {
    /// The key that the write of this task is done under.
    static HELD: HeldKey;
}

/// A write under a key.
#[derive(Debug)]
struct Once<M>(HeldKey, M);

impl<M, T> Request for Once<M>
where
    M: Request<Reply = Result<T, StoreError>>,
    T: Send + 'static,
{
    type Reply = Result<T, StoreError>;

    fn priority(&self) -> Priority {
        self.1.priority()
    }
}

impl<M, T> Serve<Once<M>> for Store
where
    M: Request<Reply = Result<T, StoreError>>,
    T: Send + 'static,
    Store: Serve<M>,
{
    fn serve(
        self: Rc<Self>,
        Once(held, message): Once<M>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<T, StoreError>> {
        HELD.scope(held, <Self as Serve<M>>::serve(self, message, deadline))
    }
}

impl StoreHandle {
    /// A write that is not done again when its key's earlier request has done it: then that one's reply is given.
    /// Only for messages whose transactions end with [`commit`].
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the claim was taken over meanwhile: nothing was written.
    pub async fn once<M, T>(
        &self,
        key: Option<HeldKey>,
        message: M,
        deadline: Deadline,
    ) -> Result<T, StoreError>
    where
        M: Request<Reply = Result<T, StoreError>>,
        Store: Serve<M>,
        T: DeserializeOwned + Send + 'static,
    {
        match key {
            None => self.call(message, deadline).await,
            Some(HeldKey { done: Some(done), .. }) => recorded(done),
            Some(key) => self.call::<Once<M>, T>(Once(key, message), deadline).await,
        }
    }
}

/// A reply as [`commit`] has recorded it.
pub fn recorded<T: DeserializeOwned>(done: Value) -> Result<T, StoreError> {
    let read = serde_json::from_value(done);
    read.map_err(|error| StoreError::Internal(format!("a recorded reply cannot be read: {error}")))
}

/// Commits a write, with its reply recorded if it is done under a key.
pub(super) async fn commit(transaction: Transaction<'_>, reply: &impl Serialize) -> Result<(), StoreError> {
    record(&transaction, reply).await?;
    Ok(transaction.commit().await?)
}

/// The same where the reply is all there is to commit.
pub(super) async fn record(transaction: &Transaction<'_>, reply: &impl Serialize) -> Result<(), StoreError> {
    if let Ok(held) = HELD.try_with(HeldKey::clone) {
        let IdempotencyKey { tenant, caller, key } = held.key.as_ref();
        let sql = "UPDATE idempotency_keys SET effect = $5, fingerprint = $6 \
                   WHERE tenant_id = $1 AND caller = $2 AND key = $3 AND claim = $4 AND effect IS NULL RETURNING 1";
        let statement = transaction.prepare_cached(sql).await?;
        let effect = serde_json::to_value(reply).map_err(|error| StoreError::Internal(error.to_string()))?;
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&tenant.0, caller, key, &held.claim.as_ref(), &effect, &held.fingerprint];
        only_row(&transaction.query(&statement, &parameters).await?, "idempotency key").map_err(|_| {
            StoreError::Conflict("another request with the same Idempotency-Key has taken over".to_owned())
        })?;
    }
    Ok(())
}
