//! API keys: made, listed, replaced and revoked by their tenant; looked up by their prefix, whoever's they are.
//!
//! Only hashes arrive here: a secret is made, shown and compared elsewhere.

use super::error::StoreError;
use super::ids::{KeyId, TenantId};
use super::read::Sees;
use super::{Store, only_row};
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use serde_json::Value;
use std::rc::Rc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Of a tenant, those that are revoked or expired included.
pub const MOST_KEYS: i64 = 10_000;

pub(super) const COLUMNS: &str = "key_id, name, prefix, scopes, collections, principals, created_at, expires_at, \
                                  revoked_at, last_used_at, rotated_from, limits";

/// A key as its tenant's administrator sees it.
#[derive(Debug, Clone)]
pub struct ApiKey {
    pub id: KeyId,
    pub name: String,
    pub prefix: String,
    pub scopes: Vec<String>,
    /// Names; none: all of the tenant's.
    pub collections: Option<Vec<String>>,
    pub principals: Vec<String>,
    pub created_at: OffsetDateTime,
    pub expires_at: Option<OffsetDateTime>,
    pub revoked_at: Option<OffsetDateTime>,
    pub last_used_at: Option<OffsetDateTime>,
    pub rotated_from: Option<KeyId>,
    /// In place of the configured ones; an object.
    pub limits: Value,
}

impl ApiKey {
    pub(super) fn read(row: &Row) -> Self {
        Self {
            id: KeyId(row.get(0)),
            name: row.get(1),
            prefix: row.get(2),
            scopes: row.get(3),
            collections: row.get(4),
            principals: row.get(5),
            created_at: row.get(6),
            expires_at: row.get(7),
            revoked_at: row.get(8),
            last_used_at: row.get(9),
            rotated_from: row.get::<_, Option<i64>>(10).map(KeyId),
            limits: row.get(11),
        }
    }
}

/// What a new key is.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub name: String,
    pub prefix: String,
    /// SHA-256 of the whole key.
    pub hash: [u8; 32],
    pub scopes: Vec<String>,
    pub collections: Option<Vec<String>>,
    pub principals: Vec<String>,
    pub expires_at: Option<OffsetDateTime>,
    pub limits: Value,
}

#[derive(Debug)]
pub struct CreateKey {
    pub tenant: TenantId,
    pub key: NewKey,
}

impl Request for CreateKey {
    type Reply = Result<ApiKey, StoreError>;
}

impl Serve<CreateKey> for Store {
    async fn serve(self: Rc<Self>, create: CreateKey, deadline: Deadline) -> Result<ApiKey, StoreError> {
        let (tenant, key) = (create.tenant, create.key);
        let connection = self.connection(tenant, deadline).await?;
        let sql = format!(
            "INSERT INTO api_keys (tenant_id, name, prefix, hash, scopes, collections, principals, expires_at, limits) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 \
             WHERE (SELECT count(*) FROM api_keys WHERE tenant_id = $1) < {MOST_KEYS} RETURNING {COLUMNS}"
        );
        let values: [&(dyn ToSql + Sync); 9] = [
            &tenant.0,
            &key.name,
            &key.prefix,
            &key.hash.as_slice(),
            &key.scopes,
            &key.collections,
            &key.principals,
            &key.expires_at,
            &key.limits,
        ];
        let rows = connection.query(&sql, &values).await?;
        self.done(tenant, connection);
        let full = || StoreError::Conflict(format!("the tenant has {MOST_KEYS} keys, and no more are made"));
        rows.first().map(ApiKey::read).ok_or_else(full)
    }
}

/// The newest keys first, `limit + 1` rows so that more is known.
#[derive(Debug, Clone)]
pub struct ListKeys {
    pub tenant: TenantId,
    pub after: Option<KeyId>,
    pub limit: i64,
}

impl Request for ListKeys {
    type Reply = Result<Vec<ApiKey>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<ListKeys> for Store {
    async fn serve(self: Rc<Self>, list: ListKeys, deadline: Deadline) -> Result<Vec<ApiKey>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM api_keys WHERE tenant_id = $1 AND ($2::bigint IS NULL OR key_id < $2) \
             ORDER BY key_id DESC LIMIT $3"
        );
        let after = list.after.map(|id| id.0);
        let parameters: [&(dyn ToSql + Sync); 3] = [&list.tenant.0, &after, &(list.limit + 1)];
        let rows = self.read(list.tenant, Sees::OwnWrites, &sql, &parameters, deadline).await?;
        Ok(rows.iter().map(ApiKey::read).collect())
    }
}

/// From now on it lets nobody in. Again is the same as once.
#[derive(Debug, Clone)]
pub struct RevokeKey {
    pub tenant: TenantId,
    pub id: KeyId,
}

