//! AVX-512 and AVX2 with FMA.
#![expect(unsafe_code, reason = "vector intrinsics; each type is the proof of the CPU feature they need")]

use std::arch::x86_64::*;

use super::{Op, Simd, amx::Amx, avx512_bf16::Avx512Bf16};

/// Proof that the CPU has AVX-512F.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

/// Proof that the CPU has AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }

    pub(crate) fn run<O: Op>(self, op: O) -> O::Output {
        #[target_feature(enable = "avx512f")]
        fn enter<O: Op>(simd: Avx512, op: O) -> O::Output {
            op.run(simd)
        }
        // SAFETY: `self` exists only where AVX-512F was detected.
        unsafe { enter(self, op) }
    }
}

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }

    pub(crate) fn run<O: Op>(self, op: O) -> O::Output {
        #[target_feature(enable = "avx2,fma")]
        fn enter<O: Op>(simd: Avx2, op: O) -> O::Output {
            op.run(simd)
        }
        // SAFETY: `self` exists only where AVX2 and FMA were detected.
        unsafe { enter(self, op) }
    }
}

/// The methods that differ between the two only in the names of the intrinsics.
macro_rules! intrinsics {
    ($lanes:literal, $vector:ty, $set1:ident, $loadu:ident, $storeu:ident, $add:ident, $sub:ident, $mul:ident,
     $div:ident, $min:ident, $max:ident, $fmadd:ident) => {
        type V = $vector;
        const LANES: usize = $lanes;

        #[inline(always)]
        fn splat(self, value: f32) -> Self::V {
            // SAFETY: `self` proves the CPU feature.
            unsafe { $set1(value) }
        }
        #[inline(always)]
        fn load(self, from: &[f32]) -> Self::V {
            assert!(from.len() >= $lanes);
            // SAFETY: `self` proves the CPU feature, the slice was just measured, and the load may be unaligned.
            unsafe { $loadu(from.as_ptr()) }
        }
        #[inline(always)]
        fn store(self, value: Self::V, to: &mut [f32]) {
            assert!(to.len() >= $lanes);
            // SAFETY: `self` proves the CPU feature, the slice was just measured, and the store may be unaligned.
            unsafe { $storeu(to.as_mut_ptr(), value) }
        }
        #[inline(always)]
        unsafe fn load_raw(self, from: *const f32) -> Self::V {
            // SAFETY: `self` proves the CPU feature; the caller vouches for the memory.
            unsafe { $loadu(from) }
        }
        #[inline(always)]
        fn prefetch(self, at: *const f32) {
            // SAFETY: a prefetch never faults, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
        }
        intrinsics!(@binary add $add, sub $sub, mul $mul, div $div, min $min, max $max);
        #[inline(always)]
        fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            // SAFETY: `self` proves the CPU feature.
            unsafe { $fmadd(a, b, c) }
        }
    };
    (@binary $($name:ident $intrinsic:ident),*) => {
        $(#[inline(always)]
        fn $name(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: `self` proves the CPU feature.
            unsafe { $intrinsic(a, b) }
        })*
    };
}

/// [`Simd`] on vectors of 512 bits for a proof of at least AVX-512F.
macro_rules! avx512 {
    ($proof:ty) => {
        impl Simd for $proof {
            /// 28 accumulators, 2 panel vectors and 1 broadcast value: 31 of 32 registers.
            const TILE_ROWS: usize = 14;
            intrinsics!(
                16,
                __m512,
                _mm512_set1_ps,
                _mm512_loadu_ps,
                _mm512_storeu_ps,
                _mm512_add_ps,
                _mm512_sub_ps,
                _mm512_mul_ps,
                _mm512_div_ps,
                _mm512_min_ps,
                _mm512_max_ps,
                _mm512_fmadd_ps
            );
            #[inline(always)]
            fn scale_by_power_of_two(self, value: __m512, exponent: __m512) -> __m512 {
                // SAFETY: `self` proves AVX-512F.
                unsafe { _mm512_scalef_ps(value, exponent) }
            }
            #[inline(always)]
            fn sum(self, value: __m512) -> f32 {
                // SAFETY: `self` proves AVX-512F.
                unsafe { _mm512_reduce_add_ps(value) }
            }
            #[inline(always)]
            fn largest(self, value: __m512) -> f32 {
                // SAFETY: `self` proves AVX-512F.
                unsafe { _mm512_reduce_max_ps(value) }
            }
        }
    };
}

avx512!(Avx512);
avx512!(Avx512Bf16);
avx512!(Amx);

impl Simd for Avx2 {
    /// 12 accumulators, 2 panel vectors and 1 broadcast value: 15 of 16 registers.
    const TILE_ROWS: usize = 6;
    intrinsics!(
        8,
        __m256,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_div_ps,
        _mm256_min_ps,
        _mm256_max_ps,
        _mm256_fmadd_ps
    );
    #[inline(always)]
    fn scale_by_power_of_two(self, value: __m256, exponent: __m256) -> __m256 {
        // SAFETY: `self` proves AVX2.
        unsafe {
            let biased = _mm256_add_epi32(_mm256_cvtps_epi32(exponent), _mm256_set1_epi32(127));
            let power = _mm256_slli_epi32::<23>(_mm256_max_epi32(biased, _mm256_set1_epi32(1)));
            _mm256_mul_ps(value, _mm256_castsi256_ps(power))
        }
    }
    #[inline(always)]
    fn sum(self, value: __m256) -> f32 {
        let lanes = self.lanes(value);
        ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]))
    }
    #[inline(always)]
    fn largest(self, value: __m256) -> f32 {
        self.lanes(value).into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
}

impl Avx2 {
    #[inline(always)]
    fn lanes(self, value: __m256) -> [f32; 8] {
        let mut lanes = [0.0; 8];
        self.store(value, &mut lanes);
        lanes
    }
}
