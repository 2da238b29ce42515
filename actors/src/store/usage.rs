//! Tokens of the chat model that a tenant and its credentials have used on a day.

use super::Store;
use super::error::StoreError;
use super::ids::TenantId;
use super::read::Sees;
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use std::rc::Rc;
use time::Date;
use tokio_postgres::types::ToSql;

/// Days for which what was used is kept.
const KEPT: i32 = 62;

/// What some holders have used on a day, in their order.
#[derive(Debug, Clone)]
pub struct TokensUsed {
    pub tenant: TenantId,
    pub day: Date,
    pub holders: Vec<String>,
}

impl Request for TokensUsed {
    type Reply = Result<Vec<i64>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<TokensUsed> for Store {
    async fn serve(self: Rc<Self>, used: TokensUsed, deadline: Deadline) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT coalesce(u.tokens, 0) FROM unnest($3::text[]) WITH ORDINALITY AS asked(holder, place) \
                   LEFT JOIN llm_usage u ON u.tenant_id = $1 AND u.day = $2 AND u.holder = asked.holder ORDER BY place";
        let parameters: [&(dyn ToSql + Sync); 3] = [&used.tenant.0, &used.day, &used.holders];
        let rows = self.read(used.tenant, Sees::Newest, sql, &parameters, deadline).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

/// Adds what was used. Not to be repeated once it may have been done.
#[derive(Debug, Clone)]
pub struct UseTokens {
    pub tenant: TenantId,
    pub day: Date,
    pub used: Vec<(String, i64)>,
}

impl Request for UseTokens {
    type Reply = Result<(), StoreError>;
}

impl Serve<UseTokens> for Store {
    async fn serve(self: Rc<Self>, add: UseTokens, deadline: Deadline) -> Result<(), StoreError> {
        let connection = self.connection(add.tenant, deadline).await?;
        // In one order, so that two servers never wait for each other.
        let mut used = add.used;
        used.sort();
        let (holders, tokens): (Vec<String>, Vec<i64>) = used.into_iter().unzip();
        let sql = "WITH old AS (DELETE FROM llm_usage WHERE tenant_id = $1 AND day < $2::date - $5::int) \
                   INSERT INTO llm_usage AS u (tenant_id, day, holder, tokens) \
                   SELECT $1, $2, holder, tokens FROM unnest($3::text[], $4::bigint[]) AS n(holder, tokens) \
                   ON CONFLICT (tenant_id, day, holder) DO UPDATE SET tokens = u.tokens + excluded.tokens";
        connection.query(sql, &[&add.tenant.0, &add.day, &holders, &tokens, &KEPT]).await?;
        self.done(add.tenant, connection);
        Ok(())
    }
}
