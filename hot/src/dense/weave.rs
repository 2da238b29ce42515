//! Giving a vector its links, and links to it: a Vamana graph of one layer.

use super::links::LINKS;
use super::quantise::Quantised;
use super::scratch::Scratch;
use super::vectors::Vectors;
use parking_lot::{Mutex, MutexGuard};

/// Candidates when a vector is linked.
const CANDIDATES: usize = 128;
/// A neighbour is left out if one that was chosen is closer to it by this factor than the vector itself is: a walk finds it
/// from there.
const SHORTCUT: f32 = 1.2;

/// Copies of one text have this similarity at least, as far as codes tell.
const TWIN: f32 = 0.97;
/// So many of them are linked although each is on the way to the next: they are results, too.
const TWINS: usize = 8;

/// Who may write to a row while several threads link.
#[derive(Debug)]
pub(super) struct Stripes(Vec<Mutex<()>>);

impl Default for Stripes {
    fn default() -> Self {
        Self((0..1024).map(|_| Mutex::new(())).collect())
    }
}

impl Stripes {
    fn lock(&self, slot: u32) -> MutexGuard<'_, ()> {
        self.0[slot as usize % self.0.len()].lock()
    }
}

/// Reusable memory of linking.
#[derive(Debug, Default)]
pub(super) struct Loom {
    scratch: Scratch,
    own: Quantised,
    other: Quantised,
    ranked: Vec<(f32, u32)>,
    chosen: Vec<u32>,
    scores: Vec<i32>,
}

impl Vectors {
    /// Links a vector with its neighbours, and them with it.
    pub(super) fn weave(&self, slot: u32, stripes: &Stripes, loom: &mut Loom) {
        self.quantiser.own(self.codes.row(slot), &mut loom.own);
        self.walk(&loom.own, CANDIDATES, &mut loom.scratch);
        loom.ranked.clear();
        let found = loom.scratch.pool.entries().iter();
        loom.ranked.extend(found.map(|entry| (loom.own.similarity(entry.score()), entry.slot())));
        {
            // Others may have linked to it before: it stays a way back to them where they are near enough.
            let _alone = stripes.lock(slot);
            let linked: Vec<u32> = self.links.of(slot).collect();
            self.rank(&linked, loom);
            self.choose(slot, loom);
            self.links.set(slot, &loom.chosen);
        }
        for other in std::mem::take(&mut loom.chosen) {
            self.link(other, slot, stripes, loom);
        }
    }

    /// One link more, at the cost of another one if there are too many.
    fn link(&self, slot: u32, to: u32, stripes: &Stripes, loom: &mut Loom) {
        let _alone = stripes.lock(slot);
        let mut links: Vec<u32> = self.links.of(slot).collect();
        if links.contains(&to) {
            return;
        }
        links.push(to);
        if links.len() > LINKS {
            self.quantiser.own(self.codes.row(slot), &mut loom.own);
            loom.ranked.clear();
            self.rank(&links, loom);
            self.choose(slot, loom);
            self.links.set(slot, &loom.chosen);
        } else {
            self.links.set(slot, &links);
        }
    }

    /// Gives a slot other links, out of these.
    pub(super) fn relink(&self, slot: u32, candidates: &[u32], loom: &mut Loom) {
        self.quantiser.own(self.codes.row(slot), &mut loom.own);
        loom.ranked.clear();
        self.rank(candidates, loom);
        self.choose(slot, loom);
        self.links.set(slot, &loom.chosen);
    }

    /// Adds slots to the ranked ones.
    fn rank(&self, slots: &[u32], loom: &mut Loom) {
        let Loom { own, ranked, scores, .. } = loom;
        self.compare(own, slots, scores);
        ranked.extend(scores.iter().map(|score| own.similarity(*score)).zip(slots.iter().copied()));
    }

    /// Chooses the links of a slot out of the ranked ones: near, and in different directions.
    fn choose(&self, of: u32, loom: &mut Loom) {
        let Loom { other, ranked, chosen, scores, .. } = loom;
        // Among equals each goes by an order of its own, or all would link to the same few.
        let order = |slot: u32| (slot ^ of).wrapping_mul(0x9e37_79b1);
        ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| order(a.1).cmp(&order(b.1))));
        ranked.dedup_by_key(|(_, slot)| *slot);
        chosen.clear();
        let mut twins = 0;
        for (similarity, slot) in ranked.iter().filter(|(_, slot)| *slot != of) {
            self.quantiser.own(self.codes.row(*slot), other);
            self.compare(other, chosen, scores);
            let nearest = scores.iter().max().map_or(-1.0, |score| other.similarity(*score));
            let twin = *similarity > TWIN && twins < TWINS;
            if twin || SHORTCUT * (1.0 - nearest) > 1.0 - similarity {
                twins += usize::from(twin);
                chosen.push(*slot);
                if chosen.len() == LINKS {
                    break;
                }
            }
        }
    }
}
