//! The inner loops: a query against the codes of many vectors, and against a vector in half precision.
//!
//! Chosen at run time. A code holds four bits of each dimension, 128 dimensions to a [`Line`]: byte `i` has dimension `i` in
//! its lower half and dimension `64 + i` in its upper one. Scores of all instruction sets are equal, being whole numbers.
//!
//! All `unsafe` code of the crate is in this folder and in [`super::pages`].

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use bytemuck::{Pod, Zeroable};

/// Dimensions of a line of code.
pub(crate) const PER_LINE: usize = 128;

/// A cache line of code.
#[derive(Clone, Copy, Debug, Pod, Zeroable, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u8; 64]);

/// The instruction set to compute with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    Portable,
}

impl Isa {
    /// The best this CPU offers.
    pub(crate) fn detect() -> Self {
        Self::available()[0]
    }

    /// All this CPU offers, best first.
    pub(crate) fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            found.extend(x86::Avx512::detect().map(Self::Avx512));
            found.extend(x86::Avx2::detect().map(Self::Avx2));
        }
        found.push(Self::Portable);
        found
    }

    /// For each of `count` codes, the sum over all dimensions of the query's number times the code's.
    #[inline]
    pub(crate) fn scores<'a>(
        self,
        query: &[i8],
        count: usize,
        code: impl Fn(usize) -> &'a [Line],
        to: &mut [i32],
    ) {
        assert!(query.len().is_multiple_of(PER_LINE) && to.len() == count);
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => simd.scores(query, count, code, to),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.scores(query, count, code, to),
            Self::Portable => portable::scores(query, count, code, to),
        }
    }

    /// The inner product of a query with a vector in half precision, and the vector's with itself.
    #[inline]
    pub(crate) fn products(self, query: &[f32], vector: &[u16]) -> (f32, f32) {
        assert_eq!(query.len(), vector.len());
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => simd.products(query, vector),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.products(query, vector),
            Self::Portable => portable::products(query, vector),
        }
    }

    /// Rounds to what a number in half precision can be.
    pub(crate) fn round(self, numbers: &mut [f32]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => simd.round(numbers),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.round(numbers),
            Self::Portable => portable::round(numbers),
        }
    }

    /// The Hadamard transform of a power of two of numbers, which is orthogonal.
    pub(crate) fn hadamard(self, block: &mut [f32]) {
        assert!(block.len().is_power_of_two());
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => simd.hadamard(block),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.hadamard(block),
            Self::Portable => portable::hadamard(block),
        }
    }
}

/// Asks for memory that is needed soon.
#[inline(always)]
pub(crate) fn prefetch<T>(memory: &[T]) {
    #[cfg(target_arch = "x86_64")]
    x86::prefetch(memory);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = memory;
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use proptest::prelude::*;

    fn number(line: &Line, at: usize) -> i32 {
        let (byte, upper) = (line.0[at % 64], at >= 64);
        i32::from(if upper { byte >> 4 } else { byte & 15 })
    }

    #[test]
    fn the_transform_undoes_itself_and_spreads_one_number_over_all_on_every_instruction_set() {
        for isa in Isa::available() {
            for length in [1, 2, 64, 256, 1024] {
                let before: Vec<f32> =
                    (0..length).map(|at| if at == length / 3 { 2.0 } else { 0.0 }).collect();
                let mut block = before.clone();
                isa.hadamard(&mut block);
                let each = 2.0 / (length as f32).sqrt();
                assert!(block.iter().all(|x| (x.abs() - each).abs() < 1e-5), "{isa:?} {length}");
                isa.hadamard(&mut block);
                assert!(block.iter().zip(&before).all(|(a, b)| (a - b).abs() < 1e-5), "{isa:?} {length}");
            }
        }
    }

    proptest! {
        #[test]
        fn scores_are_the_same_whole_numbers_on_every_instruction_set(
            lines in 1_usize..7, bytes in prop::collection::vec(any::<u8>(), 64 * 6 * 5), query in prop::collection::vec(any::<i8>(), 128 * 6),
        ) {
            let all: Vec<Line> = bytes.as_chunks().0.iter().map(|bytes| Line(*bytes)).collect();
            let codes: Vec<&[Line]> = all.chunks_exact(lines).collect();
            let query: Vec<i8> = query[..lines * PER_LINE].iter().map(|x| (*x).max(-127)).collect();
            let plain: Vec<i32> = codes.iter().map(|code| {
                query.iter().enumerate().map(|(at, x)| i32::from(*x) * number(&code[at / PER_LINE], at % PER_LINE)).sum()
            }).collect();
            for isa in Isa::available() {
                let mut scores = vec![0; codes.len()];
                isa.scores(&query, codes.len(), |at| codes[at], &mut scores);
                prop_assert_eq!(&scores, &plain, "{:?}", isa);
            }
        }

        #[test]
        fn products_are_nearly_the_same_on_every_instruction_set(
            numbers in prop::collection::vec((-2.0_f32..2.0, -2.0_f32..2.0), 0..200),
        ) {
            let (query, vector): (Vec<f32>, Vec<f32>) = numbers.into_iter().unzip();
            let halves: Vec<u16> = vector.iter().map(|x| f16::from_f32(*x).to_bits()).collect();
            let wide = || halves.iter().map(|half| f16::from_bits(*half).to_f64());
            let across: f64 = query.iter().zip(wide()).map(|(x, y)| f64::from(*x) * y).sum();
            let own: f64 = wide().map(|y| y * y).sum();
            for isa in Isa::available() {
                let mut rounded = vector.clone();
                isa.round(&mut rounded);
                prop_assert!(rounded.iter().zip(&halves).all(|(x, half)| *x == f16::from_bits(*half).to_f32()), "{:?}", isa);
                let (found, found_own) = isa.products(&query, &halves);
                prop_assert!((f64::from(found) - across).abs() < 1e-3 && (f64::from(found_own) - own).abs() < 1e-3, "{:?}", isa);
            }
        }
    }
}
