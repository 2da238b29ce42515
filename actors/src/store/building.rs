//! Filling an embedding space: tasks over ranges of chunk ids, batch by batch, resumable anywhere.
//!
//! A batch and the place after it are written in one statement that names the lease, so that a worker that was
//! lost costs the batch it was at. The last task sweeps: from a moment on every document that is published without
//! a vector is noted in `behind`, and then no chunk may lack one.

use super::Store;
use super::chunking::Chunking;
use super::connection::Connection;
use super::error::StoreError;
use super::ids::{ChunkId, JobId, SpaceId, TaskId, TenantId};
use super::read::Sees;
use super::space::{self, MOST_SPACES, Space, SpaceSpec};
use super::tasks::{Claim, Task, Work};
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use deadpool_postgres::Transaction;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::types::ToSql;

/// Tasks of one job: few, so that documents that are sent meanwhile find places.
const MOST_PARTS: i64 = 4;
/// Chunks worth a task of their own.
const PART: i64 = 2_000;

/// A range of chunk ids to fill a space for.
#[derive(Debug, Clone)]
pub struct Part {
    pub space: Space,
    pub from: i64,
    /// None: the newest chunk and beyond.
    pub to: Option<i64>,
}

/// Fills a space made for this, a new one if there is none. One that lacks nothing is left as it is.
#[derive(Debug)]
pub struct BuildSpace {
    pub tenant: TenantId,
    pub spec: SpaceSpec,
}

impl Request for BuildSpace {
    /// The job, unless there is nothing to do.
    type Reply = Result<(Space, Option<JobId>), StoreError>;
}