impl Request for RevokeKey {
    type Reply = Result<ApiKey, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<RevokeKey> for Store {
    async fn serve(self: Rc<Self>, revoke: RevokeKey, deadline: Deadline) -> Result<ApiKey, StoreError> {
        let connection = self.connection(revoke.tenant, deadline).await?;
        let sql = format!(
            "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = $1 AND key_id = $2 \
             RETURNING {COLUMNS}"
        );
        let rows = connection.query(&sql, &[&revoke.tenant.0, &revoke.id.0]).await?;
        self.done(revoke.tenant, connection);
        Ok(ApiKey::read(only_row(&rows, "key")?))
    }
}

/// Makes a key that may do what another one may, which ends after the overlap.
#[derive(Debug)]
pub struct RotateKey {
    pub tenant: TenantId,
    pub id: KeyId,
    pub prefix: String,
    pub hash: [u8; 32],
    pub overlap: Duration,
    /// Of the new key; none: as of the old one.
    pub expires_at: Option<OffsetDateTime>,
}

/// The new key, and the old one with its end.
#[derive(Debug)]
pub struct Rotated {
    pub key: ApiKey,
    pub replaced: ApiKey,
}

impl Request for RotateKey {
    type Reply = Result<Rotated, StoreError>;
}

impl Serve<RotateKey> for Store {
    async fn serve(self: Rc<Self>, rotate: RotateKey, deadline: Deadline) -> Result<Rotated, StoreError> {
        let (tenant, id) = (rotate.tenant.0, rotate.id.0);
        let mut connection = self.connection(rotate.tenant, deadline).await?;
        let transaction = connection.transaction().await?;
        let sql = "SELECT revoked_at IS NOT NULL OR coalesce(expires_at <= now(), false), \
                   EXISTS (SELECT FROM api_keys n WHERE n.tenant_id = $1 AND n.rotated_from = $2) \
                   FROM api_keys WHERE tenant_id = $1 AND key_id = $2 FOR UPDATE";
        let rows = transaction.query(sql, &[&tenant, &id]).await?;
        let old = only_row(&rows, "key")?;
        if old.get(0) {
            return Err(StoreError::Conflict("the key is revoked or expired: make a new one".to_owned()));
        }
        if old.get(1) {
            return Err(StoreError::Conflict(
                "the key is replaced already: rotate the one that replaced it".to_owned(),
            ));
        }
        let sql = format!(
            "INSERT INTO api_keys (tenant_id, name, prefix, hash, scopes, collections, principals, limits, expires_at, rotated_from) \
             SELECT tenant_id, name, $3, $4, scopes, collections, principals, limits, coalesce($5, expires_at), key_id \
             FROM api_keys WHERE tenant_id = $1 AND key_id = $2 RETURNING {COLUMNS}"
        );
        let values: [&(dyn ToSql + Sync); 5] =
            [&tenant, &id, &rotate.prefix, &rotate.hash.as_slice(), &rotate.expires_at];
        let key = ApiKey::read(&transaction.query_one(&sql, &values).await?);
        let sql = format!(
            "UPDATE api_keys SET expires_at = least(expires_at, now() + make_interval(secs => $3)) \
             WHERE tenant_id = $1 AND key_id = $2 RETURNING {COLUMNS}"
        );
        let overlap = rotate.overlap.as_secs_f64();
        let replaced = ApiKey::read(&transaction.query_one(&sql, &[&tenant, &id, &overlap]).await?);
        transaction.commit().await?;
        self.done(rotate.tenant, connection);
        Ok(Rotated { key, replaced })
    }
}

/// A key as whoever checks a credential needs it.
#[derive(Debug, Clone)]
pub struct FoundKey {
    pub tenant: TenantId,
    pub id: KeyId,
    pub hash: Vec<u8>,
    pub scopes: Vec<String>,
    pub collections: Option<Vec<String>>,
    pub principals: Vec<String>,
    pub expires_at: Option<OffsetDateTime>,
    pub revoked_at: Option<OffsetDateTime>,
}

/// The keys with a prefix, of any tenant: one, but for chance.
#[derive(Debug, Clone)]
pub struct FindKey {
    pub prefix: String,
}

impl Request for FindKey {
    type Reply = Result<Vec<FoundKey>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<FindKey> for Store {
    async fn serve(self: Rc<Self>, find: FindKey, deadline: Deadline) -> Result<Vec<FoundKey>, StoreError> {
        let sql = "SELECT tenant, key, key_hash, key_scopes, of_collections, speaks_for, expires, revoked FROM find_key($1)";
        // A replica will do while the writer is away, and not before: what is revoked must be so at once.
        let rows = self.read(TenantId(0), Sees::Newest, sql, &[&find.prefix], deadline).await?;
        let found = rows.iter().map(|row| FoundKey {
            tenant: TenantId(row.get(0)),
            id: KeyId(row.get(1)),
            hash: row.get(2),
            scopes: row.get(3),
            collections: row.get(4),
            principals: row.get(5),
            expires_at: row.get(6),
            revoked_at: row.get(7),
        });
        Ok(found.collect())
    }
}

/// Notes when keys were used last.
#[derive(Debug, Clone)]
pub struct TouchKeys {
    pub used: Vec<(TenantId, KeyId, OffsetDateTime)>,
}

impl Request for TouchKeys {
    /// How many were older before.
    type Reply = Result<i64, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<TouchKeys> for Store {
    async fn serve(self: Rc<Self>, touch: TouchKeys, deadline: Deadline) -> Result<i64, StoreError> {
        let connection = self.connection(TenantId(0), deadline).await?;
        let statement = connection.prepare_cached("SELECT touch_keys($1, $2, $3)").await?;
        let tenants: Vec<i64> = touch.used.iter().map(|used| used.0.0).collect();
        let keys: Vec<i64> = touch.used.iter().map(|used| used.1.0).collect();
        let at: Vec<OffsetDateTime> = touch.used.iter().map(|used| used.2).collect();
        let row = connection.query_one(&statement, &[&tenants, &keys, &at]).await?;
        connection.hand_back();
        Ok(row.get(0))
    }
}

/// Whether any tenant has a key that lets somebody in.
#[derive(Debug)]
pub struct AnyKey;

impl Request for AnyKey {
    type Reply = Result<bool, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(Self)
    }
}

impl Serve<AnyKey> for Store {
    async fn serve(self: Rc<Self>, _: AnyKey, deadline: Deadline) -> Result<bool, StoreError> {
        let rows = self.read(TenantId(0), Sees::Newest, "SELECT any_key()", &[], deadline).await?;
        Ok(only_row(&rows, "answer")?.get(0))
    }
}
