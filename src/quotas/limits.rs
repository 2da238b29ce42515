use super::Budget;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Ingest is counted in pieces of this many bytes, so that whole nanoseconds are exact enough for one.
pub(super) const PIECE: u64 = 1024;
const MOST_REQUESTS: u64 = 1_000_000;
const MOST_BYTES: u64 = 1 << 40;
const MOST_TOKENS: u64 = 1 << 50;
const SECOND: u64 = 1_000_000_000;

/// How much somebody may ask for; 0: without a limit. What is absent is as configured (`[quotas]`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1_000_000)]
    pub search_per_second: Option<u64>,
    /// Searches at once after a pause; 0: those of a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1_000_000)]
    pub search_burst: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1_000_000)]
    pub answers_per_minute: Option<u64>,
    /// Answers at once after a pause; 0: those of a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1_000_000)]
    pub answers_burst: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1_099_511_627_776_i64)]
    pub ingest_bytes_per_second: Option<u64>,
    /// Bytes at once after a pause, at least the largest body; 0: those of a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1_099_511_627_776_i64)]
    pub ingest_burst_bytes: Option<u64>,
    /// Tokens of the chat model, read and written, from midnight to midnight (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 1_125_899_906_842_624_i64)]
    pub llm_tokens_per_day: Option<u64>,
}

/// What a bucket holds and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Rate {
    /// In which one unit comes back.
    pub(super) interval: Duration,
    pub(super) burst: u32,
}

impl Rate {
    fn new(units: u64, per: u64, burst: u64) -> Option<Self> {
        let interval = Duration::from_nanos((per / units.max(1)).max(1));
        let burst = u32::try_from(burst.max(1)).unwrap_or(u32::MAX);
        (units > 0).then_some(Self { interval, burst })
    }

    /// One server's part where several share the whole.
    pub(super) fn share(self, replicas: u32) -> Self {
        Self { interval: self.interval * replicas, burst: (self.burst / replicas).max(1) }
    }

    /// In which an empty bucket is full again.
    pub(super) fn window(self) -> Duration {
        self.interval * self.burst
    }
}

impl Limits {
    /// These, and `default` where they say nothing. A burst belongs to its rate.
    #[must_use]
    pub(super) fn over(self, default: Self) -> Self {
        let pair = |own: (Option<u64>, Option<u64>), default: (Option<u64>, Option<u64>)| match own {
            (Some(rate), burst) => (Some(rate), burst),
            (None, burst) => (default.0, burst.or(default.1)),
        };
        let search = pair(
            (self.search_per_second, self.search_burst),
            (default.search_per_second, default.search_burst),
        );
        let answers = pair(
            (self.answers_per_minute, self.answers_burst),
            (default.answers_per_minute, default.answers_burst),
        );
        let ingest = pair(
            (self.ingest_bytes_per_second, self.ingest_burst_bytes),
            (default.ingest_bytes_per_second, default.ingest_burst_bytes),
        );
        Self {
            search_per_second: search.0,
            search_burst: search.1,
            answers_per_minute: answers.0,
            answers_burst: answers.1,
            ingest_bytes_per_second: ingest.0,
            ingest_burst_bytes: ingest.1,
            llm_tokens_per_day: self.llm_tokens_per_day.or(default.llm_tokens_per_day),
        }
    }

    /// None where there is no limit. Of ingest a bucket holds at least `largest` bytes, so that every body can come in.
    pub(super) fn rate(self, budget: Budget, largest: u64) -> Option<Rate> {
        let given = |value: Option<u64>| value.unwrap_or_default();
        let burst = |burst: Option<u64>, rate: u64| burst.filter(|burst| *burst > 0).unwrap_or(rate);
        match budget {
            Budget::Search => {
                let rate = given(self.search_per_second);
                Rate::new(rate, SECOND, burst(self.search_burst, rate))
            }
            Budget::Answers => {
                let rate = given(self.answers_per_minute);
                Rate::new(rate, 60 * SECOND, burst(self.answers_burst, rate))
            }
            Budget::Ingest => {
                let rate = given(self.ingest_bytes_per_second);
                let burst = burst(self.ingest_burst_bytes, rate).max(largest).div_ceil(PIECE);
                Rate::new(rate, PIECE * SECOND, burst)
            }
        }
    }

    pub(super) fn tokens(self) -> Option<u64> {
        self.llm_tokens_per_day.filter(|tokens| *tokens > 0)
    }

    /// # Errors
    /// The field that is out of range, behind `path`.
    pub fn check(&self, path: &str) -> Result<(), Error> {
        for (name, value, most) in [
            ("search_per_second", self.search_per_second, MOST_REQUESTS),
            ("search_burst", self.search_burst, MOST_REQUESTS),
            ("answers_per_minute", self.answers_per_minute, MOST_REQUESTS),
            ("answers_burst", self.answers_burst, MOST_REQUESTS),
            ("ingest_bytes_per_second", self.ingest_bytes_per_second, MOST_BYTES),
            ("ingest_burst_bytes", self.ingest_burst_bytes, MOST_BYTES),
            ("llm_tokens_per_day", self.llm_tokens_per_day, MOST_TOKENS),
        ] {
            if value.is_some_and(|value| value > most) {
                let name = format!("{path}.{name}");
                return Err(Error::invalid(
                    name.clone(),
                    format!("`{name}` is at most {most}, or 0 for no limit"),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_goes_before_what_is_configured_and_a_burst_belongs_to_its_rate() {
        let configured = Limits {
            search_per_second: Some(10),
            search_burst: Some(100),
            answers_per_minute: Some(6),
            ..Limits::default()
        };
        let own = Limits { search_per_second: Some(50), ..Limits::default() }.over(configured);
        let rate = own.rate(Budget::Search, 0).expect("limited");
        assert_eq!((rate.interval, rate.burst), (Duration::from_millis(20), 50));
        let rate = own.rate(Budget::Answers, 0).expect("limited");
        assert_eq!((rate.interval, rate.burst), (Duration::from_secs(10), 6));
        let more = Limits { search_burst: Some(7), answers_per_minute: Some(0), ..Limits::default() }
            .over(configured);
        assert_eq!(more.rate(Budget::Search, 0).map(|rate| rate.burst), Some(7));
        assert_eq!((more.rate(Budget::Answers, 0), more.rate(Budget::Ingest, 9)), (None, None));
    }

    #[test]
    fn the_largest_body_always_fits_and_bytes_are_counted_exactly_enough() {
        let limits = Limits { ingest_bytes_per_second: Some(30_000_000), ..Limits::default() };
        let rate = limits.rate(Budget::Ingest, 33_554_432).expect("limited");
        assert_eq!(rate.burst, 32 * 1024);
        let bytes = PIECE as f64 / rate.interval.as_secs_f64();
        assert!((bytes / 30e6 - 1.0).abs() < 1e-4, "{bytes}");
        assert!(limits.check("limits").is_ok());
        let wrong = Limits { search_burst: Some(MOST_REQUESTS + 1), ..limits };
        assert_eq!(wrong.check("limits").expect_err("refused").param.as_deref(), Some("limits.search_burst"));
    }
}
