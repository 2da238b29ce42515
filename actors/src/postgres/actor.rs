//! The `postgres` actor: keeps the managed child running under its supervisor.

use super::{DataDirLock, ExitReason, ManagedPostgres, PostgresSettings};
use crate::resilience::Deadline;
use crate::supervise::{Handle, Lifeline, Request, Serve, Service, StartError, Tree};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_postgres::Config;

/// A clean stop writes a checkpoint; past this the next start recovers from the WAL instead.
const STOP_WITHIN: Duration = Duration::from_secs(20);

struct Postgres {
    connections: Connections,
    stop: RefCell<Option<oneshot::Sender<oneshot::Sender<()>>>>,
}

/// How the database is reached; the same for every incarnation.
#[derive(Debug, Clone)]
pub struct Connections {
    pub owner: Config,
    pub app: Config,
    /// Where `psql`, `pg_dump` and the like of this version are.
    pub bin_dir: std::path::PathBuf,
}

#[derive(Debug)]
struct GetConnections;

impl Request for GetConnections {
    type Reply = Connections;

    fn repeat(&self) -> Option<Self> {
        Some(Self)
    }
}

impl Serve<GetConnections> for Postgres {
    async fn serve(self: Rc<Self>, _: GetConnections, _: Deadline) -> Connections {
        self.connections.clone()
    }
}

impl Service for Postgres {
    async fn stop(self: Rc<Self>) {
        let stop = self.stop.borrow_mut().take();
        let (done, stopped) = oneshot::channel();
        if stop.is_some_and(|stop| stop.send(done).is_ok()) {
            let _ = stopped.await;
        }
    }
}

/// Owns the child until it ends by itself or is told to stop.
async fn watch(mut child: ManagedPostgres, lifeline: Lifeline, stop: oneshot::Receiver<oneshot::Sender<()>>) {
    tokio::select! {
        reason = child.exited() => {
            tracing::error!(?reason, last_words = %child.last_words(), "PostgreSQL ended");
            lifeline.fail(format!("PostgreSQL ended: {reason:?}"));
        }
        done = stop => {
            let reason: ExitReason = child.stop(STOP_WITHIN).await;
            tracing::info!(?reason, "PostgreSQL stopped");
            if let Ok(done) = done {
                let _ = done.send(());
            }
        }
    }
}

/// Starts PostgreSQL under supervision and tells how to reach it.
pub async fn supervise(
    tree: &Tree,
    settings: PostgresSettings,
    lock: Arc<DataDirLock>,
) -> Result<Connections, StartError> {
    let within = Duration::from_secs(settings.start_timeout_secs) + Duration::from_secs(30);
    let spec = tree.spec("postgres", 16).start_within(within);
    let factory = move |lifeline: Lifeline| {
        let (settings, lock) = (settings.clone(), Arc::clone(&lock));
        async move {
            let child = super::start(&settings, &lock).await.map_err(|error| error.to_string())?;
            let (owner, app) = (child.owner_config(), child.app_config());
            let connections = Connections { owner, app, bin_dir: child.bin_dir().to_owned() };
            let (stop, stopping) = oneshot::channel();
            drop(lifeline.spawn(watch(child, lifeline.clone(), stopping)));
            Ok(Postgres { connections, stop: RefCell::new(Some(stop)) })
        }
    };
    let handle: Handle<Postgres> = tree.start(spec, factory).await?;
    let deadline = Deadline::within(Duration::from_secs(5));
    let refused =
        |error: crate::supervise::CallError| StartError { name: "postgres", error: error.to_string() };
    handle.call(GetConnections, deadline).await.map_err(refused)
}
