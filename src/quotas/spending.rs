//! Tokens of the chat model by day, credential and tenant.
//!
//! * PostgreSQL has the sum of all servers; what this one has used since it was written down is added. It is written
//!   every second and at the end: a server that is killed forgets a second, a restart nothing.
//! * While the database is away the last known sum and what was used here since hold; nothing is forgotten.
//! * A call is let in while something is left, so the last ones may use more than that: at most what the calls under
//!   way at once use (`server.max_answers`).
//! * Bounds: [`MOST`] sums of this day.
//! * Cancel safety: what a call that is dropped has used until then counts, by its length.

use super::limits::Limits;
use crate::error::{Code, Error};
use crate::identity::Identity;
use mcp_rag_actors::generator::Usage;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{StoreHandle, TenantId, TokensUsed, UseTokens};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use time::{Date, OffsetDateTime};

const MOST: usize = 20_000;
const WRITE_EVERY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_millis(250);
const WRITE_PATIENCE: Duration = Duration::from_secs(2);
/// Of a text whose tokens nobody has counted.
const BYTES_PER_TOKEN: usize = 4;

/// What has to be within a budget: a credential's use, or with an empty holder a tenant's.
type Whose = (TenantId, Date, String);

/// Whose tokens of a day are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    Key,
    Tenant,
}

impl Spent {
    pub(crate) const ALL: [Self; 2] = [Self::Key, Self::Tenant];

