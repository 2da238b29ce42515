//! Products of bf16 numbers with sums in single precision, on CPUs that multiply them in hardware.
//!
//! A bf16 is the upper half of an `f32`; it is kept as `u16`. A packed panel has [`PANEL`] columns and, for each pair of
//! steps of the depth, the two weights of each column next to each other: the order in which both AMX tiles and
//! `vdpbf16ps` read them.

use super::Simd;

/// Columns of a packed panel, and lines of a block of rows.
pub(crate) const PANEL: usize = 32;

/// The most rows [`Bf16::multiply`] takes at once.
pub(crate) const BLOCK: usize = 32;

/// Rows are read by this many at once: those of the last group must exist, whatever they hold.
pub(crate) const GROUP: usize = 16;

/// Vectors that can be rounded to bf16, and the product of a block of rows.
pub(crate) trait Bf16: Simd {
    /// Rounds two vectors to the nearest bf16, ties to even.
    ///
    /// # Panics
    /// If `to` holds fewer than [`PANEL`] numbers.
    fn store_pair(self, low: Self::V, high: Self::V, to: &mut [u16]);

    /// The product of `rows` rows of `a` (each `depth` long, `stride` apart) and `panel`, written to `out` (`PANEL` floats
    /// a row, `out_stride` apart). Rows up to the next whole [`GROUP`] are read and written too.
    ///
    /// # Panics
    /// If `rows` is not in `1..=BLOCK`, `depth` is no multiple of 32, or a slice is too short for whole groups.
    #[expect(clippy::too_many_arguments, reason = "two matrices with their strides")]
    fn multiply(
        self,
        a: &[u16],
        stride: usize,
        rows: usize,
        depth: usize,
        panel: &[u16],
        out: &mut [f32],
        out_stride: usize,
    );

    /// Asks for `numbers` to be in the second cache level soon.
    fn prefetch_slice(self, numbers: &[u16]);
}

/// A computation over bf16; `run` must be `#[inline(always)]`, as that of [`super::Op`].
pub(crate) trait Bf16Op {
    fn run<S: Bf16>(self, simd: S);
}

/// What the slices given to [`Bf16::multiply`] must hold.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn check(
    a: &[u16],
    stride: usize,
    rows: usize,
    depth: usize,
    panel: &[u16],
    out: &[f32],
    out_stride: usize,
) {
    assert!((1..=BLOCK).contains(&rows) && depth > 0 && depth.is_multiple_of(PANEL));
    let rows = rows.next_multiple_of(GROUP);
    assert!(a.len() >= (rows - 1) * stride + depth && panel.len() >= depth * PANEL);
    assert!(out.len() >= (rows - 1) * out_stride + PANEL);
}

/// The nearest bf16 of a finite number, ties to even.
pub(crate) fn round(value: f32) -> u16 {
    let bits = value.to_bits();
    (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// The number that a bf16 stands for.
pub(crate) fn widen(value: u16) -> f32 {
    f32::from_bits(u32::from(value) << 16)
}

/// How bf16 is multiplied here. A value is the proof that the CPU and the operating system offer it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kernel {
    #[cfg(target_arch = "x86_64")]
    Amx(super::amx::Amx),
    #[cfg(target_arch = "x86_64")]
    Avx512(super::avx512_bf16::Avx512Bf16),
}

impl Kernel {
    /// All that this machine offers, best first.
    pub(crate) fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            let amx = super::amx::Amx::detect().map(Self::Amx);
            let avx512 = super::avx512_bf16::Avx512Bf16::detect().map(Self::Avx512);
            amx.into_iter().chain(avx512).collect()
        }
        #[cfg(not(target_arch = "x86_64"))]
        Vec::new()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(_) => "amx-bf16",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512-bf16",
        }
    }

    /// Runs `op` compiled for this kernel.
    pub(crate) fn run(self, op: impl Bf16Op) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(simd) => simd.run(op),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => simd.run(op),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BLOCK, Bf16, Bf16Op, GROUP, Kernel, PANEL, round, widen};
    use crate::reference::Random;

    struct Multiply<'a> {
        a: &'a [u16],
        stride: usize,
        rows: usize,
        depth: usize,
        panel: &'a [u16],
        out: &'a mut [f32],
        out_stride: usize,
    }

    impl Bf16Op for Multiply<'_> {
        #[inline(always)]
        fn run<S: Bf16>(self, simd: S) {
            let Self { a, stride, rows, depth, panel, out, out_stride } = self;
            simd.multiply(a, stride, rows, depth, panel, out, out_stride);
        }
    }

    proptest! {
        #[test]
        fn every_kernel_multiplies_a_block_as_defined_and_writes_nothing_beside_it(
            rows in 1..=BLOCK, steps in 1_usize..6, odd in 0_usize..40, more in 0_usize..40, seed: u64,
        ) {
            let (depth, mut random) = (32 * steps, Random(seed));
            let (stride, out_stride, whole) = (depth + odd, PANEL + more, rows.next_multiple_of(GROUP));
            let mut numbers = |count| random.floats(count).into_iter().map(round).collect::<Vec<u16>>();
            let (a, panel) = (numbers((whole - 1) * stride + depth), numbers(depth * PANEL));
            for kernel in Kernel::available() {
                let mut out = vec![7.0; (whole - 1) * out_stride + PANEL + 9];
                let job = Multiply {
                    a: &a, stride, rows, depth, panel: &panel, out: &mut out[..], out_stride,
                };
                kernel.run(job);
                for row in 0..rows {
                    for column in 0..PANEL {
                        let terms = (0..depth).map(|k| {
                            let weight = panel[(k / 2 * PANEL + column) * 2 + k % 2];
                            f64::from(widen(a[row * stride + k])) * f64::from(widen(weight))
                        });
                        let (expected, found) = (terms.sum::<f64>(), out[row * out_stride + column]);
                        prop_assert!((f64::from(found) - expected).abs() < 1e-4, "{}", kernel.name());
                    }
                    let beside = out[row * out_stride + PANEL..].iter().take(more);
                    prop_assert!(beside.copied().all(|value| value == 7.0), "{}", kernel.name());
                }
                prop_assert!(out[(whole - 1) * out_stride + PANEL..].iter().all(|value| *value == 7.0));
            }
        }

        #[test]
        fn numbers_are_rounded_to_the_nearest_bf16(value in -1e30_f32..1e30) {
            let nearest = widen(round(value));
            let bits = nearest.to_bits();
            let step = f32::from_bits((bits & 0x7f80_0000).max(0x0480_0000) - (7 << 23)) ;
            prop_assert!((nearest - value).abs() <= step / 2.0 + f32::EPSILON * value.abs(), "{value} became {nearest}");
        }
    }

    #[test]
    fn a_kernel_is_found_where_the_cpu_has_one() {
        let names: Vec<_> = Kernel::available().into_iter().map(Kernel::name).collect();
        if names.is_empty() {
            eprintln!("skipped: this CPU multiplies no bf16; the kernels were not tested");
        }
        assert!(names.is_sorted(), "best first: {names:?}");
    }
}
