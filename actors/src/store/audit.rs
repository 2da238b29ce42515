//! The audit log: entries are added and read, never changed; what is too old is swept.

use super::Store;
use super::error::StoreError;
use super::ids::{EntryId, TenantId};
use super::read::Sees;
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use std::rc::Rc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Something that somebody did, or was not let.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    pub at: OffsetDateTime,
    /// The kind of credential and which one; never the credential itself.
    pub actor: String,
    /// The method and the route's pattern.
    pub action: String,
    /// What the request named.
    pub target: String,
    pub status: i16,
    pub request_id: String,
    pub peer: String,
}

/// One that is written down.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    pub id: EntryId,
    pub entry: NewEntry,
}

/// Adds entries of one tenant; tenant 0 has those of nobody.
#[derive(Debug, Clone)]
pub struct RecordEntries {
    pub tenant: TenantId,
    pub entries: Vec<NewEntry>,
}

impl Request for RecordEntries {
    type Reply = Result<(), StoreError>;
}

impl Serve<RecordEntries> for Store {
    async fn serve(self: Rc<Self>, record: RecordEntries, deadline: Deadline) -> Result<(), StoreError> {
        let connection = self.connection(record.tenant, deadline).await?;
        let sql = "INSERT INTO audit_log (tenant_id, at, actor, action, target, status, request_id, peer) \
                   SELECT $1, * FROM unnest($2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::smallint[], \
                   $7::text[], $8::text[])";
        let statement = connection.prepare_cached(sql).await?;
        let texts = |of: fn(&NewEntry) -> &str| record.entries.iter().map(of).collect::<Vec<_>>();
        let at: Vec<OffsetDateTime> = record.entries.iter().map(|entry| entry.at).collect();
        let status: Vec<i16> = record.entries.iter().map(|entry| entry.status).collect();
        let parameters: [&(dyn ToSql + Sync); 8] = [
            &record.tenant.0,
            &at,
            &texts(|entry| &entry.actor),
            &texts(|entry| &entry.action),
            &texts(|entry| &entry.target),
            &status,
            &texts(|entry| &entry.request_id),
            &texts(|entry| &entry.peer),
        ];
        connection.execute(&statement, &parameters).await?;
        self.done(record.tenant, connection);
        Ok(())
    }
}

/// The newest entries first, `limit + 1` so that more is known.
#[derive(Debug, Clone)]
pub struct ListEntries {
    pub tenant: TenantId,
    pub after: Option<EntryId>,
    pub actor: Option<String>,
    /// Only what was refused: 401 and 403.
    pub denied: bool,
    pub since: Option<OffsetDateTime>,
    pub limit: i64,
}

impl Request for ListEntries {
    type Reply = Result<Vec<AuditEntry>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<ListEntries> for Store {
    async fn serve(
        self: Rc<Self>,
        list: ListEntries,
        deadline: Deadline,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let sql = "SELECT entry_id, at, actor, action, target, status, request_id, peer FROM audit_log \
                   WHERE tenant_id = $1 AND ($2::bigint IS NULL OR entry_id < $2) \
                   AND ($3::text IS NULL OR actor = $3) AND (NOT $4 OR status IN (401, 403)) \
                   AND ($5::timestamptz IS NULL OR at >= $5) ORDER BY entry_id DESC LIMIT $6";
        let after = list.after.map(|id| id.0);
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&list.tenant.0, &after, &list.actor, &list.denied, &list.since, &(list.limit + 1)];
        let rows = self.read(list.tenant, Sees::Newest, sql, &parameters, deadline).await?;
        Ok(rows.iter().map(read).collect())
    }
}

fn read(row: &Row) -> AuditEntry {
    AuditEntry {
        id: EntryId(row.get(0)),
        entry: NewEntry {
            at: row.get(1),
            actor: row.get(2),
            action: row.get(3),
            target: row.get(4),
            status: row.get(5),
            request_id: row.get(6),
            peer: row.get(7),
        },
    }
}

/// Forgets entries that were kept long enough, of any tenant.
#[derive(Debug)]
pub struct SweepEntries {
    pub kept: Duration,
    pub most: i32,
}

impl Request for SweepEntries {
    /// How many.
    type Reply = Result<i64, StoreError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

impl Serve<SweepEntries> for Store {
    async fn serve(self: Rc<Self>, sweep: SweepEntries, deadline: Deadline) -> Result<i64, StoreError> {
        let connection = self.connection(TenantId(0), deadline).await?;
        let sql = "SELECT sweep_audit_log(make_interval(secs => $1), $2)";
        let statement = connection.prepare_cached(sql).await?;
        let row = connection.query_one(&statement, &[&sweep.kept.as_secs_f64(), &sweep.most]).await?;
        connection.hand_back();
        Ok(row.get(0))
    }
}
