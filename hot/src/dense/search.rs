//! Finding candidates: along the links, or by comparing with all that a filter lets through.

use super::effort::{self, Effort};
use super::kernel::prefetch;
use super::quantise::Quantised;
use super::scratch::{Entry, Plan, Pool, Scratch};
use super::vectors::Vectors;
use crate::Bitmap;
use crate::bitmap::bits;

/// From how many of the pivots a walk sets out.
const STARTS: usize = 4;
/// Codes that are asked for from memory together.
const BLOCK: usize = 32;

/// Fewer are compared exactly without a look at their codes: turning the query would take longer.
const FEW: usize = 96;
/// Those that may be among the best for all that codes tell are compared exactly, but no more than this.
const CROWD: usize = 512;
/// What a walk sees for each candidate it keeps, in vectors that a scan would have seen in that time.
const WALK: usize = 24;

impl Vectors {
    /// Fills the scratch's pool with those that are to be compared exactly.
    pub(super) fn find(
        &self,
        query: &[f32],
        k: usize,
        effort: Effort,
        factor: f32,
        allowed: Option<&Bitmap>,
        scratch: &mut Scratch,
    ) {
        let among =
            |slot: u32| self.alive.contains(slot) && allowed.is_none_or(|allowed| allowed.contains(slot));
        // At most: counting those without a vector out would take longer than many a search.
        let count = allowed.map_or(usize::MAX, Bitmap::len).min(self.alive.len());
        let candidates = match effort {
            Effort::Recall(recall) => effort::candidates(recall, k, self.alive.len(), factor),
            Effort::Candidates(candidates) => candidates.clamp(k, count.max(k)),
            Effort::Exact => count,
        };
        if count <= candidates.max(FEW) {
            scratch.plan = Plan::Exact;
            scratch.pool.hold(self.members(allowed));
            return;
        }
        let mut quantised = std::mem::take(&mut scratch.query);
        self.quantiser.query(query, &mut scratch.turned, &mut quantised);
        // A walk that lets one in ten through sees ten times as many.
        let walk = candidates * WALK * self.alive.len() / count;
        scratch.plan = Plan::Walk;
        if walk >= count {
            scratch.plan = Plan::Scan;
        } else if self.dead.is_empty()
            && allowed.is_none_or(|allowed| allowed.common(&self.alive) == self.alive.len())
        {
            self.walk(&quantised, candidates, scratch);
        } else if !self.walk_among(&quantised, candidates, among, count, scratch) {
            scratch.plan = Plan::Scan;
        }
        // What cannot be reached must still be found.
        let found = scratch.pool.entries().len();
        if scratch.plan == Plan::Walk && found < k && found < self.members(allowed).take(k).count() {
            scratch.plan = Plan::Scan;
        }
        if scratch.plan == Plan::Scan {
            self.scan(&quantised, k.max(CROWD), self.members(allowed), scratch);
        }
        scratch.pool.keep_near(k, quantised.points(self.quantiser.error()));
        scratch.query = quantised;
    }

    /// Those that are alive and allowed.
    fn members(&self, allowed: Option<&Bitmap>) -> impl Iterator<Item = u32> {
        let words = self.alive.words();
        let of = move |at: usize| {
            allowed.map_or(u64::MAX, |allowed| allowed.words().get(at).copied().unwrap_or(0))
        };
        words.iter().enumerate().flat_map(move |(at, word)| bits(at, word & of(at)))
    }

    /// Fills the scratch's pool with the nearest that a walk along the links finds, whether they are alive or not.
    pub(super) fn walk(&self, query: &Quantised, candidates: usize, scratch: &mut Scratch) {
        let Scratch { visited, pool, fresh, scores, .. } = scratch;
        visited.begin(self.rows);
        pool.begin(STARTS.min(candidates));
        self.set_out(query, pool, scores);
        for entry in pool.entries() {
            visited.insert(entry.slot());
        }
        pool.widen(candidates);
        while let Some(slot) = pool.follow() {
            fresh.clear();
            for link in self.links.of(slot) {
                if visited.insert(link) {
                    prefetch(self.codes.row(link));
                    fresh.push(link);
                }
            }
            if let Some(next) = pool.upcoming() {
                prefetch(self.links.row(next));
            }
            self.compare(query, fresh, scores);
            pool.offer_all(fresh, scores);
        }
    }

    /// The same for those of a set, passing through the others; false if it gave up because it saw more than `patience`
    /// vectors.
    pub(super) fn walk_among(
        &self,
        query: &Quantised,
        candidates: usize,
        among: impl Fn(u32) -> bool,
        patience: usize,
        scratch: &mut Scratch,
    ) -> bool {
        let Scratch { visited, pool, fresh, scores, frontier, .. } = scratch;
        visited.begin(self.rows);
        pool.begin(STARTS.min(candidates));
        self.set_out(query, pool, scores);
        frontier.clear();
        frontier.extend(pool.entries());
        pool.begin(candidates);
        let mut seen = self.pivots.len();
        for entry in &*frontier {
            visited.insert(entry.slot());
            if among(entry.slot()) {
                pool.offer(entry.score(), entry.slot());
            }
        }
        while let Some(entry) = frontier.pop() {
            if entry.score() < pool.least() {
                break;
            }
            if seen > patience {
                return false;
            }
            fresh.clear();
            for link in self.links.of(entry.slot()) {
                if visited.insert(link) {
                    prefetch(self.codes.row(link));
                    fresh.push(link);
                }
            }
            seen += fresh.len();
            if let Some(next) = frontier.peek() {
                prefetch(self.links.row(next.slot()));
            }
            self.compare(query, fresh, scores);
            for (slot, score) in fresh.iter().zip(scores.iter()) {
                if *score > pool.least() {
                    frontier.push(Entry::new(*score, *slot));
                    if among(*slot) {
                        pool.offer(*score, *slot);
                    }
                }
            }
        }
        true
    }

    /// Fills the pool with the nearest of a set by comparing with each of it.
    pub(super) fn scan(
        &self,
        query: &Quantised,
        candidates: usize,
        mut slots: impl Iterator<Item = u32>,
        scratch: &mut Scratch,
    ) {
        let Scratch { pool, fresh, scores, .. } = scratch;
        pool.begin(candidates);
        let mut ahead: Vec<u32> = Vec::with_capacity(BLOCK);
        loop {
            // One block is on its way while the one before is compared.
            fresh.clear();
            fresh.append(&mut ahead);
            ahead.extend(slots.by_ref().take(BLOCK).inspect(|slot| prefetch(self.codes.row(*slot))));
            if fresh.is_empty() && ahead.is_empty() {
                break;
            }
            self.compare(query, fresh, scores);
            pool.offer_all(fresh, scores);
        }
    }

    /// Fills the pool with the pivots nearest to the query.
    fn set_out(&self, query: &Quantised, pool: &mut Pool, scores: &mut Vec<i32>) {
        scores.resize(self.pivots.len(), 0);
        let lines = self.quantiser.lines();
        let code = |at: usize| &self.pivot_codes[at * lines..(at + 1) * lines];
        self.isa.scores(&query.numbers, self.pivots.len(), code, scores);
        pool.offer_all(&self.pivots, scores);
    }

    pub(super) fn compare(&self, query: &Quantised, slots: &[u32], scores: &mut Vec<i32>) {
        scores.resize(slots.len(), 0);
        self.isa.scores(&query.numbers, slots.len(), |at| self.codes.row(slots[at]), scores);
    }
}
