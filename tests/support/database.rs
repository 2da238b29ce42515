//! A look into the managed PostgreSQL, behind the server's back.

use super::Server;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

/// Rows of text; NULL is `None`.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

impl Server {
    /// Runs statements as a role of the database: `mcp_rag_app` serves requests, `mcp_rag_owner` owns
    /// the tables, `postgres` is the superuser.
    #[track_caller]
    pub(crate) fn sql(&self, role: &str, statements: &str) -> Result<Rows, tokio_postgres::Error> {
        let mut config = Config::new();
        config.host_path(self.socket_dir()).port(5432).user(role).dbname("mcp_rag");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (client, connection) = config.connect(NoTls).await?;
            let connection = tokio::spawn(connection);
            let rows = client.simple_query(statements).await.map(|messages| {
                let row = |message: &SimpleQueryMessage| match message {
                    SimpleQueryMessage::Row(row) => {
                        Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
                    }
                    _ => None,
                };
                messages.iter().filter_map(row).collect()
            });
            connection.abort();
            rows
        })
    }

    /// The same as the server's own role, acting for a tenant; it must succeed.
    #[track_caller]
    pub(crate) fn sql_of_tenant(&self, tenant: i64, query: &str) -> Rows {
        let statements = format!("SELECT set_config('mcp_rag.tenant_id', '{tenant}', false); {query}");
        let mut rows = self.sql("mcp_rag_app", &statements).expect("the query runs");
        rows.remove(0); // what set_config returns
        rows
    }
}
