//! Inserts and removals.

use super::kernel::Line;
use super::links::LINKS;
use super::vectors::Vectors;
use super::weave::Loom;
use super::{Dense, DenseError};
use half::f16;
use parking_lot::RwLockUpgradableReadGuard;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Vectors that are copied while searches wait: some 30 µs.
const AT_ONCE: usize = 32;
/// Removed vectors stay ways to others until so many are taken out together: that reads all links once.
const DEAD: usize = 256;
/// Slots are numbers of 31 bits.
const BEYOND: u32 = u32::MAX >> 1;

impl Dense {
    pub fn insert(&self, slot: u32, vector: &[f32]) -> Result<(), DenseError> {
        self.insert_all(&[(slot, vector)], 1)
    }

    /// All of them or, where one is refused, none; with so many threads.
    pub fn insert_all(&self, vectors: &[(u32, &[f32])], threads: usize) -> Result<(), DenseError> {
        let stripes = self.writer.lock();
        let mut rows = 0;
        let mut reused = false;
        {
            let here = self.vectors.read();
            let (mut slots, mut rounded) = (Vec::with_capacity(vectors.len()), Vec::new());
            for (slot, vector) in vectors {
                here.round(vector, &mut rounded)?;
                if *slot >= BEYOND {
                    return Err(DenseError::Beyond(*slot));
                }
                if here.alive.contains(*slot) {
                    return Err(DenseError::Occupied(*slot));
                }
                reused |= here.dead.contains(*slot);
                rows = rows.max(*slot as usize + 1);
                slots.push(*slot);
            }
            slots.sort_unstable();
            if let Some(pair) = slots.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(DenseError::Occupied(pair[0]));
            }
        }
        if reused {
            self.bury(threads);
        }
        if rows > self.vectors.read().rows {
            self.vectors.write().reserve(rows)?;
        }
        for part in vectors.chunks(AT_ONCE) {
            self.copy(part);
        }
        // Neighbours of one document follow each other; links between strangers have to come first.
        let mut order: Vec<u32> = vectors.iter().map(|(slot, _)| *slot).collect();
        shuffle(&mut order);
        self.choose_pivots(&order);
        let here = self.vectors.read();
        on_threads(threads.min(order.len()), order.len(), |at, loom| here.weave(order[at], &stripes, loom));
        Ok(())
    }

    /// True if there was one. Searches that began before may still find it.
    pub fn remove(&self, slot: u32) -> bool {
        self.remove_all(&[slot], 1) == 1
    }

    /// How many of them there were.
    pub fn remove_all(&self, slots: &[u32], threads: usize) -> usize {
        let _alone = self.writer.lock();
        let mut here = self.vectors.write();
        let there = slots.iter().filter(|slot| here.alive.remove(**slot) && here.dead.insert(**slot)).count();
        let full = here.dead.len() >= DEAD || here.alive.is_empty();
        drop(here);
        if full {
            self.bury(threads);
        }
        there
    }

    /// Copies vectors to where searches that compare with all see them.
    fn copy(&self, part: &[(u32, &[f32])]) {
        let here = self.vectors.upgradable_read();
        let lines = here.quantiser.lines();
        let mut turned = Vec::new();
        let mut codes = vec![Line([0; 64]); lines * part.len()];
        let mut halves: Vec<f16> = Vec::with_capacity(self.dimensions * part.len());
        for ((_, vector), code) in part.iter().zip(codes.chunks_exact_mut(lines)) {
            let rounded = vector.iter().map(|x| f16::from_f32(*x));
            halves.extend(rounded.clone());
            here.quantiser.encode(rounded.map(f16::to_f32), &mut turned, code);
        }
        let mut here = RwLockUpgradableReadGuard::upgrade(here);
        let each = halves.chunks_exact(self.dimensions).zip(codes.chunks_exact(lines));
        for ((slot, _), (halves, code)) in part.iter().zip(each) {
            here.put(*slot, halves, code);
        }
    }

    fn choose_pivots(&self, new: &[u32]) {
        let missing = {
            let here = self.vectors.read();
            here.alive.len().isqrt().max(1).saturating_sub(here.pivots.len())
        };
        if missing > 0 {
            let mut here = self.vectors.write();
            new.iter().take(missing).for_each(|slot| here.add_pivot(*slot));
        }
    }

    /// Takes the dead out of everybody's links.
    pub(super) fn bury(&self, threads: usize) {
        let here = self.vectors.read();
        if here.dead.is_empty() {
            return;
        }
        let blocks = here.alive.words().len();
        on_threads(threads, blocks, |block, loom| {
            let first = (block * 64) as u32;
            for slot in (first..first + 64).filter(|slot| here.alive.contains(*slot)) {
                here.forget_dead(slot, loom);
            }
        });
        // A pivot's neighbour stands in for it.
        let heirs = here.pivots.iter().map(|pivot| {
            let alive = |slot: &u32| here.alive.contains(*slot);
            if alive(pivot) { Some(*pivot) } else { here.links.of(*pivot).find(alive) }
        });
        let mut pivots: Vec<u32> = heirs.flatten().collect();
        pivots.sort_unstable();
        pivots.dedup();
        if pivots.is_empty() {
            pivots.extend(here.alive.iter().take(1));
        }
        here.dead.iter().for_each(|slot| here.links.set(slot, &[]));
        drop(here);
        let mut here = self.vectors.write();
        here.pivots.clear();
        here.pivot_codes.clear();
        pivots.into_iter().for_each(|slot| here.add_pivot(slot));
        here.dead = crate::Bitmap::default();
    }
}

impl Vectors {
    /// Links past the dead to whom they were linked to.
    fn forget_dead(&self, slot: u32, loom: &mut Loom) {
        let links: Vec<u32> = self.links.of(slot).collect();
        if !links.iter().any(|link| self.dead.contains(*link)) {
            return;
        }
        let mut candidates = Vec::with_capacity(LINKS * 4);
        for link in links {
            if self.dead.contains(link) {
                candidates.extend(self.links.of(link).filter(|next| self.alive.contains(*next)));
            } else {
                candidates.push(link);
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        self.relink(slot, &candidates, loom);
    }
}

/// Does pieces of work on threads that take the next one as they are done with one.
fn on_threads(threads: usize, pieces: usize, work: impl Fn(usize, &mut Loom) + Sync) {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut loom = Loom::default();
        loop {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= pieces {
                break;
            }
            work(piece, &mut loom);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(run);
        }
        run();
    });
}

/// The same order every time.
fn shuffle(slots: &mut [u32]) {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for at in (1..slots.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        slots.swap(at, (state % (at as u64 + 1)) as usize);
    }
}
