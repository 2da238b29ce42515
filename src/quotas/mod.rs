//! How much a credential and its tenant may ask for: searches, answers, bytes to ingest, tokens of the chat model
//! ([ADR 24](docs/adr/0024-quotas.md)).
//!
//! * What counts is decided at the entrance of each surface; both the credential's and the tenant's bucket must have
//!   room.
//! * This process's buckets (`buckets`, governor) are always asked, and first, so that a flood of refused requests costs
//!   Redis nothing. Where Redis is configured it has the last word for all replicas; while it is away the local buckets
//!   hold alone, each replica with its part of the limit (`quotas.replicas`).
//! * Bounds: the buckets and what is known of limits are caches of fixed size; no wait is longer than Redis' timeout.
//! * Cancel safety: a request that is dropped was counted.

mod buckets;
mod known;
mod limits;
mod spending;

pub use limits::Limits;
pub use spending::{Meter, Spending, Spent};

use crate::config::Settings;
use crate::error::{Code, Error};
use crate::identity::{Credential, Identity};
use buckets::{Buckets, Name};
use known::Known;
use limits::{PIECE, Rate};
use mcp_rag_actors::cache::{Ask, CacheHandle, Count, Counted, Level};
use mcp_rag_actors::store::{KeyId, StoreHandle, TenantId};
use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

/// What a request takes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Budget {
    Search,
    Answers,
    Ingest,
}

impl Budget {
    fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Answers => "answers",
            Self::Ingest => "ingest",
        }
    }

    /// What one of its units stands for.
    fn unit(self) -> u64 {
        match self {
            Self::Search | Self::Answers => 1,
            Self::Ingest => PIECE,
        }
    }

    /// A limit in words.
    fn described(self, rate: Rate) -> String {
        let per = |time: f64| (time / rate.interval.as_secs_f64()).round();
        match self {
            Self::Search => format!("{} searches a second, {} at once", per(1.0), rate.burst),
            Self::Answers => format!("{} answers a minute, {} at once", per(60.0), rate.burst),
            Self::Ingest => {
                let bytes = (PIECE as f64 / rate.interval.as_secs_f64()).round();
                format!("{bytes} bytes a second to ingest, {} at once", u64::from(rate.burst) * PIECE)
            }
        }
    }

    /// Units of a body of so many bytes; of a request without one, one.
    pub(crate) fn units(self, bytes: u64) -> u32 {
        match self {
            Self::Search | Self::Answers => 1,
            Self::Ingest => u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX).max(1),
        }
    }
}

/// How the tightest of the buckets stands, in what its budget is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub limit: u64,
    pub remaining: u64,
    /// Until it is full again, now and when it is empty.
    pub full_in: Duration,
    pub window: Duration,
}

/// Why a request is refused.
#[derive(Debug)]
pub struct Refused {
    pub error: Error,
    pub standing: Standing,
}

/// Who decided.
#[derive(Debug, Clone, Copy)]
enum Decider {
    /// This process, for itself or because it alone has admitted too much already.
    Local,
    Shared,
    /// This process, while Redis is away.
    Fallback,
}

impl Decider {
    fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Shared => "shared",
            Self::Fallback => "fallback",
        }
    }
}

/// The limits that apply to a request: the credential's, the tenant's.
#[derive(Debug)]
pub struct Applying {
    budget: Budget,
    names: Vec<Name>,
    replicas: u32,
}

pub struct Quotas {
    cache: CacheHandle,
    known: Known,
    buckets: Buckets,
    pub spending: Spending,
}

impl Quotas {
    #[must_use]
    pub fn new(store: StoreHandle, cache: CacheHandle) -> Self {
        let (known, spending) = (Known::new(store.clone()), Spending::new(store));
        Self { cache, known, buckets: Buckets::default(), spending }
    }

    /// The credential's limits and its tenant's, as set or else as configured.
    async fn limits(&self, identity: &Identity, settings: &Settings) -> (Limits, Limits) {
        let key = match identity.credential {
            Credential::Key(id) => Some(id),
            Credential::None | Credential::Token | Credential::Jwt { .. } | Credential::Server => None,
        };
        let seen = self.known.of(identity.tenant, key, &settings.auth).await;
        (seen.key.over(settings.quotas.key), seen.tenant.over(settings.quotas.tenant))
    }

    /// None where nothing is limited.
    pub async fn applying(
        &self,
        identity: &Identity,
        budget: Budget,
        settings: &Settings,
    ) -> Option<Applying> {
        let (of_key, of_tenant) = self.limits(identity, settings).await;
        let largest = settings.server.max_body_bytes as u64;
        let name = |holder, limits: Limits| {
            let rate = limits.rate(budget, largest)?;
            Some(Name { tenant: identity.tenant, holder, budget, rate })
        };
        let of_key = identity.credential.holder().and_then(|holder| name(Some(Arc::from(holder)), of_key));
        let names: Vec<Name> = of_key.into_iter().chain(name(None, of_tenant)).collect();
        (!names.is_empty()).then_some(Applying { budget, names, replicas: settings.quotas.replicas })
    }

