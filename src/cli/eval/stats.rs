//! What a mean over a sample of queries says about all queries: intervals by the bootstrap, differences by a
//! paired randomisation test. Seeded, so that a run can be repeated to the last digit.

use crate::cli::bench::dice::Dice;
use serde::Serialize;

/// Resamples; the error of a 95 % bound by so many is far below what any set of queries tells.
const ROUNDS: usize = 4_000;

/// A mean and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Estimate {
    pub(super) mean: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// The mean with the bootstrap's percentile interval; nothing for no values.
pub(super) fn estimate(values: &[f64], seed: u64) -> Option<Estimate> {
    if values.is_empty() {
        return None;
    }
    let mut dice = Dice::new(seed);
    let mut means: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            (0..values.len()).map(|_| values[dice.below(values.len())]).sum::<f64>() / values.len() as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[((ROUNDS - 1) as f64 * share).round() as usize];
    Some(Estimate { mean: mean(values), low: at(0.025), high: at(0.975) })
}

/// How likely a mean difference at least as large as this one is, if it were chance which of the two had which
/// value: the two-sided paired randomisation test.
pub(super) fn randomisation(differences: &[f64], seed: u64) -> f64 {
    let observed = differences.iter().sum::<f64>().abs();
    let mut dice = Dice::new(seed);
    let as_large = (0..ROUNDS)
        .filter(|_| {
            let sum: f64 = differences.iter().map(|d| if dice.below(2) == 0 { *d } else { -d }).sum();
            sum.abs() >= observed - 1e-12
        })
        .count();
    (as_large + 1) as f64 / (ROUNDS + 1) as f64
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_interval_is_about_two_standard_errors_to_each_side() {
        let values: Vec<f64> = (0..400).map(|n| f64::from(n % 2)).collect();
        let Estimate { mean, low, high } = estimate(&values, 1).expect("values");
        assert!((mean - 0.5).abs() < 1e-12);
        assert!((low - 0.451).abs() < 0.006 && (high - 0.549).abs() < 0.006, "{low} {high}");
        assert_eq!(estimate(&values, 1), estimate(&values, 1), "the seed decides");
        assert_eq!(estimate(&[], 1), None);
    }

    #[test]
    fn a_steady_difference_is_told_from_noise() {
        assert!(randomisation(&[0.1; 20], 7) < 0.001);
        assert!(randomisation(&[0.0; 20], 7) > 0.999);
        let noise: Vec<f64> = (0..50).map(|n| if n % 2 == 0 { 0.3 } else { -0.29 }).collect();
        assert!(randomisation(&noise, 7) > 0.5);
    }

    proptest! {
        #[test]
        fn a_mean_lies_within_its_interval(values in prop::collection::vec(0.0_f64..1.0, 1..12), seed in any::<u64>()) {
            let Estimate { mean, low, high } = estimate(&values, seed).expect("values");
            prop_assert!(low <= mean + 1e-9 && mean <= high + 1e-9);
            let p = randomisation(&values, seed);
            prop_assert!(p > 0.0 && p <= 1.0);
        }
    }
}
