//! What the first searches after a start would have to wait for, done before: connections, statements, the
//! model's first forward pass, and the index's way from the disk into memory.
//!
//! Nothing depends on it: it is bounded in time, and whatever fails is left for the first searches.

use super::search::term_keys;
use super::{Caller, Rag};
use futures_util::future::join_all;
use mcp_rag_actors::embedder::{Embed, Purpose};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{Mode, SearchChunks, Space, TenantId, WarmIndex};
use std::sync::Arc;
use std::time::Duration;

/// Before the server is ready: a start is not to be slow where the database is.
const FIRST: Duration = Duration::from_secs(1);
/// Beside the first searches.
const REST: Duration = Duration::from_secs(20);
/// A search of 100,000 chunks looks at some 800 pages of 13,000.
const SEARCHES: u16 = 200;
const WORDS: &str = "what is this about";

impl Rag {
    /// Statements of the usual shapes on every connection. Where there is something to search: its index, and
    /// how many chunks there are.
    pub(crate) async fn warm_up(&self, tenant: TenantId) -> Option<(Arc<Space>, i64)> {
        let deadline = Deadline::within(FIRST);
        let caller = Caller::server(tenant, deadline);
        let collections = self.catalog.all(&caller).await.ok()?;
        let chunks: i64 = collections.iter().map(|collection| collection.chunks).sum();
        if chunks == 0 {
            return None;
        }
        let space = self.catalog.active(&caller).await.ok()??;
        let embed = Embed { texts: vec![WORDS.to_owned()], purpose: Purpose::Query };
        let embedding = self.models.of(&space.spec)?.embed(embed, deadline).await.ok()?.pop()?;
        let settings = self.settings();
        let search = |mode| SearchChunks {
            tenant,
            collections: collections.iter().map(|collection| collection.id).collect(),
            mode,
            embedding: Some((embedding.clone(), Arc::clone(&space))),
            oversampling: settings.search.oversampling,
            terms: term_keys(WORDS, &collections),
            filter: None,
            limit: 10,
            candidates: settings.search.candidates.max(10),
            ef: Some(self.ef(mode, 10, chunks)),
            documents: collections.iter().map(|collection| collection.documents).sum(),
            chunks,
            all_chunks: chunks,
        };
        for mode in [Mode::Hybrid, Mode::Dense] {
            let on_each = (0..settings.database.pool_size).map(|_| self.all.call(search(mode), deadline));
            if let Some(Err(error)) = join_all(on_each).await.into_iter().find(Result::is_err) {
                tracing::debug!(%error, "not warmed up");
                break;
            }
        }
        Some((space, chunks))
    }

    /// The index.
    pub(crate) async fn warm_index(&self, tenant: TenantId, space: Arc<Space>, chunks: i64) {
        let warm = WarmIndex { tenant, space, searches: SEARCHES, chunks };
        if let Err(error) = self.all.call(warm, Deadline::within(REST)).await {
            tracing::debug!(%error, "the index was not warmed up");
        }
    }
}
