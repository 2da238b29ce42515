//! AVX512-BF16: `vdpbf16ps` multiplies pairs of bf16 and adds both products to a float.
#![expect(unsafe_code, reason = "vector intrinsics; the type is the proof of the CPU features they need")]

use std::arch::x86_64::*;

use super::bf16::{self, Bf16, Bf16Op, PANEL};

/// Proof that the CPU has AVX-512 F, BW, VL and BF16.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512Bf16(());

/// 28 accumulators, 2 panel vectors and 1 broadcast pair: 31 of 32 registers.
const TILE_ROWS: usize = 14;

impl Avx512Bf16 {
    pub(crate) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bf16");
        found.then_some(Self(()))
    }

    pub(crate) fn run(self, op: impl Bf16Op) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        fn enter(simd: Avx512Bf16, op: impl Bf16Op) {
            op.run(simd);
        }
        // SAFETY: `self` exists only where these features were detected.
        unsafe { enter(self, op) }
    }

    #[inline(always)]
    pub(super) fn store_pair(self, low: __m512, high: __m512, to: &mut [u16]) {
        assert!(to.len() >= PANEL);
        // SAFETY: `self` proves the CPU feature, and the slice was just measured.
        unsafe {
            let rounded: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
            _mm512_storeu_si512(to.as_mut_ptr().cast(), rounded);
        }
    }

    #[inline(always)]
    pub(super) fn prefetch_slice(self, numbers: &[u16]) {
        for line in numbers.chunks(32) {
            // SAFETY: a prefetch never faults.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) }
        }
    }
}

impl Bf16 for Avx512Bf16 {
    #[inline(always)]
    fn store_pair(self, low: __m512, high: __m512, to: &mut [u16]) {
        Self::store_pair(self, low, high, to);
    }

    #[inline(always)]
    fn prefetch_slice(self, numbers: &[u16]) {
        Self::prefetch_slice(self, numbers);
    }

    #[inline(always)]
    fn multiply(
        self,
        a: &[u16],
        stride: usize,
        rows: usize,
        depth: usize,
        panel: &[u16],
        out: &mut [f32],
        out_stride: usize,
    ) {
        bf16::check(a, stride, rows, depth, panel, out, out_stride);
        let tiles = rows.div_ceil(TILE_ROWS);
        for tile in 0..tiles {
            // Even tiles: 32 rows make 10, 11 and 11 rather than 14, 14 and 4.
            let (first, end) = (rows * tile / tiles, rows * (tile + 1) / tiles);
            // SAFETY: `check` measured the slices for `rows` rows, and `first..end` is within them.
            unsafe {
                let a = a.as_ptr().add(first * stride);
                let out = out.as_mut_ptr().add(first * out_stride);
                macro_rules! dispatch {
                    ($($height:literal)*) => {
                        match end - first {
                            $($height => product::<$height>(a, stride, depth, panel.as_ptr(), out, out_stride),)*
                            _ => unreachable!("a tile has 1 to TILE_ROWS rows"),
                        }
                    };
                }
                dispatch!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
            }
        }
    }
}

/// # Safety
/// `a` must be valid for reading `(ROWS - 1) * stride + depth` numbers, `panel` for `depth * PANEL`, `out` for writing
/// `(ROWS - 1) * out_stride + PANEL` floats; `depth` must be even.
#[inline(always)]
unsafe fn product<const ROWS: usize>(
    a: *const u16,
    stride: usize,
    depth: usize,
    panel: *const u16,
    out: *mut f32,
    out_stride: usize,
) {
    // SAFETY: every address is inside what the caller vouches for; the features are those of the caller.
    unsafe {
        let pair = |at: __m512i| std::mem::transmute::<__m512i, __m512bh>(at);
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        for at in (0..depth).step_by(2) {
            let b = panel.add(at * PANEL);
            let b = [_mm512_loadu_si512(b.cast()), _mm512_loadu_si512(b.add(PANEL).cast())].map(pair);
            for (row, sums) in sums.iter_mut().enumerate() {
                let a = pair(_mm512_set1_epi32(a.add(row * stride + at).cast::<i32>().read_unaligned()));
                sums[0] = _mm512_dpbf16_ps(sums[0], a, b[0]);
                sums[1] = _mm512_dpbf16_ps(sums[1], a, b[1]);
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            _mm512_storeu_ps(out.add(row * out_stride), sums[0]);
            _mm512_storeu_ps(out.add(row * out_stride + 16), sums[1]);
        }
    }
}
