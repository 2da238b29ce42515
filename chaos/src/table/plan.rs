//! How long and how often: the whole table, or a quick look at every row.

use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Plan {
    /// Requests per second of the steady load.
    pub rate: f64,
    /// Before the fault and after the recovery.
    pub healthy: Duration,
    pub after: Duration,
    /// How long a fault that lasts is kept up.
    pub hold: Duration,
    /// How often a lasting fault comes.
    pub rounds: usize,
    /// How long a dependency that should not be missed is away, and how often: long enough that the
    /// moment in which that is found out is a small part of it.
    pub outage: Duration,
    pub outages: usize,
    pub panics: usize,
    pub stops: usize,
    pub kills: usize,
    pub wedges: usize,
    pub overload: Duration,
    pub clients: usize,
    /// A row that takes longer is ended and has failed.
    pub row_limit: Duration,
}

impl Plan {
    #[must_use]
    pub fn full() -> Self {
        Self {
            rate: 40.0,
            healthy: Duration::from_secs(8),
            after: Duration::from_secs(3),
            hold: Duration::from_secs(6),
            rounds: 5,
            outage: Duration::from_secs(30),
            outages: 2,
            panics: 1000,
            stops: 200,
            kills: 200,
            wedges: 10,
            overload: Duration::from_secs(60),
            clients: 2000,
            row_limit: Duration::from_secs(1800),
        }
    }

    #[must_use]
    pub fn quick() -> Self {
        Self {
            rate: 40.0,
            healthy: Duration::from_millis(800),
            after: Duration::from_millis(300),
            hold: Duration::from_millis(1000),
            rounds: 1,
            outage: Duration::from_millis(1000),
            outages: 1,
            panics: 10,
            stops: 3,
            kills: 3,
            wedges: 1,
            overload: Duration::from_secs(3),
            clients: 2000,
            row_limit: Duration::from_secs(60),
        }
    }
}
