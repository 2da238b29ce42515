//! Vectors in four bits per dimension.
//!
//! A vector is first turned by a fixed orthogonal map that spreads whatever is special about a few dimensions over all of
//! them; then every dimension is nearly normal with the same variance, and one step suits them all. What rounding leaves
//! of a similarity is an error of 0.005 (standard deviation, at 384 dimensions; `errors_are_small` measures it), little
//! enough to find candidates by, of which the best are compared exactly.

use super::kernel::{Isa, Line, PER_LINE};

/// The best step of sixteen levels for a normal distribution, in standard deviations.
const STEP: f32 = 0.335;
/// What rounding leaves of a similarity in one dimension, as a standard deviation; it falls with the root of their number.
const ERROR: f32 = 0.108;
/// The middle of the levels.
const MIDDLE: f32 = 7.5;
const ROUNDS: usize = 2;

/// The map, for vectors of a number of dimensions.
#[derive(Debug)]
pub(super) struct Quantiser {
    isa: Isa,
    /// A multiple of a line's.
    padded: usize,
    /// The largest power of two that is no more.
    block: usize,
    /// Ones and minus ones, for each round.
    signs: Vec<f32>,
}

/// A query to compare codes with.
#[derive(Debug, Default, Clone)]
pub(super) struct Quantised {
    pub(super) numbers: Vec<i8>,
    scale: f32,
    /// What every score has too much.
    offset: f32,
}

impl Quantised {
    /// The similarity that a score stands for.
    #[inline]
    pub(super) fn similarity(&self, score: i32) -> f32 {
        (score as f32 - self.offset) * self.scale
    }

    /// The difference of scores that a difference of similarities makes.
    pub(super) fn points(&self, similarity: f32) -> i32 {
        (similarity / self.scale) as i32
    }
}

impl Quantiser {
    pub(super) fn new(isa: Isa, dimensions: usize) -> Self {
        let padded = dimensions.next_multiple_of(PER_LINE);
        let block = if padded.is_power_of_two() { padded } else { padded.next_power_of_two() / 2 };
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut sign = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if state >> 63 == 0 { 1.0 } else { -1.0 }
        };
        let signs = std::iter::repeat_with(&mut sign).take(ROUNDS * padded).collect();
        Self { isa, padded, block, signs }
    }

    /// Lines of a code.
    pub(super) fn lines(&self) -> usize {
        self.padded / PER_LINE
    }

    /// What may at most be wrong about the difference of two similarities: three standard deviations of one.
    pub(super) fn error(&self) -> f32 {
        3.0 * ERROR / (self.padded as f32).sqrt()
    }

    fn step(&self) -> f32 {
        STEP / (self.padded as f32).sqrt()
    }

    /// Turned, and of unit length.
    fn turn(&self, vector: impl Iterator<Item = f32>, turned: &mut Vec<f32>) {
        turned.clear();
        turned.extend(vector);
        turned.resize(self.padded, 0.0);
        for (round, signs) in self.signs.chunks_exact(self.padded).enumerate() {
            turned.iter_mut().zip(signs).for_each(|(x, sign)| *x *= sign);
            // By turns the first and the last block: where there are more dimensions than in one, they overlap.
            let start = if round % 2 == 0 { 0 } else { self.padded - self.block };
            self.isa.hadamard(&mut turned[start..start + self.block]);
        }
        let scale = 1.0 / length(turned).max(f32::MIN_POSITIVE);
        turned.iter_mut().for_each(|x| *x *= scale);
    }

    /// The code of a vector.
    pub(super) fn encode(&self, vector: impl Iterator<Item = f32>, turned: &mut Vec<f32>, code: &mut [Line]) {
        self.turn(vector, turned);
        // Rounding makes vectors longer or shorter along themselves: so does this, the other way, that no factor has to
        // be kept beside each code.
        let mut stretch = 1.0 / self.step();
        for _ in 0..3 {
            let along: f32 = turned.iter().map(|x| x * (level(*x, stretch) - MIDDLE)).sum();
            stretch /= (along * self.step()).max(0.5);
        }
        for (line, numbers) in code.iter_mut().zip(turned.chunks_exact(PER_LINE)) {
            let (low, high) = numbers.split_at(PER_LINE / 2);
            for (byte, (low, high)) in line.0.iter_mut().zip(low.iter().zip(high)) {
                *byte = level(*low, stretch) as u8 | (level(*high, stretch) as u8) << 4;
            }
        }
    }

    /// A query in eight bits per dimension.
    pub(super) fn query(&self, query: &[f32], turned: &mut Vec<f32>, to: &mut Quantised) {
        self.turn(query.iter().copied(), turned);
        let most = turned.iter().fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
        to.numbers.clear();
        to.numbers.extend(turned.iter().map(|x| (x * (127.0 / most)).round() as i8));
        self.finish(most / 127.0 * self.step(), to);
    }

    /// A code as the query, for comparing the vectors here with each other.
    pub(super) fn own(&self, code: &[Line], to: &mut Quantised) {
        to.numbers.clear();
        for line in code {
            to.numbers.extend(line.0.iter().map(|byte| (byte & 15) as i8 * 2 - 15));
            to.numbers.extend(line.0.iter().map(|byte| (byte >> 4) as i8 * 2 - 15));
        }
        self.finish(self.step() * self.step() / 2.0, to);
    }

    fn finish(&self, scale: f32, to: &mut Quantised) {
        to.scale = scale;
        to.offset = MIDDLE * to.numbers.iter().map(|x| i32::from(*x)).sum::<i32>() as f32;
    }
}

