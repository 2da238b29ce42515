/// Who goes first when places run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// A probe: it has places of its own, so that an overload does not look like an outage.
    Health,
    /// Somebody waits for the answer.
    Interactive,
    /// Ingest: it can wait, so it is refused first.
    Bulk,
}

/// Places beyond the admission that only probes may take: few, because probes are rare and short.
const FOR_HEALTH: usize = 8;

impl Priority {
    pub(super) const ALL: [Self; 3] = [Self::Health, Self::Interactive, Self::Bulk];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Interactive => "interactive",
            Self::Bulk => "bulk",
        }
    }

    /// How many places, taken by anybody, still let this priority in.
    pub(super) fn limit(self, admission: usize) -> usize {
        match self {
            Self::Health => admission + FOR_HEALTH,
            Self::Interactive => admission,
            Self::Bulk => admission.div_ceil(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bulk_is_refused_before_interactive_and_that_before_probes_and_none_is_shut_out(
            admission in 1_usize..100_000,
        ) {
            let [health, interactive, bulk] = Priority::ALL.map(|priority| priority.limit(admission));
            prop_assert!(1 <= bulk && bulk <= interactive && interactive < health);
            prop_assert!(bulk <= admission / 2 + 1);
        }
    }
}
