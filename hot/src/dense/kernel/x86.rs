//! AVX-512 with VNNI, and AVX2.
#![expect(unsafe_code, reason = "vector intrinsics; the type is the proof of the CPU features they need")]

use super::{Line, PER_LINE};
use std::arch::x86_64::*;

/// Proof that the CPU has AVX-512 F, BW and VNNI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

/// Proof that the CPU has AVX2, FMA and F16C.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

#[inline(always)]
pub(super) fn prefetch<T>(memory: &[T]) {
    let start = memory.as_ptr().cast::<i8>();
    for at in (0..size_of_val(memory)).step_by(64) {
        // SAFETY: inside the slice; and a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.add(at)) }
    }
}

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni");
        found.then_some(Self(()))
    }

    #[inline]
    pub(super) fn scores<'a>(
        self,
        query: &[i8],
        count: usize,
        code: impl Fn(usize) -> &'a [Line],
        to: &mut [i32],
    ) {
        // SAFETY: `self` proves the CPU features.
        unsafe {
            match query.len() / PER_LINE {
                // 384 dimensions: the query stays in registers.
                3 => vnni::<3>(query, count, code, to),
                _ => vnni_any(query, count, code, to),
            }
        }
    }

    #[inline]
    pub(super) fn products(self, query: &[f32], vector: &[u16]) -> (f32, f32) {
        // SAFETY: `self` proves the CPU features.
        unsafe { halves_512(query, vector) }
    }

    pub(super) fn round(self, numbers: &mut [f32]) {
        // SAFETY: `self` proves the CPU features.
        unsafe { round_512(numbers) }
    }

    pub(super) fn hadamard(self, block: &mut [f32]) {
        // SAFETY: `self` proves the CPU features.
        unsafe { hadamard_512(block) }
    }
}

/// The lower and the upper halves of a line's bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn nibbles_512(line: &Line) -> (__m512i, __m512i) {
    let low = _mm512_set1_epi8(15);
    // SAFETY: a line is 64 bytes, aligned to as many.
    let bytes = unsafe { _mm512_load_si512((&raw const *line).cast()) };
    (_mm512_and_si512(bytes, low), _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), low))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_512(query: &[i8], at: usize) -> __m512i {
    let query = &query[at..at + 64];
    // SAFETY: 64 bytes, as just measured.
    unsafe { _mm512_loadu_si512(query.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn vnni<'a, const LINES: usize>(
    query: &[i8],
    count: usize,
    code: impl Fn(usize) -> &'a [Line],
    to: &mut [i32],
) {
    let mut low = [_mm512_setzero_si512(); LINES];
    let mut high = low;
    for (at, (low, high)) in low.iter_mut().zip(&mut high).enumerate() {
        *low = load_512(query, at * PER_LINE);
        *high = load_512(query, at * PER_LINE + PER_LINE / 2);
    }
    for (at, to) in (0..count).zip(to) {
        let (mut a, mut b) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for (line, (low, high)) in code(at)[..LINES].iter().zip(low.iter().zip(&high)) {
            let (code_low, code_high) = nibbles_512(line);
            a = _mm512_dpbusd_epi32(a, code_low, *low);
            b = _mm512_dpbusd_epi32(b, code_high, *high);
        }
        *to = _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn vnni_any<'a>(query: &[i8], count: usize, code: impl Fn(usize) -> &'a [Line], to: &mut [i32]) {
    for (at, to) in (0..count).zip(to) {
        let (mut a, mut b) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for (query, line) in query.chunks_exact(PER_LINE).zip(code(at)) {
            let (low, high) = nibbles_512(line);
            a = _mm512_dpbusd_epi32(a, low, load_512(query, 0));
            b = _mm512_dpbusd_epi32(b, high, load_512(query, PER_LINE / 2));
        }
        *to = _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
    }
}

#[target_feature(enable = "avx512f")]
fn halves_512(query: &[f32], vector: &[u16]) -> (f32, f32) {
    let (mut across, mut own) = ([_mm512_setzero_ps(); 2], [_mm512_setzero_ps(); 2]);
    let (queries, vectors) = (query.chunks_exact(16), vector.chunks_exact(16));
    let (rest, rest_of_vector) = (queries.remainder(), vectors.remainder());
    for (at, (query, vector)) in queries.zip(vectors).enumerate() {
        // SAFETY: 16 numbers each.
        let (x, y) = unsafe {
            (_mm512_loadu_ps(query.as_ptr()), _mm512_cvtph_ps(_mm256_loadu_si256(vector.as_ptr().cast())))
        };
        across[at % 2] = _mm512_fmadd_ps(x, y, across[at % 2]);
        own[at % 2] = _mm512_fmadd_ps(y, y, own[at % 2]);
    }
    let (more, more_own) = super::portable::products(rest, rest_of_vector);
    let sum = |parts: [__m512; 2]| _mm512_reduce_add_ps(_mm512_add_ps(parts[0], parts[1]));
    (sum(across) + more, sum(own) + more_own)
}

#[target_feature(enable = "avx512f")]
fn round_512(numbers: &mut [f32]) {
    let (chunks, rest) = numbers.as_chunks_mut::<16>();
    for chunk in chunks {
        // SAFETY: 16 numbers, read and written.
        unsafe {
            let halves = _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm512_loadu_ps(chunk.as_ptr()));
            _mm512_storeu_ps(chunk.as_mut_ptr(), _mm512_cvtph_ps(halves));
        }
    }
    super::portable::round(rest);
}

#[target_feature(enable = "avx512f")]
fn hadamard_512(block: &mut [f32]) {
    super::portable::hadamard(block);
}

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        found.then_some(Self(()))
    }

    #[inline]
    pub(super) fn scores<'a>(
        self,
        query: &[i8],
        count: usize,
        code: impl Fn(usize) -> &'a [Line],
        to: &mut [i32],
    ) {
        // SAFETY: `self` proves the CPU features.
        unsafe { pairs(query, count, code, to) }
    }

    #[inline]
    pub(super) fn products(self, query: &[f32], vector: &[u16]) -> (f32, f32) {
        // SAFETY: `self` proves the CPU features.
        unsafe { halves_256(query, vector) }
    }

    pub(super) fn round(self, numbers: &mut [f32]) {
        // SAFETY: `self` proves the CPU features.
        unsafe { round_256(numbers) }
    }

    pub(super) fn hadamard(self, block: &mut [f32]) {
        // SAFETY: `self` proves the CPU features.
        unsafe { hadamard_256(block) }
    }
}

