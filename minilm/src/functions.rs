//! Vectorised `exp` and GELU.

use crate::simd::Simd;

/// `e^x` to about 2 units in the last place; below -87 it stays at the smallest normal numbers instead of zero.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::V) -> S::V {
    // Adding and subtracting 1.5 * 2^23 rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, so that `x - n ln 2` is exact to more than single precision.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // The polynomial of the Cephes library for |x| <= ln 2 / 2.
    const POLYNOMIAL: [f32; 6] =
        [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

    let x = simd.min(simd.max(x, simd.splat(-87.0)), simd.splat(88.0));
    let scaled = simd.mul_add(x, simd.splat(std::f32::consts::LOG2_E), simd.splat(ROUND));
    let power = simd.sub(scaled, simd.splat(ROUND));
    let rest = simd.mul_add(power, simd.splat(-LN_2_HIGH), x);
    let rest = simd.mul_add(power, simd.splat(-LN_2_LOW), rest);
    let tail = simd.mul_add(horner(simd, rest, &POLYNOMIAL), simd.mul(rest, rest), rest);
    simd.scale_by_power_of_two(simd.add(tail, simd.splat(1.0)), power)
}

/// `x / 2 * (1 + erf(x / sqrt 2))`, the exact GELU rather than its tanh approximation.
#[inline(always)]
pub(crate) fn gelu<S: Simd>(simd: S, x: S::V) -> S::V {
    let half = simd.mul(x, simd.splat(0.5));
    simd.mul_add(half, erf(simd, simd.mul(x, simd.splat(std::f32::consts::FRAC_1_SQRT_2))), half)
}

/// The rational approximation widely used for single precision: odd in `x`, error below 5e-7, and flat beyond 4.
#[inline(always)]
fn erf<S: Simd>(simd: S, x: S::V) -> S::V {
    const NUMERATOR: [f32; 7] = [
        -2.726_142_3e-10,
        2.770_681_5e-8,
        -2.101_024e-6,
        -5.692_506_6e-5,
        -7.349_906e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    const DENOMINATOR: [f32; 5] =
        [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2];

    let x = simd.min(simd.max(x, simd.splat(-4.0)), simd.splat(4.0));
    let square = simd.mul(x, x);
    let numerator = simd.mul(x, horner(simd, square, &NUMERATOR));
    simd.div(numerator, horner(simd, square, &DENOMINATOR))
}

#[inline(always)]
fn horner<S: Simd>(simd: S, x: S::V, coefficients: &[f32]) -> S::V {
    let mut sum = simd.splat(coefficients[0]);
    for &coefficient in &coefficients[1..] {
        sum = simd.mul_add(sum, x, simd.splat(coefficient));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{exp, gelu};
    use crate::{
        reference::erf,
        simd::{Isa, Op, Simd},
    };

    struct Map<'a, const GELU: bool>(&'a mut [f32]);

    impl<const GELU: bool> Op for Map<'_, GELU> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            for part in self.0.chunks_exact_mut(S::LANES) {
                let x = simd.load(part);
                simd.store(if GELU { gelu(simd, x) } else { exp(simd, x) }, part);
            }
        }
    }

    #[test]
    fn exp_agrees_with_the_standard_library_on_every_instruction_set() {
        for isa in Isa::available() {
            let inputs: Vec<f32> =
                (0..16_000).map(|i| i as f32 * 0.01 - 86.0).filter(|x| *x < 80.0).collect();
            let inputs = &inputs[..inputs.len() / 16 * 16];
            let mut outputs = inputs.to_vec();
            isa.run(Map::<false>(&mut outputs));
            for (x, y) in inputs.iter().zip(&outputs) {
                let expected = f64::from(*x).exp();
                assert!(
                    ((f64::from(*y) - expected) / expected).abs() < 5e-7,
                    "{}: exp({x}) = {y}",
                    isa.name()
                );
            }
        }
    }

    #[test]
    fn gelu_is_the_exact_one_on_every_instruction_set() {
        for isa in Isa::available() {
            let inputs: Vec<f32> = (0..12_800).map(|i| (i as f32 - 6_400.0) * 1e-3).collect();
            let mut outputs = inputs.clone();
            isa.run(Map::<true>(&mut outputs));
            for (x, y) in inputs.iter().zip(&outputs) {
                let wide = f64::from(*x);
                let expected = wide / 2.0 * (1.0 + erf(wide * std::f64::consts::FRAC_1_SQRT_2));
                assert!(
                    (f64::from(*y) - expected).abs() < 2e-6,
                    "{}: gelu({x}) = {y}, not {expected}",
                    isa.name()
                );
            }
        }
    }

    #[test]
    fn the_tails_are_flat_and_finite_on_every_instruction_set() {
        for isa in Isa::available() {
            let mut values = [f32::NEG_INFINITY, -1e30, 0.0, -200.0].repeat(4);
            isa.run(Map::<false>(&mut values));
            assert!(
                values[0] < 1e-37 && values[1] < 1e-37 && (values[2] - 1.0).abs() < 1e-6 && values[3] < 1e-37
            );
            let mut values = [-50.0, -5.0, 5.0, 1e30].repeat(4);
            isa.run(Map::<true>(&mut values));
            assert!(values[0].abs() < 1e-4 && values[1].abs() < 1e-5, "{}: {values:?}", isa.name());
            assert!(
                (values[2] - 5.0).abs() < 1e-5 && (values[3] / 1e30 - 1.0).abs() < 1e-6,
                "{}: {values:?}",
                isa.name()
            );
        }
    }
}
