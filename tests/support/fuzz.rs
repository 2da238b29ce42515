//! Input nobody would think of: seeds that are mutated at random, for code that reads what others send.
//!
//! `make fuzz SECONDS=60` gives each target as long; without it, as every run of the tests does, a fraction of a second.
//! A panic shows the input and the seed of chance (`FUZZ_SEED`), which repeats it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const LONGEST: usize = 64 << 10;
/// Mutants that are mutated further, beside the seeds.
const KEPT: usize = 256;
/// What parsers trip over.
const WORDS: [&[u8]; 24] = [
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e999",
    b"-0.0",
    b"18446744073709551616",
    b"9223372036854775807",
    b"NaN",
    b"[]",
    b"{}",
    b"\"\"",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\xe2\x80\xae",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\0",
    b"data:",
    b"%00",
    b"../",
    b"[[[[[[[[",
    b"{\"a\":{\"a\":",
];

struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most.max(1) as u64).unwrap_or(0)
    }
}

fn number(name: &str) -> Option<f64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Gives a target mutants of the seeds until the time is over; a panic in it fails the test.
pub(crate) fn fuzz(seeds: &[&[u8]], target: impl Fn(&[u8])) {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64);
    let seed = number("FUZZ_SEED").map_or(clock, |seed| seed as u64) | 1;
    let time = Duration::from_secs_f64(number("FUZZ_SECONDS").unwrap_or(0.2));
    let (mut chance, began) = (Chance(seed), Instant::now());
    let mut pool: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.to_vec()).collect();
    for input in seeds {
        try_one(input, seed, &target);
    }
    let mut tried = 0_u64;
    while began.elapsed() < time {
        let mut input = pool[chance.below(pool.len())].clone();
        for _ in 0..=chance.below(4) {
            let other = chance.below(pool.len());
            mutate(&mut input, &pool[other], &mut chance);
        }
        input.truncate(LONGEST);
        try_one(&input, seed, &target);
        tried += 1;
        // Some go on changing; the seeds stay.
        if chance.below(16) == 0 {
            if pool.len() < seeds.len() + KEPT {
                pool.push(input);
            } else {
                let at = seeds.len() + chance.below(KEPT);
                pool[at] = input;
            }
        }
    }
    assert!(tried > 10, "{tried}: the target is too slow to be tried at all");
    println!("{tried} inputs");
}

fn try_one(input: &[u8], seed: u64, target: &impl Fn(&[u8])) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        panic!("FUZZ_SEED={seed}, input: \"{}\"", input.escape_ascii());
    }
}

fn mutate(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    let at = chance.below(input.len() + 1);
    let to = (at + chance.below(input.len() - at + 1).min(64)).min(input.len());
    match chance.below(8) {
        0 if at < input.len() => input[at] ^= 1 << chance.below(8),
        1 if at < input.len() => input[at] = chance.next().to_le_bytes()[0],
        2 => drop(input.drain(at..to)),
        3 => {
            let word = WORDS[chance.below(WORDS.len())];
            input.splice(at..at, word.iter().copied());
        }
        4 => {
            let word = WORDS[chance.below(WORDS.len())];
            input.splice(at..to, word.iter().copied());
        }
        5 => {
            let part = input[at..to].to_vec();
            for _ in 0..=chance.below(50) {
                input.splice(at..at, part.iter().copied());
            }
        }
        6 => {
            let from = chance.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => input.truncate(at),
    }
}

#[test]
#[should_panic(expected = "input: \"")]
fn fuzz_shows_the_input_that_panicked() {
    fuzz(&[b"abc"], |bytes| assert!(bytes.len() < 100, "too long for this target"));
}