/// Pairs of products are summed in 16 bits, which 2 × 15 × 128 never overflows.
#[target_feature(enable = "avx2")]
fn pairs<'a>(query: &[i8], count: usize, code: impl Fn(usize) -> &'a [Line], to: &mut [i32]) {
    let (low, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
    for (at, to) in (0..count).zip(to) {
        let mut sum = _mm256_setzero_si256();
        for (query, line) in query.chunks_exact(PER_LINE).zip(code(at)) {
            for half in [0, 32] {
                // SAFETY: a line is 64 bytes, and as many numbers of the query belong to either half of its bytes.
                let (bytes, first, second) = unsafe {
                    let query = query.as_ptr().add(half);
                    (
                        _mm256_load_si256(line.0.as_ptr().add(half).cast()),
                        _mm256_loadu_si256(query.cast()),
                        _mm256_loadu_si256(query.add(PER_LINE / 2).cast()),
                    )
                };
                let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low);
                let first = _mm256_maddubs_epi16(_mm256_and_si256(bytes, low), first);
                let second = _mm256_maddubs_epi16(upper, second);
                let both = _mm256_add_epi32(_mm256_madd_epi16(first, ones), _mm256_madd_epi16(second, ones));
                sum = _mm256_add_epi32(sum, both);
            }
        }
        let mut lanes = [0_i32; 8];
        // SAFETY: eight numbers of 32 bits.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
        *to = lanes.iter().sum();
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn halves_256(query: &[f32], vector: &[u16]) -> (f32, f32) {
    let (mut across, mut own) = ([_mm256_setzero_ps(); 2], [_mm256_setzero_ps(); 2]);
    let (queries, vectors) = (query.chunks_exact(8), vector.chunks_exact(8));
    let (rest, rest_of_vector) = (queries.remainder(), vectors.remainder());
    for (at, (query, vector)) in queries.zip(vectors).enumerate() {
        // SAFETY: 8 numbers each.
        let (x, y) = unsafe {
            (_mm256_loadu_ps(query.as_ptr()), _mm256_cvtph_ps(_mm_loadu_si128(vector.as_ptr().cast())))
        };
        across[at % 2] = _mm256_fmadd_ps(x, y, across[at % 2]);
        own[at % 2] = _mm256_fmadd_ps(y, y, own[at % 2]);
    }
    let (more, more_own) = super::portable::products(rest, rest_of_vector);
    let sum = |parts: [__m256; 2]| {
        let mut lanes = [0.0_f32; 8];
        // SAFETY: eight floats.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), _mm256_add_ps(parts[0], parts[1])) };
        lanes.iter().sum::<f32>()
    };
    (sum(across) + more, sum(own) + more_own)
}

#[target_feature(enable = "avx2,f16c")]
fn round_256(numbers: &mut [f32]) {
    let (chunks, rest) = numbers.as_chunks_mut::<8>();
    for chunk in chunks {
        // SAFETY: 8 numbers, read and written.
        unsafe {
            let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_loadu_ps(chunk.as_ptr()));
            _mm256_storeu_ps(chunk.as_mut_ptr(), _mm256_cvtph_ps(halves));
        }
    }
    super::portable::round(rest);
}

#[target_feature(enable = "avx2")]
fn hadamard_256(block: &mut [f32]) {
    super::portable::hadamard(block);
}
