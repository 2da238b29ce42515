//! The buckets of this process: what it has admitted itself, whether or not Redis can be asked.

use super::Budget;
use super::limits::Rate;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use mcp_rag_actors::cache::Level;
use mcp_rag_actors::store::TenantId;
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Those used longest ago make room: a bucket comes back full, so the newest must not be refused one.
const MOST: u64 = 50_000;
/// Of a bucket that nobody asks; longer than most need to be full again.
const IDLE: Duration = Duration::from_secs(12 * 3600);

type Limiter = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, StateInformationMiddleware>;

/// Whose bucket, and how large: after a change of limits it is another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) tenant: TenantId,
    /// None: the tenant as a whole.
    pub(super) holder: Option<Arc<str>>,
    pub(super) budget: Budget,
    pub(super) rate: Rate,
}

pub(super) struct Buckets {
    limiters: Cache<Name, Arc<Limiter>>,
    clock: MonotonicClock,
}

impl Default for Buckets {
    fn default() -> Self {
        let limiters = Cache::builder()
            .max_capacity(MOST)
            .time_to_idle(IDLE)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { limiters, clock: MonotonicClock }
    }
}

impl Buckets {
    /// Takes so many units if they are there; how the bucket stands, and whether it gave them.
    pub(super) async fn take(&self, name: &Name, units: u32) -> (bool, Level) {
        let rate = name.rate;
        let limiter = self.limiters.get_with_by_ref(name, async { Arc::new(limiter(rate)) }).await;
        // More than a bucket ever holds empties it: bodies are bounded elsewhere.
        let units = NonZeroU32::new(units.min(rate.burst)).unwrap_or(NonZeroU32::MIN);
        match limiter.check_n(units) {
            Ok(Ok(state)) => {
                let remaining = state.remaining_burst_capacity();
                let full_in = rate.interval * rate.burst.saturating_sub(remaining);
                (true, Level { remaining, full_in, wait: Duration::ZERO })
            }
            Ok(Err(early)) => {
                let wait = early.wait_time_from(self.clock.now());
                // What is missing now, and what would be taken then.
                let full_in = (rate.window() + wait).saturating_sub(rate.interval * units.get());
                let missing = full_in.as_nanos().div_ceil(rate.interval.as_nanos().max(1));
                let missing = u32::try_from(missing).unwrap_or(u32::MAX);
                (false, Level { remaining: rate.burst.saturating_sub(missing), full_in, wait })
            }
            Err(_) => (false, Level { remaining: 0, full_in: rate.window(), wait: rate.window() }),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.limiters.entry_count()
    }
}

fn limiter(rate: Rate) -> Limiter {
    let interval = rate.interval.max(Duration::from_nanos(1));
    let burst = NonZeroU32::new(rate.burst).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(burst)).allow_burst(burst);
    RateLimiter::direct_with_clock(quota, MonotonicClock).with_middleware()
}
