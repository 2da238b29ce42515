use serde::Deserialize;

/// What this process may keep in memory of what is searched.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexSettings {
    /// Of all copies together; 0: none is kept.
    pub memory_bytes: usize,
    /// How often a collection must be searched within a minute to be kept.
    pub min_searches: u32,
    /// How often it is asked what other servers have changed.
    pub poll_ms: u64,
    /// How long a search waits for a change that it must see before it goes to PostgreSQL.
    pub wait_ms: u64,
    /// Between two snapshots of a copy that changes; 0: none are written.
    pub snapshot_interval_ms: u64,
    /// That read a collection and link its vectors; 0: one per core.
    pub threads: usize,
}

impl IndexSettings {
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.memory_bytes > 0
    }

    pub fn validate(&self) -> Result<(), String> {
        let require = |holds: bool, message: &str| if holds { Ok(()) } else { Err(message.to_owned()) };
        require((10..=60_000).contains(&self.poll_ms), "index.poll_ms must be within 10..=60000")?;
        require(self.wait_ms <= 1_000, "index.wait_ms must be at most 1000")?;
        require(self.min_searches >= 1, "index.min_searches must be at least 1")?;
        require(self.threads <= 64, "index.threads must be at most 64")?;
        require(
            self.snapshot_interval_ms == 0 || self.snapshot_interval_ms >= 1_000,
            "index.snapshot_interval_ms must be 0 or at least 1000",
        )
    }
}
