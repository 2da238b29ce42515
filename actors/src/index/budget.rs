//! What is worth its memory: how often each collection is searched, and who gives way to whom. Pure.

use super::Key;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// After this long a search counts half.
const HALF_LIFE: Duration = Duration::from_secs(60);
/// Collections whose searches are counted though they are not here.
const MOST_COUNTED: usize = 4_096;
/// How many times as often something must be searched as what it displaces: two that both do not fit must not take turns.
const WORTH: f64 = 2.0;

/// Searches within about the last minute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    count: f64,
    at: Instant,
}

impl Rate {
    pub(super) fn new(at: Instant) -> Self {
        Self { count: 0.0, at }
    }

    pub(super) fn at(self, now: Instant) -> f64 {
        let halvings = now.saturating_duration_since(self.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.count * 0.5_f64.powf(halvings)
    }

    pub(super) fn add(&mut self, searches: f64, now: Instant) {
        *self = Self { count: self.at(now) + searches, at: now };
    }
}

/// Of what is not here.
#[derive(Debug, Default)]
pub(super) struct Rates {
    rates: HashMap<Key, Rate>,
    /// Not to be tried before.
    refused: HashMap<Key, Instant>,
}

impl Rates {
    /// Whether it is searched often enough now.
    pub(super) fn count(&mut self, key: Key, least: u32, now: Instant) -> bool {
        if self.rates.len() >= MOST_COUNTED && !self.rates.contains_key(&key) {
            self.rates.retain(|_, rate| rate.at(now) >= 1.0);
            if self.rates.len() >= MOST_COUNTED {
                self.rates.clear();
            }
        }
        let rate = self.rates.entry(key).or_insert_with(|| Rate::new(now));
        rate.add(1.0, now);
        rate.at(now) + 0.5 >= f64::from(least) && self.refused.get(&key).is_none_or(|until| *until <= now)
    }

    /// What is searched often enough, the most searched first.
    pub(super) fn wanted(&mut self, least: u32, now: Instant) -> Vec<(Key, f64)> {
        self.refused.retain(|_, until| *until > now);
        let refused = &self.refused;
        let all = self.rates.iter().map(|(key, rate)| (*key, rate.at(now)));
        let mut wanted: Vec<(Key, f64)> =
            all.filter(|(key, rate)| rate + 0.5 >= f64::from(least) && !refused.contains_key(key)).collect();
        wanted.sort_by(|a, b| b.1.total_cmp(&a.1));
        wanted
    }

    /// It is here now, or gone.
    pub(super) fn forget(&mut self, key: Key) {
        self.rates.remove(&key);
    }

    /// It was here, and is to be again.
    pub(super) fn want(&mut self, key: Key, rate: f64, least: u32) {
        let mut here = Rate::new(Instant::now());
        here.count = rate.max(f64::from(least));
        self.rates.insert(key, here);
    }

    pub(super) fn refuse(&mut self, key: Key, until: Instant) {
        self.refused.insert(key, until);
    }
}

/// One that takes up memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) key: Key,
    pub(super) bytes: usize,
    pub(super) rate: f64,
}

/// Who is to go so that so many more bytes fit, the least searched first; none when not enough are worth less than what
/// comes. Without a rate whatever it takes goes.
pub(super) fn displaced(held: &[Held], more: usize, budget: usize, rate: Option<f64>) -> Option<Vec<Key>> {
    let mut order = held.to_vec();
    order.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let mut used: usize = order.iter().map(|one| one.bytes).sum();
    let mut gone = Vec::new();
    for one in order {
        if used.saturating_add(more) <= budget {
            break;
        }
        if rate.is_some_and(|rate| one.rate * WORTH > rate) {
            return None;
        }
        used -= one.bytes;
        gone.push(one.key);
    }
    (used.saturating_add(more) <= budget).then_some(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{CollectionId, TenantId};
    use proptest::prelude::*;

    fn key(n: i64) -> Key {
        (TenantId(1), CollectionId(n))
    }

    #[test]
    fn what_is_searched_often_within_a_minute_is_wanted_and_not_what_was_long_ago() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        assert!(!rates.count(key(1), 3, now));
        assert!(!rates.count(key(1), 3, now));
        assert!(rates.count(key(1), 3, now));
        assert_eq!(rates.wanted(3, now).len(), 1);
        let later = now + Duration::from_secs(600);
        assert!(rates.wanted(3, later).is_empty());
        rates.refuse(key(1), later);
        assert!(!rates.count(key(1), 1, now));
    }

    proptest! {
        #[test]
        fn what_stays_and_what_comes_fit_and_nothing_goes_for_what_is_worth_less(
            sizes in proptest::collection::vec((1_usize..100, 0_u32..50), 0..8), more in 0_usize..200, rate in 0_u32..100,
        ) {
            let budget = 300;
            let held: Vec<Held> = sizes.iter().enumerate().map(|(n, (bytes, rate))| Held {
                key: key(i64::try_from(n).unwrap_or(0)), bytes: *bytes, rate: f64::from(*rate),
            }).collect();
            let all: usize = held.iter().map(|one| one.bytes).sum();
            if let Some(gone) = displaced(&held, more, budget, Some(f64::from(rate))) {
                let freed: usize = held.iter().filter(|one| gone.contains(&one.key)).map(|one| one.bytes).sum();
                prop_assert!(all - freed + more <= budget);
                prop_assert!(held.iter().filter(|one| gone.contains(&one.key)).all(|one| one.rate * WORTH <= f64::from(rate)));
                prop_assert!(all + more > budget || gone.is_empty());
            } else {
                prop_assert!(all + more > budget);
            }
        }
    }
}