    /// Counts a request of so many units, or says why it has to wait.
    ///
    /// # Errors
    /// [`Code::RateLimited`], naming the budget, whose it is and when to come again.
    pub async fn take(&self, applying: &Applying, units: u32) -> Result<Standing, Box<Refused>> {
        let Applying { names, replicas, .. } = applying;
        // Alone, this process grants its part; beside Redis it only holds back what is too much for all.
        let alone = !self.cache.is_shared();
        let levels = self.take_here(applying, if alone { *replicas } else { 1 }, units).await;
        let levels = levels.map_err(|levels| refused(applying, &levels, Decider::Local))?;
        if alone {
            return Ok(admitted(applying, &levels, Decider::Local));
        }
        let asks = names.iter().map(|name| ask(name, units));
        match self.cache.count(asks.collect()).await {
            Count::Counted(Counted { admitted: true, levels }) => {
                Ok(admitted(applying, &levels, Decider::Shared))
            }
            Count::Counted(Counted { admitted: false, levels }) => {
                Err(refused(applying, &levels, Decider::Shared))
            }
            Count::Away if *replicas > 1 => {
                let levels = self.take_here(applying, *replicas, units).await;
                let levels = levels.map_err(|levels| refused(applying, &levels, Decider::Fallback))?;
                Ok(admitted(applying, &levels, Decider::Fallback))
            }
            Count::Away | Count::NotConfigured => Ok(admitted(applying, &levels, Decider::Fallback)),
        }
    }

    /// In this process: the credential's bucket first, so that what it is refused costs its tenant nothing.
    async fn take_here(
        &self,
        applying: &Applying,
        replicas: u32,
        units: u32,
    ) -> Result<Vec<Level>, Vec<Level>> {
        let mut levels = Vec::with_capacity(applying.names.len());
        for name in &applying.names {
            let name = Name { rate: name.rate.share(replicas), ..name.clone() };
            let (given, level) = self.buckets.take(&name, units).await;
            levels.push(level);
            if !given {
                return Err(levels);
            }
        }
        Ok(levels)
    }

    /// Whose tokens of the chat model are used up for this day; none when it may be called.
    pub async fn spent(&self, identity: &Identity, settings: &Settings) -> Option<Spent> {
        let (key, tenant) = self.limits(identity, settings).await;
        self.spending.spent(identity, key, tenant).await
    }

    /// After a key's limits were changed: this process sees it at once.
    pub async fn forget(&self, tenant: TenantId, key: KeyId) {
        self.known.forget(tenant, key).await;
    }

    /// Brings the gauge up to date.
    pub(crate) fn measure(&self) {
        metrics::gauge!("mcp_rag_quota_buckets").set(self.buckets.len() as f64);
    }
}

/// One slot of a cluster for all buckets of a tenant, since one script asks them together.
fn ask(name: &Name, units: u32) -> Ask {
    let holder = name.holder.as_deref().unwrap_or_default();
    Ask {
        bucket: format!("mcp-rag:quota:1:{{{}}}:{}:{holder}", name.tenant, name.budget.as_str()),
        interval: name.rate.interval,
        burst: name.rate.burst,
        units: units.min(name.rate.burst),
    }
}

fn count(budget: Budget, decider: Decider, outcome: &'static str) {
    let labels = [("budget", budget.as_str()), ("level", decider.as_str()), ("outcome", outcome)];
    metrics::counter!("mcp_rag_quota_requests_total", &labels).increment(1);
}

fn standing(budget: Budget, rate: Rate, level: Level) -> Standing {
    Standing {
        limit: u64::from(rate.burst) * budget.unit(),
        remaining: u64::from(level.remaining) * budget.unit(),
        full_in: level.full_in,
        window: rate.window(),
    }
}

fn admitted(applying: &Applying, levels: &[Level], decider: Decider) -> Standing {
    count(applying.budget, decider, "admitted");
    let all = applying.names.iter().zip(levels);
    let all = all.map(|(name, level)| standing(applying.budget, name.rate, *level));
    let part = |one: &Standing| one.remaining as f64 / one.limit.max(1) as f64;
    let tightest = all.min_by(|one, other| part(one).partial_cmp(&part(other)).unwrap_or(Ordering::Equal));
    tightest.unwrap_or(Standing { limit: 0, remaining: 0, full_in: Duration::ZERO, window: Duration::ZERO })
}

fn refused(applying: &Applying, levels: &[Level], decider: Decider) -> Box<Refused> {
    count(applying.budget, decider, "limited");
    let refusing = applying.names.iter().zip(levels).max_by_key(|(_, level)| level.wait);
    let Some((name, level)) = refusing else {
        let standing = Standing { limit: 0, remaining: 0, full_in: Duration::ZERO, window: Duration::ZERO };
        return Box::new(Refused { error: Error::new(Code::RateLimited, "the limit is used up"), standing });
    };
    let whose = if name.holder.is_some() { "credential" } else { "tenant" };
    let described = applying.budget.described(name.rate);
    let wait = level.wait.as_secs_f64();
    let message = format!("the {whose}'s limit is used up ({described}): try again in {wait:.1} s");
    let error = Error::new(Code::RateLimited, message).retry_after(level.wait);
    Box::new(Refused { error, standing: standing(applying.budget, name.rate, *level) })
}
