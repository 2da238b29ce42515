//! Vector instructions behind one safe trait, chosen at run time.
//!
//! Every kernel of this crate is written once, as an [`Op`] generic over [`Simd`], and compiled once per instruction
//! set. [`Isa::run`] enters the copy that matches the CPU. A value of a [`Simd`] type is the proof that the CPU has
//! those instructions: it can only be made by detection, so the trait's methods are safe to call.
//!
//! All `unsafe` of the crate lives in this folder.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx512_bf16;
pub(crate) mod bf16;
mod portable;
pub(crate) mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

/// Vectors per panel row: a panel of packed weights is `2 * LANES` columns wide on every instruction set.
pub(crate) const PANEL_VECTORS: usize = 2;

/// The widest panel of any instruction set, in floats.
pub(crate) const MAX_PANEL: usize = 32;

/// The tallest tile of any instruction set, in rows.
pub(crate) const MAX_TILE_ROWS: usize = 14;

/// One instruction set. Slice arguments must hold at least `LANES` floats; shorter ones panic.
pub(crate) trait Simd: Copy {
    /// A vector register.
    type V: Copy;
    /// Floats per vector.
    const LANES: usize;
    /// Rows of the matrix tile that keep the register file full without spilling.
    const TILE_ROWS: usize;
    /// Columns of a packed panel.
    const PANEL: usize = PANEL_VECTORS * Self::LANES;

    fn splat(self, value: f32) -> Self::V;
    fn load(self, from: &[f32]) -> Self::V;
    fn store(self, value: Self::V, to: &mut [f32]);
    /// # Safety
    /// `from` must be valid for reading `LANES` floats.
    #[expect(unsafe_code, reason = "the matrix tile walks raw panels")]
    unsafe fn load_raw(self, from: *const f32) -> Self::V;
    /// Asks for a cache line that is needed soon. Any address will do, even one outside every allocation.
    fn prefetch(self, at: *const f32);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `value * 2^exponent` for whole exponents in `-126..=127`.
    fn scale_by_power_of_two(self, value: Self::V, exponent: Self::V) -> Self::V;
    fn sum(self, value: Self::V) -> f32;
    fn largest(self, value: Self::V) -> f32;
}

/// A computation that is compiled once per instruction set. `run` must be `#[inline(always)]`, or its body would be
/// compiled without the instructions it is meant to use.
pub(crate) trait Op {
    type Output;
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// The instruction set to compute with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    Portable(portable::Portable),
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
        found.push(Self::Portable(portable::Portable));
        found
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            Self::Portable(_) => "portable",
        }
    }

    /// Columns of a packed panel: packed weights only suit the instruction set they were packed for.
    pub(crate) fn panel(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => x86::Avx512::PANEL,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => x86::Avx2::PANEL,
            Self::Portable(_) => portable::Portable::PANEL,
        }
    }

    /// Rows of the matrix tile.
    pub(crate) fn tile_rows(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => x86::Avx512::TILE_ROWS,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => x86::Avx2::TILE_ROWS,
            Self::Portable(_) => portable::Portable::TILE_ROWS,
        }
    }

    /// Runs `op` compiled for this instruction set.
    pub(crate) fn run<O: Op>(self, op: O) -> O::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => simd.run(op),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.run(op),
            Self::Portable(simd) => op.run(simd),
        }
    }
}
