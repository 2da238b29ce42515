//! The innermost loop of every matrix product: a few rows of `a` times one packed panel, kept in registers.
#![expect(
    unsafe_code,
    reason = "raw pointers: bounds are checked once per tile, not once per multiplication"
)]

use super::{MAX_PANEL, MAX_TILE_ROWS, PANEL_VECTORS, Simd};

/// How many rows of a panel are asked for ahead of their use.
const PREFETCH: usize = 128;

/// The product of one tile, row after row, `PANEL` floats each.
pub(crate) struct Tile(pub(crate) [f32; MAX_TILE_ROWS * MAX_PANEL]);

impl Tile {
    pub(crate) fn new() -> Self {
        Self([0.0; MAX_TILE_ROWS * MAX_PANEL])
    }

    /// Multiplies `rows` rows of `a` (each `depth` long, `stride` apart) by `panel` (`depth` rows of `PANEL` floats).
    ///
    /// # Panics
    /// If `rows` is not in `1..=TILE_ROWS`, `depth` is no multiple of 4, or a slice is too short.
    #[inline(always)]
    pub(crate) fn multiply<S: Simd>(
        &mut self,
        simd: S,
        a: &[f32],
        stride: usize,
        rows: usize,
        depth: usize,
        panel: &[f32],
    ) {
        assert!(rows >= 1 && rows <= S::TILE_ROWS && depth.is_multiple_of(4));
        assert!(a.len() >= (rows - 1) * stride + depth && panel.len() >= depth * S::PANEL);
        let (a, panel, out) = (a.as_ptr(), panel.as_ptr(), &mut self.0);
        macro_rules! dispatch {
            ($($height:literal)*) => {
                match rows {
                    // SAFETY: the assertions above are exactly what `product` asks for. The guard is constant: it keeps
                    // tiles that are never used from being compiled.
                    $($height if $height <= S::TILE_ROWS => unsafe {
                        product::<S, $height>(simd, a, stride, depth, panel, out);
                    },)*
                    _ => unreachable!("rows were checked against TILE_ROWS"),
                }
            };
        }
        dispatch!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }
}

/// # Safety
/// `a` must be valid for reading `(ROWS - 1) * stride + depth` floats and `panel` for `depth * S::PANEL`; `depth` must be
/// a multiple of 4.
#[inline(always)]
unsafe fn product<S: Simd, const ROWS: usize>(
    simd: S,
    a: *const f32,
    stride: usize,
    depth: usize,
    panel: *const f32,
    out: &mut [f32; MAX_TILE_ROWS * MAX_PANEL],
) {
    let mut sums = [[simd.splat(0.0); PANEL_VECTORS]; ROWS];
    for at in 0..depth {
        let ahead = panel.wrapping_add((at + PREFETCH) * S::PANEL);
        simd.prefetch(ahead);
        if S::PANEL > 16 {
            simd.prefetch(ahead.wrapping_add(16));
        }
        // SAFETY: `at < depth`, so both vectors lie inside the panel.
        let b = unsafe {
            let row = panel.add(at * S::PANEL);
            [simd.load_raw(row), simd.load_raw(row.add(S::LANES))]
        };
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `row < ROWS` and `at < depth`.
            let value = simd.splat(unsafe { *a.add(row * stride + at) });
            sums[0] = simd.mul_add(value, b[0], sums[0]);
            sums[1] = simd.mul_add(value, b[1], sums[1]);
        }
    }
    for (row, sums) in out.chunks_exact_mut(S::PANEL).zip(sums) {
        let (left, right) = row.split_at_mut(S::LANES);
        simd.store(sums[0], left);
        simd.store(sums[1], right);
    }
}
