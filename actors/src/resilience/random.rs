use std::hash::{BuildHasher, RandomState};

/// Uniform in `0.0..1.0`, for jitter: from the standard library's random hash keys, so not for secrets.
#[must_use]
pub fn uniform() -> f64 {
    let bits = RandomState::new().hash_one(0) >> 12; // 52 bits, exactly a double's fraction
    f64::from_bits(1.0_f64.to_bits() | bits) - 1.0
}

#[cfg(test)]
mod tests {
    #[test]
    fn jitter_spreads_over_the_whole_unit_interval() {
        let drawn: Vec<f64> = (0..1000).map(|_| super::uniform()).collect();
        assert!(drawn.iter().all(|one| (0.0..1.0).contains(one)));
        assert!(drawn.iter().any(|one| *one < 0.1) && drawn.iter().any(|one| *one > 0.9));
    }
}
