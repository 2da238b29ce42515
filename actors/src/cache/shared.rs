//! The way to Redis that costs nothing while Redis is away.

use super::redis::{Ping, Redis, RedisSettings, Unavailable};
use crate::resilience::{BreakerSettings, BreakerState, Circuit, Deadline, Pass};
use crate::supervise::{CallError, Handle, Request, Serve};
use std::time::Duration;

/// Why Redis gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Away {
    /// It was not asked.
    Skipped,
    Failed,
}

impl Away {
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Failed => "error",
        }
    }
}

#[derive(Clone)]
pub(super) struct Shared {
    redis: Handle<Redis>,
    circuit: Circuit,
    timeout: Duration,
}

impl Shared {
    pub(super) fn new(redis: Handle<Redis>, settings: &RedisSettings) -> Self {
        // Late is a failure already; there is no other kind of slow.
        let breaker = BreakerSettings { slow_call: Duration::MAX, ..BreakerSettings::default() };
        let timeout = Duration::from_millis(settings.timeout_ms);
        Self { redis, circuit: Circuit::new("redis", breaker), timeout }
    }

    pub(super) fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    pub(super) fn is_away(&self) -> bool {
        self.circuit.status().state != BreakerState::Closed
    }

    /// Asks Redis unless it is away.
    ///
    /// A half-open circuit's probe is a ping beside the calls: no caller waits for it, and none that
    /// leaves takes it along.
    pub(super) async fn call<M, T>(&self, message: M) -> Result<T, Away>
    where
        M: Request<Reply = Result<T, Unavailable>>,
        Redis: Serve<M>,
    {
        let pass = self.circuit.admit().map_err(|_| Away::Skipped)?;
        if pass.is_probe() {
            let shared = self.clone();
            tokio::spawn(async move { shared.ping(pass).await });
            return Err(Away::Skipped);
        }
        self.ask(message, pass).await
    }

    /// Whether Redis answers a ping; it is the probe where one is due.
    pub(super) async fn is_up(&self) -> bool {
        match self.circuit.admit() {
            Ok(pass) => self.ping(pass).await.is_ok(),
            Err(_) => false,
        }
    }

    async fn ping(&self, pass: Pass) -> Result<(), Away> {
        self.ask(Ping, pass).await
    }

    async fn ask<M, T>(&self, message: M, pass: Pass) -> Result<T, Away>
    where
        M: Request<Reply = Result<T, Unavailable>>,
        Redis: Serve<M>,
    {
        match self.redis.call(message, Deadline::within(self.timeout)).await {
            Ok(Ok(value)) => {
                pass.succeed();
                return Ok(value);
            }
            Ok(Err(Unavailable)) | Err(CallError::Timeout | CallError::Lost) => pass.fail(),
            Err(
                CallError::Overloaded | CallError::Down { .. } | CallError::Draining | CallError::NotStarted,
            ) => pass.ignore(),
        }
        Err(Away::Failed)
    }
}
