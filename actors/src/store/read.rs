//! Reads: one statement each, answered by whichever server is best, repeated where that is safe.

use super::connection::Connection;
use super::error::StoreError;
use super::ids::{CollectionId, TenantId};
use super::route::{self, Target, View};
use super::server::Server;
use super::{Servers, Store};
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use serde::Serialize;
use std::cell::Cell;
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Who answered a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Writer,
    /// A replica that is not behind by more than is allowed.
    Replica,
    /// A replica in the place of the writer, which is away: possibly behind.
    Standin,
}

tokio::task_local! {
    static SOURCE: Cell<Source>;
}

/// Another request, and who answered it.
#[derive(Debug)]
pub(super) struct Traced<M>(pub(super) M);

impl<M, T> Request for Traced<M>
where
    M: Request<Reply = Result<T, StoreError>>,
    T: Send + 'static,
{
    type Reply = Result<(T, Source), StoreError>;

    fn priority(&self) -> Priority {
        self.0.priority()
    }

    fn repeat(&self) -> Option<Self> {
        self.0.repeat().map(Self)
    }
}

impl<M, T> Serve<Traced<M>> for Store
where
    M: Request<Reply = Result<T, StoreError>>,
    T: Send + 'static,
    Store: Serve<M>,
{
    fn serve(
        self: Rc<Self>,
        Traced(message): Traced<M>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<(T, Source), StoreError>> {
        SOURCE.scope(Cell::new(Source::Writer), async move {
            let reply = <Self as Serve<M>>::serve(self, message, deadline).await?;
            Ok((reply, SOURCE.with(Cell::get)))
        })
    }
}

/// What a read must be able to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sees<'a> {
    /// All that is committed.
    Newest,
    /// What this process's clients have written.
    OwnWrites,
    /// The same, and these collections at least as they were listed last.
    Listed(&'a [CollectionId]),
}

/// Why a server gave no rows.
enum Miss {
    /// It has not replayed what the read must see.
    Behind,
    Failed(StoreError),
}

impl From<StoreError> for Miss {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<tokio_postgres::Error> for Miss {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Miss> for StoreError {
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::Behind => Self::Unavailable("the replica is behind".to_owned()),
            Miss::Failed(error) => error,
        }
    }
}

/// A read on its way.
struct Read<'a> {
    tenant: TenantId,
    ef: Option<u16>,
    sql: &'a str,
    parameters: &'a [&'a (dyn ToSql + Sync)],
    deadline: Deadline,
    /// Collections and their epochs that a replica must have reached.
    reached: Option<(Vec<i64>, Vec<i64>)>,
}

const BEHIND: &str = "SELECT EXISTS (SELECT FROM unnest($2::bigint[], $3::bigint[]) AS wanted(id, epoch) \
    LEFT JOIN collections c ON c.tenant_id = $1 AND c.collection_id = wanted.id \
    WHERE c.epoch IS NULL OR c.epoch < wanted.epoch)";

impl Store {
    /// One statement that only reads.
    ///
    /// # Cancel safety
    /// Dropping it cancels the statement wherever it runs.
    pub(super) async fn read(
        &self,
        tenant: TenantId,
        sees: Sees<'_>,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
        deadline: Deadline,
    ) -> Result<Vec<Row>, StoreError> {
        self.read_with_ef(tenant, sees, None, sql, parameters, deadline).await
    }

    /// The same, with so many candidates kept by a scan of an HNSW index.
    pub(super) async fn read_with_ef(
        &self,
        tenant: TenantId,
        sees: Sees<'_>,
        ef: Option<u16>,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
        deadline: Deadline,
    ) -> Result<Vec<Row>, StoreError> {
        let servers = self.servers();
        let mut read = Read { tenant, ef, sql, parameters, deadline, reached: None };
        if servers.replicas.is_empty() {
            return Ok(read.on(&servers.writer, false).await?);
        }
        let newest = sees == Sees::Newest || self.wrote_lately(tenant, servers.max_lag);
        if let Sees::Listed(collections) = sees {
            read.reached = self.epochs.of(collections);
        }
        let views: Vec<View> =
            servers.replicas.iter().map(|one| View { up: one.is_up(), lag: one.lag() }).collect();
        let writer_up = servers.writer.is_up();
        // What was listed is not known after a restart of the actor: then nobody but the writer is sure.
        let newest = newest || matches!(sees, Sees::Listed(_)) && read.reached.is_none();
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let (first, second) = route::order(newest, writer_up, &views, servers.max_lag, turn);
        let (rows, by) = self.hedged(&servers, &read, writer_up, first, second).await?;
        let source = match by {
            Target::Writer => Source::Writer,
            Target::Replica(_) if newest || !writer_up => Source::Standin,
            Target::Replica(_) => Source::Replica,
        };
        let route = match source {
            Source::Writer => "writer",
            Source::Replica => "replica",
            Source::Standin => "standin",
        };
        metrics::counter!("mcp_rag_database_reads_total", "route" => route).increment(1);
        let _ = SOURCE.try_with(|cell| {
            // One stale part makes the whole stale.
            if cell.get() != Source::Standin {
                cell.set(source);
            }
        });
        Ok(rows)
    }

