//! What monitoring watches in the database: numbers over all tenants, by two functions of its owner
//! (`migrations/V31__monitoring.sql`), each of which looks at a bounded number of rows.

use super::Store;
use super::error::StoreError;
use super::ids::TenantId;
use super::read::Sees;
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use std::rc::Rc;

/// Of each class a look counts so many at most; a queue that is longer is told as this long.
const MOST_TASKS: i32 = 20_000;
const MOST_COLLECTIONS: i32 = 10_000;

/// Tasks of one class in one state, and the age of the oldest of them in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    pub interactive: bool,
    /// `due`, `put_off` or `leased`.
    pub state: String,
    pub tasks: i64,
    pub oldest: f64,
}

/// The queue; what is empty is left out.
#[derive(Debug, Clone)]
pub struct QueueState;

impl Request for QueueState {
    type Reply = Result<Vec<Waiting>, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }

    fn repeat(&self) -> Option<Self> {
        Some(Self)
    }
}

impl Serve<QueueState> for Store {
    async fn serve(self: Rc<Self>, _: QueueState, deadline: Deadline) -> Result<Vec<Waiting>, StoreError> {
        let sql = "SELECT class = 0, state, tasks, oldest FROM queue_state($1)";
        let rows = self.read(TenantId(0), Sees::Newest, sql, &[&MOST_TASKS], deadline).await?;
        let waiting = |row: &tokio_postgres::Row| Waiting {
            interactive: row.get(0),
            state: row.get(1),
            tasks: row.get(2),
            oldest: row.get(3),
        };
        Ok(rows.iter().map(waiting).collect())
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Totals {
    pub bytes: i64,
    /// Of all spaces' HNSW indexes, and the vectors in them as the planner estimates.
    pub vector_index_bytes: i64,
    pub vectors: i64,
    /// What PostgreSQL believes it can cache: `effective_cache_size`.
    pub cache_bytes: i64,
    pub connections: i64,
    pub most_connections: i64,
    pub chunks: i64,
    pub largest_tenant_chunks: i64,
    pub failed_documents: i64,
    /// When a segment of the write-ahead log was archived last, in Unix time; none where none is.
    pub wal_archived_at: Option<f64>,
}

#[derive(Debug, Clone)]
pub struct DatabaseState;

impl Request for DatabaseState {
    type Reply = Result<Totals, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }

    fn repeat(&self) -> Option<Self> {
        Some(Self)
    }
}

impl Serve<DatabaseState> for Store {
    async fn serve(self: Rc<Self>, _: DatabaseState, deadline: Deadline) -> Result<Totals, StoreError> {
        let sql = "SELECT bytes, vector_index_bytes, vectors, cache_bytes, connections, most_connections, chunks, \
                   largest_tenant_chunks, failed, wal_archived_at FROM database_state($1)";
        let rows = self.read(TenantId(0), Sees::Newest, sql, &[&MOST_COLLECTIONS], deadline).await?;
        let row = super::only_row(&rows, "state of the database")?;
        Ok(Totals {
            bytes: row.get(0),
            vector_index_bytes: row.get(1),
            vectors: row.get(2),
            cache_bytes: row.get(3),
            connections: row.get(4),
            most_connections: row.get(5),
            chunks: row.get(6),
            largest_tenant_chunks: row.get(7),
            failed_documents: row.get(8),
            wal_archived_at: row.get(9),
        })
    }
}
