//! AMX-BF16: tiles of 16 rows of 32 bf16, multiplied by a unit of their own.
//!
//! Its intrinsics are not stable in Rust, so the tiles are driven by inline assembly. No value stays in a tile from one
//! block of assembly to the next; what stays is their configuration, from [`Amx::run`]'s beginning to its end. On Linux a
//! process must ask for the tiles before it uses them, and may be refused.
#![expect(unsafe_code, reason = "inline assembly; the type is the proof of the CPU features it needs")]

use std::arch::{
    asm,
    x86_64::{__cpuid, __cpuid_count, __m512},
};

use super::{
    avx512_bf16::Avx512Bf16,
    bf16::{self, Bf16, Bf16Op, GROUP},
};

/// Proof that the CPU has AMX with bf16, the operating system lets this process use it, and [`Avx512Bf16`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amx(Avx512Bf16);

/// What `ldtilecfg` reads: palette 1, all eight tiles of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Shapes([u8; 64]);

static SHAPES: Shapes = Shapes(shapes());

const fn shapes() -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        bytes[16 + 2 * tile] = 64;
        bytes[48 + tile] = 16;
        tile += 1;
    }
    bytes
}

impl Amx {
    pub(crate) fn detect() -> Option<Self> {
        let vectors = Avx512Bf16::detect()?;
        (has_tiles() && may_use_tiles()).then_some(Self(vectors))
    }

    pub(crate) fn run(self, op: impl Bf16Op) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        fn enter(simd: Amx, op: impl Bf16Op) {
            op.run(simd);
        }
        // SAFETY: `self` proves all the features. Released tiles cost a switch of threads nothing; should `op` panic they
        // stay configured, which the next `run` on this thread does not mind.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const SHAPES, options(readonly, nostack, preserves_flags));
            enter(self, op);
            asm!("tilerelease", options(nomem, nostack, preserves_flags));
        }
    }
}

/// The CPU has tiles and multiplies bf16 in them.
fn has_tiles() -> bool {
    const TILE: u32 = 1 << 24;
    const BF16: u32 = 1 << 22;
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & (TILE | BF16) == TILE | BF16
}

/// The kernel keeps tiles across a switch of threads, and permits this process to use them.
#[cfg(target_os = "linux")]
fn may_use_tiles() -> bool {
    const ARCH_PRCTL: usize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const TILE_DATA: usize = 18;
    let refused: isize;
    // SAFETY: the call reads and writes no memory of ours. A kernel that does not know it says EINVAL, a sandbox EPERM or
    // ENOSYS. Asking again is harmless.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL as isize => refused,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    refused == 0
}

#[cfg(not(target_os = "linux"))]
fn may_use_tiles() -> bool {
    false
}

impl Bf16 for Amx {
    #[inline(always)]
    fn store_pair(self, low: __m512, high: __m512, to: &mut [u16]) {
        self.0.store_pair(low, high, to);
    }

    #[inline(always)]
    fn prefetch_slice(self, numbers: &[u16]) {
        self.0.prefetch_slice(numbers);
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
        let (a, panel, out) = (a.as_ptr(), panel.as_ptr(), out.as_mut_ptr());
        let (stride, out_stride, steps) = (2 * stride, 4 * out_stride, depth / 32);
        // SAFETY: `check` measured the slices for whole groups of rows, and `run` has configured the tiles.
        unsafe {
            if rows <= GROUP {
                one_group(a, stride, steps, panel, out, out_stride);
            } else {
                two_groups(a, stride, steps, panel, out, out_stride);
            }
        }
    }
}

/// 16 rows times 32 columns: tiles 0 and 1 sum up, 4 holds rows, 6 and 7 hold columns.
///
/// # Safety
/// The tiles must be configured as [`SHAPES`] says. Strides are in bytes; `a` must be valid for reading 16 rows of
/// `64 * steps` bytes, `panel` for `2048 * steps` bytes, `out` for writing 16 rows of 128 bytes.
#[inline(always)]
unsafe fn one_group(
    a: *const u16,
    stride: usize,
    steps: usize,
    panel: *const u16,
    out: *mut f32,
    out_stride: usize,
) {
    // SAFETY: the caller vouches for the memory.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "2:",
            "tileloadd tmm4, [{a} + {stride}]",
            "tileloadd tmm6, [{panel} + {pairs}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{panel} + {pairs} + 64]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "add {a}, 64",
            "add {panel}, 2048",
            "dec {steps}",
            "jnz 2b",
            "tilestored [{out} + {out_stride}], tmm0",
            "tilestored [{out} + {out_stride} + 64], tmm1",
            a = inout(reg) a => _,
            stride = in(reg) stride,
            panel = inout(reg) panel => _,
            pairs = in(reg) 128_usize,
            steps = inout(reg) steps => _,
            out = in(reg) out,
            out_stride = in(reg) out_stride,
            out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// 32 rows times 32 columns: tiles 0 to 3 sum up, 4 and 5 hold rows, 6 and 7 hold columns.
///
/// # Safety
/// As [`one_group`], with 32 rows.
#[inline(always)]
unsafe fn two_groups(
    a: *const u16,
    stride: usize,
    steps: usize,
    panel: *const u16,
    out: *mut f32,
    out_stride: usize,
) {
    // SAFETY: the caller vouches for the memory.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm4, [{a} + {stride}]",
            "tileloadd tmm6, [{panel} + {pairs}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{panel} + {pairs} + 64]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{lower} + {stride}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {a}, 64",
            "add {lower}, 64",
            "add {panel}, 2048",
            "dec {steps}",
            "jnz 2b",
            "tilestored [{out} + {out_stride}], tmm0",
            "tilestored [{out} + {out_stride} + 64], tmm1",
            "tilestored [{lower_out} + {out_stride}], tmm2",
            "tilestored [{lower_out} + {out_stride} + 64], tmm3",
            a = inout(reg) a => _,
            lower = inout(reg) a.byte_add(16 * stride) => _,
            stride = in(reg) stride,
            panel = inout(reg) panel => _,
            pairs = in(reg) 128_usize,
            steps = inout(reg) steps => _,
            out = in(reg) out,
            lower_out = in(reg) out.byte_add(16 * out_stride),
            out_stride = in(reg) out_stride,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