    /// Asks the second server when the first fails, or is slower than it usually is. The first answer
    /// counts, the other question is cancelled.
    async fn hedged(
        &self,
        servers: &Servers,
        read: &Read<'_>,
        writer_up: bool,
        first: Target,
        second: Option<Target>,
    ) -> Result<(Vec<Row>, Target), StoreError> {
        self.budget.deposit();
        let ask = |target| {
            Box::pin(async move {
                let server = servers.at(target);
                let verify = writer_up && target != Target::Writer;
                Ok::<_, Miss>((read.on(server, verify).await?, target))
            })
        };
        let Some(second) = second else { return Ok(ask(first).await?) };
        let began = Instant::now();
        let mut one = ask(first);
        let patience = self.patience.borrow().wait();
        let hedged = match tokio::time::timeout(patience, one.as_mut()).await {
            Ok(Ok(answer)) => {
                self.patience.borrow_mut().observe(began.elapsed());
                return Ok(answer);
            }
            Ok(Err(Miss::Failed(error))) if !error.is_of_the_server() || !self.budget.withdraw() => {
                return Err(error);
            }
            Ok(Err(_)) => return Ok(ask(second).await?),
            Err(_) => self.budget.withdraw(),
        };
        if !hedged {
            return Ok(one.await?);
        }
        let mut two = ask(second);
        let (answer, winner) = tokio::select! {
            answer = one.as_mut() => if answer.is_ok() { (answer, "first") } else { (two.await, "second") },
            answer = two.as_mut() => if answer.is_ok() { (answer, "second") } else { (one.await, "first") },
        };
        metrics::counter!("mcp_rag_database_hedges_total", "winner" => winner).increment(1);
        self.patience.borrow_mut().observe(began.elapsed());
        Ok(answer?)
    }

    /// Whether a replica might not have replayed this tenant's last write yet.
    fn wrote_lately(&self, tenant: TenantId, max_lag: Duration) -> bool {
        self.writes.borrow().get(&tenant).is_some_and(|at| at.elapsed() < max_lag + SEEN_WITHIN)
    }

    /// Called when a write begins and when it has ended.
    pub(super) fn wrote(&self, tenant: TenantId) {
        const MOST: usize = 10_000;
        let servers = self.servers();
        if servers.replicas.is_empty() {
            return;
        }
        let mut writes = self.writes.borrow_mut();
        if writes.len() >= MOST {
            writes.retain(|_, at| at.elapsed() < servers.max_lag + SEEN_WITHIN);
        }
        writes.insert(tenant, Instant::now());
    }
}

/// What a replica's lag was may be as old as a look at it and a look at the writer.
const SEEN_WITHIN: Duration = Duration::from_secs(3);

impl Read<'_> {
    async fn on(&self, server: &Arc<Server>, verify: bool) -> Result<Vec<Row>, Miss> {
        let connection = server.connection(self.deadline).await?;
        let rows = self.over(&connection, verify).await?;
        connection.hand_back();
        Ok(rows)
    }

    async fn over(&self, connection: &Connection, verify: bool) -> Result<Vec<Row>, Miss> {
        // Preparing reads no rows, and is a round trip only the first time.
        let statement = connection.prepare_cached(self.sql).await?;
        let rows = connection.read(self.tenant, self.ef, &statement, self.parameters, self.deadline);
        let Some((ids, epochs)) = self.reached.as_ref().filter(|_| verify) else { return Ok(rows.await?) };
        // Asked before the rows and so of a state that is not newer.
        let behind = connection.prepare_cached(BEHIND).await?;
        let wanted: [&(dyn ToSql + Sync); 3] = [&self.tenant.0, ids, epochs];
        let behind = connection.read(self.tenant, None, &behind, &wanted, self.deadline);
        let (behind, rows) = futures_util::join!(behind, rows);
        if behind?.first().is_none_or(|row| row.get(0)) {
            return Err(Miss::Behind);
        }
        Ok(rows?)
    }
}

/// The epochs of collections as they were listed last, so that a search of a replica finds no older state
/// than the listing it came from.
#[derive(Default)]
pub(super) struct Epochs(std::cell::RefCell<HashMap<CollectionId, i64>>);

impl Epochs {
    pub(super) fn learn(&self, listed: impl Iterator<Item = (CollectionId, i64)>) {
        const MOST: usize = 200_000;
        let mut known = self.0.borrow_mut();
        if known.len() > MOST {
            known.clear();
        }
        known.extend(listed);
    }

    /// Ids and epochs, unless one is not known.
    fn of(&self, collections: &[CollectionId]) -> Option<(Vec<i64>, Vec<i64>)> {
        let known = self.0.borrow();
        let epochs: Option<Vec<i64>> = collections.iter().map(|id| known.get(id).copied()).collect();
        Some((collections.iter().map(|id| id.0).collect(), epochs?))
    }
}
