//! Connections that are bound to one tenant while they are in use.

use super::error::StoreError;
use super::ids::TenantId;
use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts,
};
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::time::Duration;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls, Row};

/// The role every session switches to (created by the migrations): neither owner nor superuser, so
/// that row-level security binds it.
pub(super) const APP_ROLE: &str = "mcp_rag_app";

const BIND: &str = "SELECT set_config('mcp_rag.tenant_id', $1, false)";

/// How the pool reaches the database.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    pub config: Config,
    pub size: usize,
    pub wait: Duration,
    pub connect: Duration,
    pub statement: Duration,
    /// Session settings of every connection, as `name = value` pairs.
    pub session: Vec<(&'static str, String)>,
}

#[derive(Clone)]
pub(super) struct TenantPool(Pool);

/// A pooled connection whose session belongs to one tenant.
pub(super) struct TenantConnection(Object);

impl TenantPool {
    pub(super) fn new(settings: &PoolSettings) -> Result<Self, StoreError> {
        let mut config = settings.config.clone();
        config.connect_timeout(settings.connect);
        config.application_name("mcp-rag");
        let manager =
            Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let prepare = session_sql(settings);
        let greet = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
            let prepare = prepare.clone();
            Box::pin(async move { client.batch_execute(&prepare).await.map_err(HookError::Backend) })
        });
        let pool = Pool::builder(manager)
            .max_size(settings.size)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(settings.wait),
                create: Some(settings.connect),
                recycle: Some(Duration::from_millis(500)),
            })
            .post_create(greet)
            .build()
            .map_err(|error| StoreError::Internal(error.to_string()))?;
        Ok(Self(pool))
    }

    /// A connection that sees this tenant's rows and no others.
    pub(super) async fn get(&self, tenant: TenantId) -> Result<TenantConnection, StoreError> {
        let connection = TenantConnection(self.object().await?);
        connection.bind(tenant).await?;
        Ok(connection)
    }

    /// One statement that only reads, bound to its tenant in the same round trip: it is sent behind the
    /// binding without waiting for the answer, and a session answers in the order it is asked. Where the
    /// binding fails the rows are dropped unseen; and as every statement names its tenant besides, a
    /// session that still belonged to another tenant would find nothing.
    pub(super) async fn read(
        &self,
        tenant: TenantId,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let connection = TenantConnection(self.object().await?);
        // Preparing reads no rows, and is a round trip only the first time.
        let statement = connection.prepare_cached(sql).await?;
        let bind = connection.prepare_cached(BIND).await?;
        let id = tenant.0.to_string();
        let binding: [&(dyn ToSql + Sync); 1] = [&id];
        // This `join!`, unlike tokio's, polls from first to last, and a request is sent when first polled.
        let (bound, rows) = futures_util::join!(
            connection.execute(&bind, &binding),
            connection.query(&statement, parameters)
        );
        bound?;
        Ok(rows?)
    }

    async fn object(&self) -> Result<Object, StoreError> {
        match self.0.get().await {
            Err(deadpool_postgres::PoolError::PostCreateHook(HookError::Backend(error))) => Err(error.into()),
            other => Ok(other?),
        }
    }

    pub(super) fn close(&self) {
        self.0.close();
    }

    pub(super) fn status(&self) -> deadpool_postgres::Status {
        self.0.status()
    }
}

impl TenantConnection {
    /// The session may still belong to the tenant it served last; row-level security reads this
    /// setting, so nothing runs before it is known to be the right one.
    pub(super) async fn bind(&self, tenant: TenantId) -> Result<(), StoreError> {
        let statement = self.0.prepare_cached(BIND).await?;
        self.0.execute(&statement, &[&tenant.0.to_string()]).await?;
        Ok(())
    }
}

impl Deref for TenantConnection {
    type Target = deadpool_postgres::ClientWrapper;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for TenantConnection {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// What a fresh connection runs first: take the restricted role, then the session settings.
fn session_sql(settings: &PoolSettings) -> String {
    let mut sql = format!(
        "SET ROLE {APP_ROLE}; SET statement_timeout = {}; SET jit = off;",
        settings.statement.as_millis()
    );
    for (name, value) in &settings.session {
        sql.push_str(&format!(" SET {name} = '{}';", value.replace('\'', "''")));
    }
    sql
}

/// Reads `database.url`, in either of PostgreSQL's notations.
///
/// # Errors
/// What is wrong with it, without repeating it: it may hold a password.
pub fn parse_url(url: &str) -> Result<Config, String> {
    Config::from_str(url).map_err(|error| {
        format!("database.url is not a PostgreSQL connection string ({error}); e.g. postgres://user:password@host:5432/db")
    })
}
