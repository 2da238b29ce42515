//! Who did what: writes, uses of keys, and denials, in the database's audit log (docs/adr/0027-audit-log.md).
//!
//! A write is in the log before it is acknowledged, or, while the log cannot be written, in memory until it can. What
//! is refused is only noted, so that nobody slows the server by being refused. Bounds: [`MOST_PENDING`] entries in
//! memory; what finds no room is counted and told by the server's own log.

use crate::identity::{Credential, Identity};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{NewEntry, RecordEntries, StoreHandle, TenantId};
use moka::sync::Cache;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;

/// Nobody's: of credentials that are not known.
pub const NOBODY: TenantId = TenantId(0);
const MOST_PENDING: usize = 1_000;
/// How long a write waits for its entry.
const PATIENCE: Duration = Duration::from_secs(1);
const FLUSH: Duration = Duration::from_secs(5);
/// Keys whose use is remembered, and for how long.
const MOST_USED: u64 = 10_000;
const USED_EVERY: Duration = Duration::from_secs(3600);
/// Characters of what the caller has chosen.
const MOST_TARGET: usize = 1_024;

/// What happened, and to what.
#[derive(Debug, Default)]
pub struct Event {
    pub action: String,
    pub target: String,
    pub status: u16,
    pub request_id: String,
    pub peer: String,
}

pub struct Audit {
    store: StoreHandle,
    pending: Mutex<VecDeque<(TenantId, NewEntry)>>,
    /// Keys whose use is told.
    used: Cache<Credential, ()>,
}

impl Audit {
    pub(crate) fn new(store: StoreHandle) -> Self {
        let used = Cache::builder().max_capacity(MOST_USED).time_to_live(USED_EVERY).build();
        Self { store, pending: Mutex::default(), used }
    }

    /// Returns when the entry is written down, or put off because that is not possible now.
    pub async fn record(&self, identity: &Identity, event: Event) {
        let (tenant, entry) = (identity.tenant, entry(actor(identity), event));
        let record = RecordEntries { tenant, entries: vec![entry.clone()] };
        if let Err(error) = self.store.call(record, Deadline::within(PATIENCE)).await {
            tracing::warn!(%error, %tenant, actor = entry.actor, action = entry.action, status = entry.status,
                "an entry of the audit log is put off");
            self.put_off(tenant, entry);
        }
    }

    /// Written down soon.
    pub fn note(&self, identity: Option<&Identity>, event: Event) {
        let tenant = identity.map_or(NOBODY, |identity| identity.tenant);
        let actor = identity.map_or_else(|| "none".to_owned(), actor);
        self.put_off(tenant, entry(actor, event));
    }

    /// Somebody came with a key: told once in an hour.
    pub fn used(&self, identity: &Identity) {
        let entry = self.used.entry_by_ref(&identity.credential).or_insert(());
        if entry.is_fresh() {
            let action = "use of a key".to_owned();
            let target = actor(identity);
            self.note(Some(identity), Event { action, target, status: 200, ..Event::default() });
        }
    }

    fn put_off(&self, tenant: TenantId, entry: NewEntry) {
        let mut pending = self.pending();
        if pending.len() < MOST_PENDING {
            pending.push_back((tenant, entry));
            return;
        }
        drop(pending);
        metrics::counter!("mcp_rag_audit_dropped_total").increment(1);
        tracing::debug!(%tenant, actor = entry.actor, action = entry.action, status = entry.status,
            "an entry of the audit log found no room");
    }

    /// Writes down what was put off; what cannot be stays.
    pub async fn flush(&self) {
        let mut by_tenant: HashMap<TenantId, Vec<NewEntry>> = HashMap::new();
        for (tenant, entry) in std::mem::take(&mut *self.pending()) {
            by_tenant.entry(tenant).or_default().push(entry);
        }
        for (tenant, entries) in by_tenant {
            let record = RecordEntries { tenant, entries: entries.clone() };
            if let Err(error) = self.store.call(record, Deadline::within(FLUSH)).await {
                tracing::debug!(%error, "the audit log cannot be written now");
                entries.into_iter().for_each(|entry| self.put_off(tenant, entry));
            }
        }
    }

    fn pending(&self) -> MutexGuard<'_, VecDeque<(TenantId, NewEntry)>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry(actor: String, event: Event) -> NewEntry {
    let Event { action, target, status, request_id, peer } = event;
    // The path as it was sent, and PostgreSQL takes every character but this one.
    let target = target.chars().filter(|letter| *letter != '\0').take(MOST_TARGET).collect();
    let (at, status) = (OffsetDateTime::now_utc(), i16::try_from(status).unwrap_or_default());
    NewEntry { at, actor, action, target, status, request_id, peer }
}

/// Which credential it was.
fn actor(identity: &Identity) -> String {
    identity.credential.holder().unwrap_or_else(|| "server".to_owned())
}
