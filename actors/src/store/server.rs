//! One database server, the writer or a replica: its pool, its circuit, what is known of it.
//!
//! While the circuit is not closed calls are refused at once; only the [monitor](super::monitor) asks,
//! one connection at a time, and so nobody waits for a server that is away. What counts as a failure: no
//! connection, or a connection that was lost or went silent. What does not: no free connection in our own
//! pool, a refused statement, a caller who left.

use super::address::Address;
use super::connection::Connection;
use super::error::StoreError;
use super::handle::PROBE_PAUSE;
use super::hosts::{ConnectError, Hosts, Reach};
use super::pool::PoolSettings;
use crate::resilience::{BreakerState, Circuit, Deadline, Pass};
use deadpool::Runtime;
use deadpool::managed::{Object, Pool, PoolError};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Writer,
    Replica,
}

/// A replica of which nothing is known yet.
const UNKNOWN: u64 = u64::MAX;

pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) circuit: Circuit,
    /// Someone has seen it fail: the monitor looks at once.
    pub(super) suspected: Arc<Notify>,
    /// Milliseconds that a replica is behind the writer.
    lag: AtomicU64,
    read_only: AtomicBool,
    pool: Pool<Hosts>,
    /// As many as connections may be in use.
    places: Arc<Semaphore>,
    /// Places taken away because the server admits no more connections.
    missing: AtomicUsize,
    waiting: AtomicUsize,
    wait: Duration,
    longest: Duration,
    size: usize,
}

/// A server's pool and state, for `GET /v1/system`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ServerStatus {
    pub max_size: usize,
    pub size: usize,
    pub available: usize,
    pub waiting: usize,
    /// `closed` when it is asked, `open` when it is away, `half_open` between.
    pub state: BreakerState,
    /// Accepts no writes.
    pub read_only: bool,
    /// Of a replica; null for the writer and while it is not known.
    pub lag_ms: Option<u64>,
}

