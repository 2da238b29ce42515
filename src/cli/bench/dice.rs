/// A small reproducible random generator (SplitMix64): the same seed gives the same data on every
/// machine and with every version of any library, so that a kept data directory can be used again.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Dice(u64);

impl Dice {
    pub(in crate::cli) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly among 0 and up to `bound`, exclusive.
    pub(in crate::cli) fn below(&mut self, bound: usize) -> usize {
        // The modulo's bias is below 2^-40 for any bound in use.
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }

    /// Evenly within 0 and 1.
    pub(in crate::cli) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// About normal, with mean 0 and variance 1.
    pub(in crate::cli) fn normal(&mut self) -> f32 {
        ((0..4).map(|_| self.unit()).sum::<f32>() - 2.0) * 3_f32.sqrt()
    }

    pub(in crate::cli) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            let other = self.below(at + 1);
            items.swap(at, other);
        }
    }
}
