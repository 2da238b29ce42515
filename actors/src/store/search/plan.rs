//! Which way to the nearest chunks is faster: compare all that are selected, or walk the index and leave out
//! what is not. Pure.
//!
//! With `n` of `N` indexed chunks selected and `w` wanted, comparing costs in proportion to `n` and a walk in
//! proportion to the candidates it must look at, `w N / n`; measured, they meet near sqrt(10 w N)
//! (docs/adr/0015-filters.md).

use serde::{Deserialize, Serialize};

/// How the nearest chunks are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Each selected chunk is compared: nothing is missed.
    Exact,
    /// The HNSW index is walked.
    Index,
    /// In memory, without PostgreSQL.
    Hot,
}

impl Plan {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Index => "index",
            Self::Hot => "hot",
        }
    }
}

/// Always compared: quicker than any walk.
const FEW: f64 = 2_000.0;
/// Never compared unless a walk came back short: it would take long.
const MANY: f64 = 20_000.0;
/// pgvector's own limit.
const WIDEST: f64 = 1_000.0;
/// Candidates per chunk wanted: a walk that meets just enough chunks meets not the nearest.
const SPARE: f64 = 3.0;

pub(super) fn choose(selected: i64, all: i64, wanted: u16) -> Plan {
    let crossover = (10.0 * f64::from(wanted) * all.max(1) as f64).sqrt();
    if selected as f64 <= crossover.clamp(FEW, MANY) { Plan::Exact } else { Plan::Index }
}

/// How many candidates a walk must keep so that enough of them are selected, and the nearest of those: without a
/// filter `ef` would do, and the fewer are selected the more it takes (fitted to a recall of .97, `bench filters`).
pub(super) fn width(selected: i64, all: i64, wanted: u16, ef: u16) -> u16 {
    let share = (selected.max(1) as f64 / all.max(1) as f64).min(1.0);
    let enough = SPARE * f64::from(wanted) / share;
    let nearest = f64::from(ef) * share.powi(-2).min(1.35) * share.powf(-0.25);
    enough.max(nearest).clamp(1.0, WIDEST).ceil() as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn few_are_compared_and_a_walk_past_more_is_wider_the_fewer_are_selected() {
        assert_eq!(choose(1_000, 100_000, 10), Plan::Exact);
        assert_eq!(choose(50_000, 100_000, 10), Plan::Index);
        assert_eq!(choose(10_000, 100_000, 10), Plan::Index);
        assert_eq!(width(50_000, 100_000, 10, 200), 322);
        assert_eq!(width(10_000, 100_000, 10, 200), 481);
        assert_eq!(width(4_000, 100_000, 10, 200), 750);
        assert_eq!(width(100_000, 100_000, 10, 200), 200);
    }

    proptest! {
        #[test]
        fn a_plan_and_a_width_exist_for_any_counts(
            selected in any::<i64>(), all in any::<i64>(), wanted in 1_u16..=1000, ef in 1_u16..=1000,
        ) {
            let plan = choose(selected, all, wanted);
            prop_assert!(selected > 2_000 || plan == Plan::Exact);
            prop_assert!((1..=1000).contains(&width(selected, all, wanted, ef)));
        }
    }
}
