//! The writer and its replicas under one set of settings, and what outlives both settings and restarts.

use super::error::StoreError;
use super::hosts::{Hosts, Reach};
use super::monitor::{Log, watch};
use super::pool::{MOST_REPLICAS, PoolSettings};
use super::route::Target;
use super::server::{Role, Server, ServerStatus};
use crate::resilience::{Backoff, BreakerSettings, BreakerStatus, Circuit};
use arc_swap::ArcSwap;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const REPLICAS: [&str; MOST_REPLICAS] =
    ["replica:1", "replica:2", "replica:3", "replica:4", "replica:5", "replica:6", "replica:7", "replica:8"];

/// Only the monitor probes, so that a probe is cheap and the pauses can be short. Slow statements say
/// nothing about whether the server is there.
const CIRCUIT: BreakerSettings = BreakerSettings {
    minimum_calls: 20,
    failure_rate: 0.5,
    slow_rate: f64::INFINITY,
    slow_call: Duration::MAX,
    consecutive_failures: 3,
    open: Backoff { base: Duration::from_millis(200), max: Duration::from_secs(3) },
    longest_refusal: Duration::ZERO,
};

/// Beside the handle: survives restarts of the actor, and callers fail fast without a hop.
pub(super) struct Shared {
    pub(super) settings: ArcSwap<PoolSettings>,
    pub(super) writer: Circuit,
    /// Wakes the writer's monitor.
    pub(super) suspected: Arc<Notify>,
    replicas: Mutex<Vec<Circuit>>,
}

impl Shared {
    pub(super) fn new(settings: PoolSettings) -> Self {
        Self {
            settings: ArcSwap::from_pointee(settings),
            writer: Circuit::new("database", CIRCUIT),
            suspected: Arc::default(),
            replicas: Mutex::default(),
        }
    }

    fn replica(&self, number: usize) -> Circuit {
        let mut circuits = self.replicas.lock().unwrap_or_else(PoisonError::into_inner);
        while circuits.len() <= number {
            let name = REPLICAS[circuits.len()];
            circuits.push(Circuit::new(name, CIRCUIT));
        }
        circuits[number].clone()
    }

    /// The writer's circuit and one for each replica there is now.
    pub(super) fn breakers(&self) -> Vec<BreakerStatus> {
        let replicas = self.replicas.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.settings.load().replicas.len();
        std::iter::once(&self.writer).chain(replicas.iter().take(now)).map(Circuit::status).collect()
    }
}

/// Ended, with its pools and monitors, when the last call that uses it has ended.
pub(super) struct Servers {
    pub(super) writer: Arc<Server>,
    pub(super) replicas: Vec<Arc<Server>>,
    pub(super) max_lag: Duration,
    monitors: Vec<JoinHandle<()>>,
}

/// Every server's pool and state.
#[derive(Debug, Serialize)]
pub struct PoolStatus {
    pub writer: ServerStatus,
    /// By name: `replica:1` and so on, in the order of `database.replica_urls`.
    pub replicas: BTreeMap<&'static str, ServerStatus>,
}

impl PoolStatus {
    /// The writer as `writer`, then the replicas.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &ServerStatus)> {
        std::iter::once(("writer", &self.writer))
            .chain(self.replicas.iter().map(|(name, status)| (*name, status)))
    }
}

impl Servers {
    /// Pools are filled on demand; the monitors begin to look at once. To be called on the actor's thread.
    pub(super) fn open(shared: &Shared, settings: &PoolSettings) -> Result<Self, StoreError> {
        let server = |config, role, circuit, suspected| {
            Server::new(config, settings, role, circuit, suspected).map(Arc::new)
        };
        let suspected = Arc::clone(&shared.suspected);
        let writer = server(&settings.writer, Role::Writer, shared.writer.clone(), suspected)?;
        let replicas = settings.replicas.iter().take(MOST_REPLICAS).enumerate();
        let replicas = replicas
            .map(|(number, config)| server(config, Role::Replica, shared.replica(number), Arc::default()));
        let replicas = replicas.collect::<Result<Vec<_>, _>>()?;
        let log = Log::default();
        let mut monitors = vec![tokio::spawn(watch(Arc::clone(&writer), Role::Writer, Arc::clone(&log)))];
        for replica in &replicas {
            monitors.push(tokio::spawn(watch(Arc::clone(replica), Role::Replica, Arc::clone(&log))));
        }
        Ok(Self { writer, replicas, max_lag: settings.max_lag, monitors })
    }

    /// Whether a session can be opened with these settings.
    pub(super) async fn prove(settings: &PoolSettings, within: Duration) -> Result<(), StoreError> {
        let reach = Reach { limit: settings.connect, session: settings.session_sql(), sole: true };
        let hosts = Hosts::new(&settings.writer, reach, Arc::default());
        match tokio::time::timeout(within, hosts.open()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(StoreError::Unavailable(error.to_string())),
            Err(_) => Err(StoreError::Timeout),
        }
    }

    pub(super) fn at(&self, target: Target) -> &Arc<Server> {
        match target {
            Target::Writer => &self.writer,
            Target::Replica(number) => &self.replicas[number],
        }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Server>> {
        std::iter::once(&self.writer).chain(&self.replicas)
    }

    /// Nobody looks any more: what these servers seem to be is no news of those that replace them. Who
    /// waits for a connection still gets one of those that are open; with the last call all are closed.
    pub(super) fn retire(&self) {
        self.monitors.iter().for_each(JoinHandle::abort);
    }

    /// No connection is given out any more.
    pub(super) fn close(&self) {
        self.retire();
        self.all().for_each(|server| server.close());
    }

    pub(super) fn status(&self) -> PoolStatus {
        let replicas = self.replicas.iter().map(|server| (server.name, server.status())).collect();
        PoolStatus { writer: self.writer.status(), replicas }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.monitors.iter().for_each(JoinHandle::abort);
    }
}
