//! The database and nothing else: for commands that look after tenants and keys.

use super::core::{ACTOR_GRACE, Role, database, pool};
use crate::config::Settings;
use anyhow::Result;
use mcp_rag_actors::postgres;
use mcp_rag_actors::store::{self, Address, StoreHandle, Tenant};
use mcp_rag_actors::supervise::Tree;

/// The database's owner, for what no server may do, and its store, for everything else.
pub(crate) struct Bare {
    tree: Tree,
    owner: Address,
    pub(crate) store: StoreHandle,
}

impl Bare {
    /// Joins the managed PostgreSQL of a server that runs on the same data, or starts it.
    pub(crate) async fn start(settings: Settings) -> Result<Self> {
        let tree = Tree::new(settings.supervision);
        let started = async {
            let joined = settings.database.url.is_none() && postgres::join(&settings.data_dir).is_ok();
            let role = if joined { Role::Work } else { Role::Serve };
            let (owner, app) = database(&tree, &settings, role).await?;
            store::migrate(&owner, settings.database.migrate).await?;
            store::take_role(&app).await?;
            let store = StoreHandle::start(&tree, pool(&settings, app)?).await?;
            Ok::<_, anyhow::Error>((owner, store))
        };
        match Box::pin(started).await {
            Ok((owner, store)) => Ok(Self { tree, owner, store }),
            Err(error) => {
                tree.stop(ACTOR_GRACE).await;
                Err(error)
            }
        }
    }

    pub(crate) async fn stop(self) {
        self.tree.stop(ACTOR_GRACE).await;
    }

    /// None when the name is taken.
    pub(crate) async fn create_tenant(&self, name: &str) -> Result<Option<Tenant>> {
        Ok(store::create_tenant(&self.owner, name).await?)
    }

    /// None when there is no such tenant.
    pub(crate) async fn limit_tenant(
        &self,
        name: &str,
        limits: &serde_json::Value,
    ) -> Result<Option<Tenant>> {
        Ok(store::limit_tenant(&self.owner, name, limits).await?)
    }

    pub(crate) async fn tenants(&self) -> Result<Vec<Tenant>> {
        Ok(store::list_tenants(&self.owner).await?)
    }
}
