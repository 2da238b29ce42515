//! Without vector instructions of our own: in a form that compilers vectorise.

use super::{Line, PER_LINE};
use half::f16;

pub(super) fn scores<'a>(query: &[i8], count: usize, code: impl Fn(usize) -> &'a [Line], to: &mut [i32]) {
    for (at, to) in (0..count).zip(to) {
        *to = query.chunks_exact(PER_LINE).zip(code(at)).map(|(query, line)| score(query, line)).sum();
    }
}

fn score(query: &[i8], line: &Line) -> i32 {
    let (low, high) = query.split_at(PER_LINE / 2);
    let each = line.0.iter().zip(low.iter().zip(high));
    each.map(|(code, (low, high))| {
        i32::from(code & 15) * i32::from(*low) + i32::from(code >> 4) * i32::from(*high)
    })
    .sum()
}

pub(super) fn products(query: &[f32], vector: &[u16]) -> (f32, f32) {
    const LANES: usize = 8;
    let (mut across, mut own) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    for (query, vector) in query.chunks(LANES).zip(vector.chunks(LANES)) {
        for (at, (x, y)) in query.iter().zip(vector).enumerate() {
            let y = f16::from_bits(*y).to_f32();
            across[at] += x * y;
            own[at] += y * y;
        }
    }
    (across.iter().sum(), own.iter().sum())
}

pub(super) fn round(numbers: &mut [f32]) {
    numbers.iter_mut().for_each(|x| *x = f16::from_f32(*x).to_f32());
}

/// Inlined, so that it is compiled for the instructions of whoever calls it.
#[inline(always)]
pub(super) fn hadamard(block: &mut [f32]) {
    let mut width = 1;
    while width < block.len() {
        for pair in block.chunks_exact_mut(2 * width) {
            let (first, second) = pair.split_at_mut(width);
            for (a, b) in first.iter_mut().zip(second) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        width *= 2;
    }
    let scale = 1.0 / (block.len() as f32).sqrt();
    block.iter_mut().for_each(|x| *x *= scale);
}
