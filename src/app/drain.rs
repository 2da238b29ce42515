//! Leaving without losing a request. In this order:
//!
//! 1. readiness says no and every response closes its connection, while everything is still served:
//!    for `server.drain_delay_ms`, in which proxies notice and clients move their connections;
//! 2. streams end, resumable ones at once (spread over a second), answers when they are complete;
//! 3. the listener closes; what is in flight finishes within `server.shutdown_timeout_ms`;
//! 4. actors stop, dependents first: the ingest worker gives its lease back, the managed PostgreSQL
//!    is last;
//! 5. the admin listener, which answered probes and metrics until now, closes.
//!
//! Without step 1 a request that is on the wire when the listener closes is lost; without closing
//! connections in it, so is one on an idle connection ([ADR 9](docs/adr/0009-drain-and-admission.md)).

use super::Core;
use crate::http::Drain;
use actix_web::dev::Server;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// What actix needs beside its own timeout to close everything.
const MARGIN: Duration = Duration::from_secs(1);

/// A listener that serves.
pub(super) struct Serving {
    handle: actix_web::dev::ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
}

impl Serving {
    pub(super) fn start(server: Server) -> Self {
        Self { handle: server.handle(), task: actix_web::rt::spawn(server) }
    }

    /// Closes the listener and waits for what is in flight.
    async fn finish(self, within: Duration) {
        if tokio::time::timeout(within + MARGIN, self.handle.stop(true)).await.is_err() {
            tracing::warn!(?within, "requests were still in flight when their time was over");
        }
        self.task.abort();
    }
}

/// The limits of leaving.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How long proxies and clients may take to notice.
    pub(super) delay: Duration,
    /// How long what is in flight may go on after that.
    pub(super) shutdown: Duration,
}

/// Everything above, in order. `delay` is skipped when the server is broken anyway.
pub(super) async fn leave(
    core: Core,
    drain: &Drain,
    mut serving: Vec<Serving>,
    patience: Patience,
    broken: bool,
) {
    // Nobody sends requests to a worker.
    let delay = if broken || serving.len() < 2 { Duration::ZERO } else { patience.delay };
    tracing::info!(delay_ms = delay.as_millis(), "stopping: finishing what is in flight");
    drain.leave();
    tokio::time::sleep(delay).await;
    drain.end_streams(Instant::now() + patience.shutdown.saturating_sub(MARGIN));
    let admin = serving.pop();
    for public in serving {
        public.finish(patience.shutdown).await;
    }
    core.stop().await;
    if let Some(admin) = admin {
        admin.finish(Duration::ZERO).await;
    }
}
