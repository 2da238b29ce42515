//! The database of a benchmark without the server: its worker must not see what is loaded.

use crate::app;
use crate::config::Settings;
use crate::rag::models::Models;
use anyhow::{Context, Result};
use mcp_rag_actors::embedder::{Embed, EmbedderHandle, MAX_TEXTS, Purpose};
use mcp_rag_actors::postgres::{self, DataDirLock};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{self, SpaceSpec, StoreHandle};
use mcp_rag_actors::supervise::Tree;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const GRACE: Duration = Duration::from_secs(30);
pub(super) const STEP: Duration = Duration::from_secs(60);

pub(super) struct Lab {
    tree: Tree,
    pub(super) store: StoreHandle,
    pub(super) embedder: EmbedderHandle,
    /// What is loaded is kept like this.
    pub(super) spec: SpaceSpec,
    pub(super) tools: Tools,
}

/// Where the database is, for PostgreSQL's own programs.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) bin_dir: PathBuf,
    pub(super) socket_dir: PathBuf,
    pub(super) port: u16,
}

impl Lab {
    /// Starts PostgreSQL, the schema, the pool and the embedder on the settings' data directory.
    pub(super) async fn open(settings: &Settings) -> Result<Self> {
        let tree = Tree::default();
        match Box::pin(Self::start(&tree, settings)).await {
            Ok((store, models, tools)) => {
                Ok(Self { tree, store, embedder: models.first, spec: models.spec, tools })
            }
            Err(error) => {
                tree.stop(GRACE).await;
                Err(error)
            }
        }
    }

    async fn start(tree: &Tree, settings: &Settings) -> Result<(StoreHandle, Models, Tools)> {
        let lock = Arc::new(DataDirLock::acquire(&settings.data_dir)?);
        let connections = postgres::supervise(tree, settings.database.embedded.clone(), lock).await?;
        store::migrate(&connections.owner.clone().into(), true).await?;
        let models = Models::start(tree, &settings.embedder).await?;
        let tools = Tools::of(&connections).context("the managed PostgreSQL has no socket")?;
        let store = StoreHandle::start(tree, app::pool(settings, connections.app.clone().into())?).await?;
        Ok((store, models, tools))
    }

    /// One vector per text, with every thread the embedder has; `done` learns of each batch's size.
    pub(super) async fn embed(
        embedder: &EmbedderHandle,
        texts: &[String],
        done: impl Fn(u64),
    ) -> Result<Vec<Vec<f32>>> {
        use futures_util::{StreamExt, TryStreamExt, stream};
        // Enough on the way for every thread to find a full batch.
        let in_flight = 8;
        let batches = stream::iter(texts.chunks(MAX_TEXTS)).map(|batch| {
            let embed = Embed { texts: batch.to_vec(), purpose: Purpose::Passage };
            let done = &done;
            async move {
                let vectors = embedder.embed(embed, Deadline::within(STEP)).await?;
                done(vectors.len() as u64);
                anyhow::Ok(vectors)
            }
        });
        let vectors: Vec<Vec<Vec<f32>>> = batches.buffered(in_flight).try_collect().await?;
        Ok(vectors.into_iter().flatten().collect())
    }

    pub(super) async fn close(self) {
        self.tree.stop(GRACE).await;
    }
}

impl Tools {
    fn of(connections: &postgres::Connections) -> Option<Self> {
        let socket_dir = connections.app.get_hosts().iter().find_map(|host| match host {
            store::Host::Unix(path) => Some(path.clone()),
            store::Host::Tcp(_) => None,
        })?;
        let port = connections.app.get_ports().first().copied()?;
        Some(Self { bin_dir: connections.bin_dir.clone(), socket_dir, port })
    }
}