impl Serve<BuildSpace> for Store {
    async fn serve(
        self: Rc<Self>,
        build: BuildSpace,
        deadline: Deadline,
    ) -> Result<(Space, Option<JobId>), StoreError> {
        let tenant = build.tenant.0;
        let mut connection = self.connection(build.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        space::lock_alone(&transaction, tenant).await?;
        let known = space::all(&transaction, tenant).await?;
        let space = match known.iter().find(|one| one.is_filled() && one.spec == build.spec) {
            Some(space) => space.clone(),
            None if known.len() >= MOST_SPACES => {
                return Err(StoreError::Conflict(format!(
                    "a tenant has at most {MOST_SPACES} embedding spaces: remove one first, DELETE /v1/spaces/{{id}}"
                )));
            }
            None => space::insert(&transaction, tenant, &build.spec, "building").await?,
        };
        let under_way = under_way(&transaction, tenant, &space).await?;
        let job = match under_way {
            Some(job) => Some(job),
            None if space.behind => Some(begin(&transaction, tenant, &space).await?),
            None => None,
        };
        transaction.commit().await?;
        self.done(build.tenant, connection);
        Ok((Space { job: job.or(space.job), ..space }, job))
    }
}

/// The job that works on the space now.
async fn under_way(
    transaction: &Transaction<'_>,
    tenant: i64,
    space: &Space,
) -> Result<Option<JobId>, StoreError> {
    let sql = "SELECT job_id FROM tasks WHERE tenant_id = $1 AND space_id = $2 LIMIT 1";
    Ok(transaction.query_opt(sql, &[&tenant, &space.id.0]).await?.map(|row| JobId(row.get(0))))
}

async fn begin(transaction: &Transaction<'_>, tenant: i64, space: &Space) -> Result<JobId, StoreError> {
    let sql = "WITH lacks AS (SELECT greatest(coalesce((SELECT sum(chunks) FROM collections WHERE tenant_id = $1), 0) \
                   - (SELECT count(*) FROM embeddings WHERE tenant_id = $1 AND space_id = $2), 0)::int AS chunks), \
               job AS (INSERT INTO jobs (tenant_id, kind, total, remaining, class) \
                   SELECT $1, 'build_space', chunks, chunks, 1 FROM lacks RETURNING job_id) \
               SELECT job.job_id, lacks.chunks::bigint, \
                   (SELECT min(chunk_id) FROM chunks WHERE tenant_id = $1), \
                   (SELECT max(chunk_id) FROM chunks WHERE tenant_id = $1) FROM job, lacks";
    let row = transaction.query_one(sql, &[&tenant, &space.id.0]).await?;
    let (job, lacks): (i64, i64) = (row.get(0), row.get(1));
    let (first, last): (Option<i64>, Option<i64>) = (row.get(2), row.get(3));
    let (first, last) = (first.unwrap_or(0), last.unwrap_or(0));
    let parts = (lacks / PART).clamp(1, MOST_PARTS);
    let width = (last - first) / parts + 1;
    let sql = "INSERT INTO tasks (tenant_id, job_id, kind, class, space_id, from_chunk, to_chunk) \
               VALUES ($1, $2, 'build_space', 1, $3, $4, $5)";
    for part in 0..parts {
        let from = first + part * width;
        let to = (part + 1 < parts).then_some(from + width);
        transaction.execute(sql, &[&tenant, &job, &space.id.0, &from, &to]).await?;
    }
    let sql = "UPDATE embedding_spaces SET job_id = $3 WHERE tenant_id = $1 AND space_id = $2";
    transaction.execute(sql, &[&tenant, &space.id.0, &job]).await?;
    Ok(JobId(job))
}

/// Tasks on spaces among those just leased.
pub(super) async fn claimed(
    connection: &Connection,
    tenant: TenantId,
    tasks: &[i64],
    worker: &Arc<str>,
) -> Result<Vec<Task>, StoreError> {
    let sql = "SELECT s.space_id, s.model, s.dimensions, s.storage, s.state, s.behind, s.job_id, s.created_at, \
               s.activated_at, s.retired_at, t.task_id, t.job_id, t.kind, t.attempts, t.put_offs, \
               extract(epoch FROM now() - t.created_at)::float8, t.from_chunk, t.to_chunk \
               FROM tasks t JOIN embedding_spaces s USING (tenant_id, space_id) \
               WHERE t.tenant_id = $1 AND t.task_id = ANY ($2) AND t.lease_owner = $3";
    let statement = connection.prepare_cached(sql).await?;
    let rows = connection.query(&statement, &[&tenant.0, &tasks, &worker.as_ref()]).await?;
    let task = |row: &tokio_postgres::Row| {
        let space = Space::read(row);
        let work = match row.get(12) {
            "build_space" => {
                Work::Build(Part { space, from: row.get::<_, Option<i64>>(16).unwrap_or(0), to: row.get(17) })
            }
            _ => Work::Remove(space),
        };
        Task {
            claim: Claim {
                tenant,
                task: TaskId(row.get(10)),
                job: JobId(row.get(11)),
                worker: Arc::clone(worker),
                // Of no collection.
                chunking: Chunking::default(),
            },
            work,
            attempts: row.get(13),
            put_offs: row.get(14),
            age: Duration::try_from_secs_f64(row.get(15)).unwrap_or_default(),
        }
    };
    Ok(rows.iter().map(task).collect())
}

/// A chunk that a space lacks.
#[derive(Debug)]
pub struct Lacking {
    pub chunk: ChunkId,
    /// Of what is to be embedded.
    pub hash: Vec<u8>,
    /// What the embedder is to read.
    pub text: String,
    /// Where another space of the same model has it.
    pub vector: Option<Vec<f32>>,
}

/// The next chunks of a part that its space lacks, in order.
#[derive(Debug, Clone)]
pub struct NextLacking {
    pub tenant: TenantId,
    pub part: Part,
    /// A space whose vectors may be copied.
    pub source: Option<Arc<Space>>,
    pub most: i64,
}

impl Request for NextLacking {
    type Reply = Result<Vec<Lacking>, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<NextLacking> for Store {
    async fn serve(
        self: Rc<Self>,
        next: NextLacking,
        deadline: Deadline,
    ) -> Result<Vec<Lacking>, StoreError> {
        let storage = next.source.as_ref().map_or(next.part.space.spec.storage, |space| space.spec.storage);
        let column = storage.column();
        // What is not known of a chunk from before is made of its title and headings.
        let sql = format!(
            "SELECT c.chunk_id, c.content_hash, \
                 coalesce(c.embedded_text, c.embedded_prefix || c.text, concat_ws(E'\\n', nullif(d.title, ''), \
                     (SELECT string_agg(heading, E'\\n') FROM jsonb_array_elements_text(c.headings) heading), c.text)), \
                 s.{column} \
             FROM chunks c JOIN documents d USING (tenant_id, document_id) \
             LEFT JOIN embeddings s ON s.tenant_id = c.tenant_id AND s.chunk_id = c.chunk_id AND s.space_id = $5 \
             WHERE c.tenant_id = $1 AND c.chunk_id >= $2 AND c.chunk_id < $3 AND NOT EXISTS ( \
                 SELECT FROM embeddings e WHERE e.tenant_id = c.tenant_id AND e.chunk_id = c.chunk_id AND e.space_id = $4) \
             ORDER BY c.chunk_id LIMIT $6"
        );
        let source = next.source.as_ref().map_or(0, |space| space.id.0);
        let to = next.part.to.unwrap_or(i64::MAX);
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&next.tenant.0, &next.part.from, &to, &next.part.space.id.0, &source, &next.most];
        let rows = self.read(next.tenant, Sees::Newest, &sql, &parameters, deadline).await?;
        let lacking = |row: &tokio_postgres::Row| Lacking {
            chunk: ChunkId(row.get(0)),
            hash: row.get(1),
            text: row.get(2),
            vector: storage.read(row, 3),
        };
        Ok(rows.iter().map(lacking).collect())
    }
}

/// Adds vectors to a space and notes how far the task is.
#[derive(Debug, Clone)]
pub struct FillSpace {
    pub claim: Claim,
    pub space: SpaceId,
    pub storage: super::Storage,
    pub chunks: Vec<ChunkId>,
    pub vectors: Vec<Vec<f32>>,
}

impl Request for FillSpace {
    /// Whether the lease was still held.
    type Reply = Result<bool, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<FillSpace> for Store {
    async fn serve(self: Rc<Self>, fill: FillSpace, deadline: Deadline) -> Result<bool, StoreError> {
        let Claim { tenant, task, worker, .. } = &fill.claim;
        let connection = self.connection(*tenant, deadline).await?;
        let (column, of) = (fill.storage.column(), fill.storage.sql_type());
        // A chunk that is being deleted is left out; should it stay after all, the sweep finds it.
        let sql = format!(
            "WITH held AS (UPDATE tasks SET from_chunk = $6 WHERE tenant_id = $1 AND task_id = $2 AND lease_owner = $3 \
                 RETURNING job_id), \
             alive AS (SELECT c.chunk_id, c.collection_id, c.document_id, c.restricted FROM chunks c \
                 WHERE c.tenant_id = $1 AND c.chunk_id = ANY ($4) \
                 FOR KEY SHARE SKIP LOCKED), \
             filled AS (INSERT INTO embeddings (tenant_id, space_id, chunk_id, collection_id, document_id, restricted, {column}) \
                 SELECT $1, $7, alive.chunk_id, alive.collection_id, alive.document_id, alive.restricted, v.vector \
                 FROM unnest($4::bigint[], $5::{of}[]) AS v(chunk_id, vector) JOIN alive USING (chunk_id) \
                 WHERE EXISTS (SELECT FROM held) ON CONFLICT DO NOTHING), \
             counted AS (UPDATE jobs SET remaining = greatest(remaining - cardinality($4), 0), updated_at = now() \
                 WHERE tenant_id = $1 AND job_id IN (SELECT job_id FROM held)) \
             SELECT count(*) > 0 FROM held"
        );
        let statement = connection.prepare_cached(&sql).await?;
        let ids: Vec<i64> = fill.chunks.iter().map(|chunk| chunk.0).collect();
        let next = ids.iter().max().map_or(0, |last| last + 1);
        let vectors = fill.storage.parameters(fill.vectors.iter().map(Vec::as_slice));
        let vectors: &(dyn ToSql + Sync) = vectors.as_ref();
        let parameters: [&(dyn ToSql + Sync); 7] =
            [&tenant.0, &task.0, &worker.as_ref(), &ids, vectors, &next, &fill.space.0];
        let row = connection.query_one(&statement, &parameters).await?;
        self.done(*tenant, connection);
        Ok(row.get(0))
    }
}