impl Server {
    pub(super) fn new(
        address: &Address,
        settings: &PoolSettings,
        role: Role,
        circuit: Circuit,
        suspected: Arc<Notify>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            name: circuit.name(),
            circuit,
            lag: AtomicU64::new(UNKNOWN),
            read_only: AtomicBool::new(false),
            pool: pool(address, settings, role, Arc::clone(&suspected))?,
            suspected,
            places: Arc::new(Semaphore::new(settings.size)),
            missing: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            wait: settings.wait,
            longest: settings.statement,
            size: settings.size,
        })
    }

    /// Whether calls are admitted now.
    pub(super) fn is_up(&self) -> bool {
        self.circuit.status().state == BreakerState::Closed
    }

    fn admit(&self) -> Result<Pass, StoreError> {
        let refused = |retry_in| StoreError::CircuitOpen { retry_in };
        if !self.is_up() {
            let left = self.circuit.status().retry_in_ms.map(Duration::from_millis);
            return Err(refused(left.unwrap_or(PROBE_PAUSE)));
        }
        self.circuit.admit().map_err(|open| refused(open.retry_in))
    }

    /// A connection, bound to no tenant yet.
    ///
    /// # Cancel safety
    /// Dropped while it waits it leaves its place to the next.
    pub(super) async fn connection(self: &Arc<Self>, deadline: Deadline) -> Result<Connection, StoreError> {
        let opened = self.circuit.opened();
        let pass = self.admit()?;
        tokio::select! {
            connection = self.connect(pass, deadline) => connection,
            () = opened => Err(StoreError::CircuitOpen { retry_in: PROBE_PAUSE }),
        }
    }

    async fn connect(self: &Arc<Self>, pass: Pass, deadline: Deadline) -> Result<Connection, StoreError> {
        let failed = loop {
            let Some(place) = self.place(deadline).await else {
                pass.ignore();
                return Err(if deadline.has_passed() { StoreError::Timeout } else { StoreError::Saturated });
            };
            match self.pool.get().await {
                Ok(object) => {
                    let suspected = Arc::clone(&self.suspected);
                    return Ok(Connection::new(object, place, pass, suspected, self.longest));
                }
                // The server admits no more connections, but those we have go on working: one is waited for.
                Err(PoolError::Backend(error)) if error.is_a_limit() && self.narrow() => place.forget(),
                Err(error) => break error,
            }
        };
        match failed {
            PoolError::Backend(error) => {
                pass.fail();
                self.suspected.notify_one();
                Err(StoreError::Unavailable(error.to_string()))
            }
            PoolError::Timeout(_) | PoolError::Closed => {
                pass.ignore();
                Err(StoreError::Unavailable("the pool is closed".to_owned()))
            }
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                pass.ignore();
                Err(StoreError::Internal("the pool is not set up".to_owned()))
            }
        }
    }

    /// The right to one of the pool's connections, if one becomes free in time.
    async fn place(&self, deadline: Deadline) -> Option<OwnedSemaphorePermit> {
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        let limit = self.wait.min(deadline.remaining());
        tokio::time::timeout(limit, Arc::clone(&self.places).acquire_owned()).await.ok()?.ok()
    }

    /// Whether there are connections to make do with: then one place less, until [`Self::widen`].
    fn narrow(&self) -> bool {
        let there = self.pool.status().size;
        let fewer = |missing| (there > 0 && self.size - missing > there).then_some(missing + 1);
        let narrowed = self.missing.fetch_update(Ordering::AcqRel, Ordering::Acquire, fewer);
        if narrowed == Ok(0) {
            tracing::warn!(server = self.name, connections = there, "no more connections can be had");
        }
        narrowed.is_ok()
    }

    /// Lets the pool grow to its full size again.
    pub(super) fn widen(&self) {
        self.places.add_permits(self.missing.swap(0, Ordering::AcqRel));
    }

    pub(super) fn is_narrowed(&self) -> bool {
        self.missing.load(Ordering::Acquire) > 0
    }

    /// No connection opened until now is used again; those in use end their work first.
    pub(super) fn discard_connections(&self) {
        self.pool.manager().expire();
        self.pool.retain(|_, _| false);
    }

    /// The same, and those in use end now: nobody is there to answer.
    pub(super) fn cut_connections(&self) {
        self.discard_connections();
        self.pool.manager().cut();
    }

    /// A connection outside the pool, for the monitor.
    pub(super) async fn open(&self) -> Result<super::hosts::Session, ConnectError> {
        self.pool.manager().open().await
    }

    pub(super) fn wants_writes(&self) -> bool {
        self.pool.manager().wants_writes()
    }

    pub(super) fn set_lag(&self, lag: Option<Duration>) {
        let ms = lag.map_or(UNKNOWN, |lag| u64::try_from(lag.as_millis()).unwrap_or(UNKNOWN - 1));
        self.lag.store(ms, Ordering::Release);
    }

    pub(super) fn lag(&self) -> Option<Duration> {
        Some(self.lag.load(Ordering::Acquire)).filter(|ms| *ms != UNKNOWN).map(Duration::from_millis)
    }

    pub(super) fn set_read_only(&self, on: bool) -> bool {
        self.read_only.swap(on, Ordering::AcqRel) != on
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }

    pub(super) fn status(&self) -> ServerStatus {
        let pool = self.pool.status();
        ServerStatus {
            max_size: self.size,
            size: pool.size,
            available: pool.available,
            waiting: self.waiting.load(Ordering::Relaxed),
            state: self.circuit.status().state,
            read_only: self.read_only.load(Ordering::Acquire),
            lag_ms: self.lag().map(|lag| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

fn pool(
    address: &Address,
    settings: &PoolSettings,
    role: Role,
    lost: Arc<Notify>,
) -> Result<Pool<Hosts>, StoreError> {
    let sole = role == Role::Writer;
    let reach = Reach { limit: settings.connect, session: settings.session_sql(), sole };
    Pool::builder(Hosts::new(address, reach, lost))
        .max_size(settings.size)
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| StoreError::Internal(error.to_string()))
}

pub(super) type Pooled = Object<Hosts>;
