//! Four lanes in plain Rust: what every CPU can run, and NEON where the compiler targets it.

use super::Simd;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

const LANES: usize = 4;
type V = [f32; LANES];

#[inline(always)]
fn zip(a: V, b: V, f: impl Fn(f32, f32) -> f32) -> V {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

impl Simd for Portable {
    type V = V;
    const LANES: usize = LANES;
    /// AArch64 has 32 vector registers, baseline x86-64 has 16.
    const TILE_ROWS: usize = if cfg!(target_arch = "aarch64") { 12 } else { 6 };

    #[inline(always)]
    fn splat(self, value: f32) -> V {
        [value; LANES]
    }
    #[inline(always)]
    fn load(self, from: &[f32]) -> V {
        [from[0], from[1], from[2], from[3]]
    }
    #[inline(always)]
    fn store(self, value: V, to: &mut [f32]) {
        to[..LANES].copy_from_slice(&value);
    }
    #[inline(always)]
    #[expect(unsafe_code, reason = "the matrix tile walks raw panels")]
    unsafe fn load_raw(self, from: *const f32) -> V {
        // SAFETY: the caller vouches for `LANES` readable floats.
        unsafe { from.cast::<V>().read_unaligned() }
    }
    #[inline(always)]
    fn prefetch(self, _at: *const f32) {}
    #[inline(always)]
    fn add(self, a: V, b: V) -> V {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: V, b: V) -> V {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: V, b: V) -> V {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: V, b: V) -> V {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn min(self, a: V, b: V) -> V {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max(self, a: V, b: V) -> V {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn mul_add(self, a: V, b: V, c: V) -> V {
        // Fused only where it is one instruction: without it `f32::mul_add` is a slow library call.
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            [
                a[0].mul_add(b[0], c[0]),
                a[1].mul_add(b[1], c[1]),
                a[2].mul_add(b[2], c[2]),
                a[3].mul_add(b[3], c[3]),
            ]
        } else {
            self.add(self.mul(a, b), c)
        }
    }
    #[inline(always)]
    fn scale_by_power_of_two(self, value: V, exponent: V) -> V {
        zip(value, exponent, |value, exponent| {
            let biased = (exponent as i32).clamp(-126, 127) + 127;
            value * f32::from_bits((biased as u32) << 23)
        })
    }
    #[inline(always)]
    fn sum(self, value: V) -> f32 {
        (value[0] + value[1]) + (value[2] + value[3])
    }
    #[inline(always)]
    fn largest(self, value: V) -> f32 {
        value[0].max(value[1]).max(value[2].max(value[3]))
    }
}