    /// As `degraded` has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key_tokens_used_up",
            Self::Tenant => "tenant_tokens_used_up",
        }
    }

    /// For whom nothing else will do.
    #[must_use]
    pub fn error(self) -> Error {
        let whose = match self {
            Self::Key => "credential",
            Self::Tenant => "tenant",
        };
        let message = format!("the {whose}'s tokens of the chat model are used up until midnight (UTC)");
        let now = OffsetDateTime::now_utc();
        let midnight = now.date().next_day().map_or(now, |day| day.midnight().assume_utc());
        let rest = Duration::try_from(midnight - now).unwrap_or_default();
        Error::new(Code::RateLimited, message).about("degrade").retry_after(rest)
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Spending(Arc<Inner>);

struct Inner {
    store: StoreHandle,
    sums: Mutex<HashMap<Whose, Sum>>,
    /// One at a time, or what is written would be written twice.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Sum {
    /// As it was read last.
    known: u64,
    /// Not written down yet.
    pending: u64,
}

impl Spending {
    pub(super) fn new(store: StoreHandle) -> Self {
        Self(Arc::new(Inner { store, sums: Mutex::default(), writing: tokio::sync::Mutex::default() }))
    }

    fn sums(&self) -> MutexGuard<'_, HashMap<Whose, Sum>> {
        self.0.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose tokens of this day are used up; none when something is left.
    pub(super) async fn spent(&self, identity: &Identity, key: Limits, tenant: Limits) -> Option<Spent> {
        let holder = identity.credential.holder().zip(key.tokens());
        let limited = holder.into_iter().chain(tenant.tokens().map(|most| (String::new(), most)));
        let (holders, most): (Vec<String>, Vec<u64>) = limited.unzip();
        if holders.is_empty() {
            return None;
        }
        let day = OffsetDateTime::now_utc().date();
        let used = TokensUsed { tenant: identity.tenant, day, holders: holders.clone() };
        let read = self.0.store.call(used, Deadline::within(PATIENCE)).await;
        let mut sums = self.sums();
        for (at, (holder, most)) in holders.into_iter().zip(most).enumerate() {
            let spent = if holder.is_empty() { Spent::Tenant } else { Spent::Key };
            let known = read.as_ref().ok().and_then(|used| u64::try_from(*used.get(at)?).ok());
            let place = (identity.tenant, day, holder);
            let used = match (known, sums.get_mut(&place)) {
                (Some(known), Some(sum)) => {
                    sum.known = known;
                    known + sum.pending
                }
                (Some(known), None) => known,
                (None, sum) => sum.map_or(0, |sum| sum.known + sum.pending),
            };
            if used >= most {
                return Some(spent);
            }
        }
        None
    }

    fn add(&self, tenant: TenantId, holder: Option<String>, tokens: u64) {
        let day = OffsetDateTime::now_utc().date();
        let mut sums = self.sums();
        if sums.len() + 2 > MOST {
            sums.retain(|(.., of, _), sum| *of == day && sum.pending > 0);
        }
        for holder in holder.into_iter().chain([String::new()]) {
            let place = (tenant, day, holder);
            if sums.len() < MOST || sums.contains_key(&place) {
                sums.entry(place).or_default().pending += tokens;
            }
        }
    }

    /// Writes down what was used, every second, for as long as it is polled.
    pub(crate) async fn keep_up(&self) {
        loop {
            tokio::time::sleep(WRITE_EVERY).await;
            self.write_down().await;
        }
    }

    /// Writes down what was used since the last time.
    pub async fn write_down(&self) {
        let _alone = self.0.writing.lock().await;
        let mut batches: BTreeMap<(TenantId, Date), Vec<(String, i64)>> = BTreeMap::new();
        let today = OffsetDateTime::now_utc().date();
        {
            let mut sums = self.sums();
            sums.retain(|(_, day, _), sum| sum.pending > 0 || *day == today);
            for ((tenant, day, holder), sum) in sums.iter().filter(|(_, sum)| sum.pending > 0) {
                let tokens = i64::try_from(sum.pending).unwrap_or(i64::MAX);
                batches.entry((*tenant, *day)).or_default().push((holder.clone(), tokens));
            }
        }
        for ((tenant, day), used) in batches {
            let add = UseTokens { tenant, day, used: used.clone() };
            if let Err(error) = self.0.store.call(add, Deadline::within(WRITE_PATIENCE)).await {
                let error = Error::from(error);
                if !error.is_temporary() {
                    tracing::error!(cause = error.cause, "tokens that were used cannot be written down");
                }
                return;
            }
            let mut sums = self.sums();
            for (holder, tokens) in used {
                if let Some(sum) = sums.get_mut(&(tenant, day, holder)) {
                    let written = tokens.unsigned_abs();
                    sum.pending -= written.min(sum.pending);
                    sum.known += written;
                }
            }
        }
    }

    /// For a call of the chat model with a prompt of so many bytes.
    pub fn meter(&self, identity: &Identity, prompt: usize) -> Meter {
        Meter {
            spending: self.clone(),
            tenant: identity.tenant,
            holder: identity.credential.holder(),
            bytes: AtomicUsize::new(prompt),
            tokens: OnceLock::new(),
            said: AtomicBool::new(false),
        }
    }
}

/// What one call uses; counted when it is dropped.
pub struct Meter {
    spending: Spending,
    tenant: TenantId,
    holder: Option<String>,
    /// Of the prompt and of what was written.
    bytes: AtomicUsize,
    /// What is known better than by that.
    tokens: OnceLock<u64>,
    said: AtomicBool,
}

impl Meter {
    pub fn wrote(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.said.store(true, Ordering::Relaxed);
    }

    /// How the call ended: what the model says it used, if it does; one that said nothing before it failed used nothing.
    pub fn ended<E>(&self, outcome: &Result<Usage, E>) {
        let tokens = match outcome {
            Ok(usage) => u64::from(usage.prompt_tokens) + u64::from(usage.completion_tokens),
            Err(_) if self.said.load(Ordering::Relaxed) => return,
            Err(_) => 0,
        };
        if outcome.is_err() || tokens > 0 {
            let _ = self.tokens.set(tokens); // a call ends once
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let counted = self.bytes.get_mut().div_ceil(BYTES_PER_TOKEN) as u64;
        let tokens = self.tokens.get().copied().unwrap_or(counted);
        if tokens > 0 {
            self.spending.add(self.tenant, self.holder.take(), tokens);
            metrics::counter!("mcp_rag_llm_tokens_total").increment(tokens);
        }
    }
}