/// With several sums at a time, which compilers turn into vector instructions.
pub(super) fn length(vector: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (chunks, rest) = vector.as_chunks::<16>();
    chunks.iter().for_each(|chunk| sums.iter_mut().zip(chunk).for_each(|(sum, x)| *sum += x * x));
    (sums.iter().sum::<f32>() + rest.iter().map(|x| x * x).sum::<f32>()).sqrt()
}

fn level(x: f32, stretch: f32) -> f32 {
    (x * stretch + MIDDLE).round().clamp(0.0, 15.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(vector: &[f32]) -> Vec<f32> {
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter().map(|x| x / norm).collect()
    }

    fn code(quantiser: &Quantiser, vector: &[f32]) -> Vec<Line> {
        let mut code = vec![Line([0; 64]); quantiser.lines()];
        quantiser.encode(vector.iter().copied(), &mut Vec::new(), &mut code);
        code
    }

    fn estimate(query: &Quantised, code: &[Line]) -> f32 {
        let mut score = [0];
        Isa::detect().scores(&query.numbers, 1, |_| code, &mut score);
        query.similarity(score[0])
    }

    /// Standard deviation of what is estimated of a similarity, for a query and for a vector's own code.
    fn errors(pairs: &[(Vec<f32>, Vec<f32>)]) -> (f32, f32) {
        let (mut of_query, mut of_own) = (0.0, 0.0);
        for (a, b) in pairs {
            let quantiser = Quantiser::new(Isa::detect(), a.len());
            let right: f32 = unit(a).iter().zip(unit(b)).map(|(a, b)| a * b).sum();
            let (mut query, mut own) = (Quantised::default(), Quantised::default());
            quantiser.query(a, &mut Vec::new(), &mut query);
            quantiser.own(&code(&quantiser, a), &mut own);
            of_query += (estimate(&query, &code(&quantiser, b)) - right).powi(2);
            of_own += (estimate(&own, &code(&quantiser, b)) - right).powi(2);
        }
        let mean = |sum: f32| (sum / pairs.len() as f32).sqrt();
        (mean(of_query), mean(of_own))
    }

    fn pairs(dimensions: usize, shape: impl Fn(usize, f32) -> f32) -> Vec<(Vec<f32>, Vec<f32>)> {
        let mut state = 7_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let mut vector = || (0..dimensions).map(|at| shape(at, random())).collect::<Vec<f32>>();
        (0..200)
            .map(|_| {
                let (a, b) = (vector(), vector());
                let b = a.iter().zip(b).map(|(a, b)| a + b).collect();
                (a, b)
            })
            .collect()
    }

    #[test]
    fn errors_are_small_whatever_the_dimensions_hold() {
        for dimensions in [384, 768, 1000] {
            let scale = (384.0 / dimensions as f32).sqrt();
            let shapes: [fn(usize, f32) -> f32; 3] = [
                |_, x| x,
                // A few dimensions that hold nearly everything.
                |at, x| if at % 97 == 0 { 20.0 * x } else { x },
                // All on one side.
                |_, x| x.abs(),
            ];
            for (at, shape) in shapes.into_iter().enumerate() {
                let (of_query, of_own) = errors(&pairs(dimensions, shape));
                assert!(
                    of_query < 0.007 * scale && of_own < 0.01 * scale,
                    "{dimensions}, {at}: {of_query} {of_own}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn no_vector_is_too_odd_to_be_found_by_itself(
            dimensions in 1_usize..300, ones in prop::collection::vec((0_usize..300, -1e4_f32..1e4), 1..4),
        ) {
            let mut vector = vec![0.0; dimensions];
            for (at, x) in ones {
                vector[at % dimensions] = if x.abs() < 1.0 { 1.0 } else { x };
            }
            let quantiser = Quantiser::new(Isa::detect(), dimensions);
            let mut query = Quantised::default();
            quantiser.query(&vector, &mut Vec::new(), &mut query);
            let similarity = estimate(&query, &code(&quantiser, &vector));
            prop_assert!((0.7..1.4).contains(&similarity), "{}", similarity);
        }
    }
}
