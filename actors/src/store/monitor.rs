//! Looks at one server twice a second over a connection of its own, outside the pool.
//!
//! It is what notices a server that is silent, has become read-only or falls behind before callers do, and
//! the only one who asks while the circuit is not closed: recovery is found by one connection, whatever the
//! load. A connection that the server closes, or a caller's failure, makes it look at once. Bounds: one
//! connection, [`LOOK_WITHIN`] per look, [`PAUSE`] between looks at least. Ends when it is aborted.

use super::hosts::{ConnectError, Session};
use super::lag::Positions;
use super::server::{Role, Server};
use crate::resilience::random;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(500);
const LOOK_WITHIN: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);
/// How often a pool that could not grow is let try again.
const WIDEN_EVERY: Duration = Duration::from_secs(5);

const LOOK: &str = "SELECT current_setting('transaction_read_only')::bool, CASE WHEN pg_is_in_recovery() \
    THEN pg_last_wal_replay_lsn() - '0/0' ELSE pg_current_wal_insert_lsn() - '0/0' END::bigint";

/// Shared by the writer's monitor, which writes, and the replicas'.
pub(super) type Log = Arc<Mutex<Positions>>;

struct Seen {
    read_only: bool,
    position: i64,
}

pub(super) async fn watch(server: Arc<Server>, role: Role, log: Log) {
    let mut sentinel = None;
    let (mut emptied, mut widened) = (false, Instant::now());
    loop {
        match server.circuit.admit() {
            Err(open) => {
                if !emptied {
                    emptied = true;
                    server.cut_connections();
                }
                sentinel = None;
                tokio::time::sleep(open.retry_in.max(PAUSE)).await;
            }
            Ok(pass) => match look_in_time(&server, &mut sentinel, pass.is_probe()).await {
                Ok(seen) => {
                    emptied = false;
                    note(&server, role, &log, &seen);
                    pass.succeed();
                    if server.is_narrowed() && widened.elapsed() >= WIDEN_EVERY {
                        widened = Instant::now();
                        server.widen();
                    }
                    tokio::time::sleep(PAUSE).await;
                    let wait = EVERY.mul_f64(0.9 + 0.2 * random::uniform());
                    let _ = tokio::time::timeout(wait, server.suspected.notified()).await;
                }
                Err(error) => {
                    sentinel = None;
                    if matches!(error, ConnectError::ReadOnly) {
                        server.discard_connections();
                    }
                    pass.fail();
                    if !server.is_up() {
                        tracing::warn!(server = server.name, %error, "the database server does not answer");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
}

/// As long as it is believed to be there it must show it soon, over a new connection too; once it is away, a
/// connection may take the time it is given.
async fn look_in_time(
    server: &Server,
    sentinel: &mut Option<Session>,
    away: bool,
) -> Result<Seen, ConnectError> {
    let look = look(server, sentinel);
    if away {
        return look.await;
    }
    tokio::time::timeout(LOOK_WITHIN, look).await.unwrap_or(Err(ConnectError::Silent(LOOK_WITHIN)))
}

async fn look(server: &Server, sentinel: &mut Option<Session>) -> Result<Seen, ConnectError> {
    let session = match sentinel.take().filter(|session| !session.is_closed()) {
        Some(session) => session,
        None => server.open().await?,
    };
    let asked = async {
        let statement = session.prepare_cached(LOOK).await?;
        session.query_one(&statement, &[]).await
    };
    let row =
        tokio::time::timeout(LOOK_WITHIN, asked).await.map_err(|_| ConnectError::Silent(LOOK_WITHIN))??;
    let seen = Seen { read_only: row.get(0), position: row.get::<_, Option<i64>>(1).unwrap_or_default() };
    if seen.read_only && server.wants_writes() {
        return Err(ConnectError::ReadOnly);
    }
    *sentinel = Some(session);
    Ok(seen)
}

fn note(server: &Server, role: Role, log: &Log, seen: &Seen) {
    let now = Instant::now();
    let mut positions = log.lock().unwrap_or_else(PoisonError::into_inner);
    let changed = server.set_read_only(seen.read_only);
    match role {
        Role::Writer => {
            positions.record(now, seen.position);
            if changed && seen.read_only {
                tracing::warn!("the database is read-only: nothing can be written until that changes");
            } else if changed {
                tracing::info!("the database accepts writes again");
            }
        }
        Role::Replica => {
            let lag = positions.lag(now, seen.position);
            server.set_lag(lag);
            // Unknown is not near.
            let seconds = lag.map_or(f64::NAN, |lag| lag.as_secs_f64());
            metrics::gauge!("mcp_rag_database_replica_lag_seconds", "server" => server.name).set(seconds);
        }
    }
}
