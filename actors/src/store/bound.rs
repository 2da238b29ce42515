//! What a session is bound to: a tenant, what is seen of its documents, a statement's longest time, an index's diligence.

use super::ids::TenantId;
use super::sight::{self, Sight};
use crate::resilience::Deadline;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The limit also tells the server when to give up by itself: cancelling is a second connection, which
/// may fail.
const BIND: &str = "SELECT set_config('mcp_rag.tenant_id', $1, false), set_config('mcp_rag.sees', $2, false), \
    set_config('statement_timeout', $3, false)";
const BIND_WITH_EF: &str = "SELECT set_config('mcp_rag.tenant_id', $1, false), set_config('mcp_rag.sees', $2, false), \
    set_config('statement_timeout', $3, false), set_config('hnsw.ef_search', $4, false)";

/// Few values, so that the deadline's exact length is nobody's business and a session seldom changes;
/// each at least the time left. None is short: the next binding runs under the one before, and must not fail where the
/// machine pauses for a moment.
const LIMITS: [u64; 5] = [1_000, 2_500, 5_000, 10_000, 30_000];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    tenant: TenantId,
    sight: Sight,
    /// `statement_timeout`, in milliseconds.
    limit: u64,
    /// `hnsw.ef_search`; without a value any will do.
    ef: Option<u16>,
}

impl Bound {
    /// For the call that is served now.
    pub(super) fn new(tenant: TenantId, deadline: Deadline, longest: Duration, ef: Option<u16>) -> Self {
        Self { tenant, sight: sight::current(), limit: limit(deadline.remaining(), longest), ef }
    }

    /// Whether a session that is bound so will do for what wants `wanted`.
    pub(super) fn serves(&self, wanted: &Self) -> bool {
        self.tenant == wanted.tenant
            && self.sight == wanted.sight
            && self.limit == wanted.limit
            && (wanted.ef.is_none() || self.ef == wanted.ef)
    }

    /// What is known of a session bound so before, once it is bound to `next`.
    pub(super) fn then(before: Option<Self>, next: &Self) -> Self {
        Self { ef: next.ef.or(before.and_then(|before| before.ef)), ..next.clone() }
    }

    pub(super) fn sql(&self) -> &'static str {
        if self.ef.is_some() { BIND_WITH_EF } else { BIND }
    }

    /// The parameters of [`Self::sql`].
    pub(super) fn values(&self) -> Vec<String> {
        let ef = self.ef.map(|ef| ef.to_string());
        let sight = self.sight.setting().to_owned();
        [self.tenant.0.to_string(), sight, self.limit.to_string()].into_iter().chain(ef).collect()
    }
}

/// What is known of one session. Absent while a binding is under way, and after one that failed.
#[derive(Debug, Default)]
pub(super) struct Binding(Mutex<Option<Bound>>);

impl Binding {
    pub(super) fn serves(&self, wanted: &Bound) -> bool {
        self.lock().as_ref().is_some_and(|bound| bound.serves(wanted))
    }

    /// To be called before anything is sent that may change it, and where that is not certain.
    pub(super) fn forget(&self) -> Option<Bound> {
        self.lock().take()
    }

    /// The server has confirmed it.
    pub(super) fn remember(&self, bound: Bound) {
        *self.lock() = Some(bound);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Bound>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn limit(left: Duration, longest: Duration) -> u64 {
    let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    LIMITS.into_iter().find(|limit| *limit >= left).unwrap_or(u64::MAX).min(longest)
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
            let set = limit(Duration::from_millis(left), Duration::from_millis(longest));
            prop_assert!(set <= longest && set > 0);
            prop_assert!(set >= left.min(longest));
        }

        #[test]
        fn a_session_serves_no_other_tenant_no_other_sight_and_no_other_limit(
            tenant in 0_i64..3, other in 0_i64..3, sees in 0_usize..3, seen in 0_usize..3, limit in 1_u64..3, wanted in 1_u64..3,
            ef in proptest::option::of(1_u16..3), asked in proptest::option::of(1_u16..3),
        ) {
            let sights = [Sight::Public, Sight::Named("a".into()), Sight::All];
            let bound = Bound { tenant: TenantId(tenant), sight: sights[sees].clone(), limit, ef };
            let asked = Bound { tenant: TenantId(other), sight: sights[seen].clone(), limit: wanted, ef: asked };
            let same = tenant == other && sees == seen && limit == wanted && (asked.ef.is_none() || asked.ef == ef);
            prop_assert_eq!(bound.serves(&asked), same);
            prop_assert!(Bound::then(Some(bound), &asked).serves(&asked));
        }
    }

    #[test]
    fn a_binding_without_a_wish_leaves_the_diligence_as_it_was() {
        let bound = Bound { tenant: TenantId(1), sight: Sight::All, limit: 5_000, ef: Some(200) };
        let other = Bound { tenant: TenantId(2), sight: Sight::Public, limit: 50, ef: None };
        let now = Bound::then(Some(bound.clone()), &other);
        assert_eq!((other.values().len(), bound.values().len()), (3, 4));
        assert!(now.serves(&Bound { ef: Some(200), ..other }));
    }
}
