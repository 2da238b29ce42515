//! Somebody who keeps a copy of a collection by the feed alone, as the index does, and checks it at each step.

use crate::support::Server;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{
    Changes, CollectionId, Config, DocumentId, FeedDocument, PoolSettings, Position, ReadChanges, ReadPage,
    Sight, StoreError, StoreHandle, TenantId,
};
use mcp_rag_actors::supervise::Tree;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const TENANT: TenantId = TenantId(1);
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Follower {
    tree: Tree,
    store: StoreHandle,
    collection: CollectionId,
    documents: BTreeMap<DocumentId, FeedDocument>,
    position: Option<Position>,
    pub(crate) epoch: i64,
    /// Looks that gave a state of one moment, and those that had to begin anew.
    pub(crate) looks: usize,
    pub(crate) begun: usize,
}

impl Follower {
    /// Over the server's own database, as its role.
    pub(crate) async fn new(server: &Server, collection: CollectionId) -> Self {
        let mut config = Config::new();
        config.host_path(server.socket_dir()).user("mcp_rag_app").dbname("mcp_rag");
        let settings = PoolSettings {
            writer: config.into(),
            replicas: Vec::new(),
            max_lag: Duration::from_secs(1),
            size: 2,
            wait: Duration::from_secs(2),
            connect: Duration::from_secs(3),
            statement: PATIENCE,
            session: Vec::new(),
        };
        let tree = Tree::default();
        let store = StoreHandle::start(&tree, settings).await.expect("it starts").seeing(Sight::All);
        let documents = BTreeMap::new();
        Self { tree, store, collection, documents, position: None, epoch: 0, looks: 0, begun: 0 }
    }

    pub(crate) async fn stop(self) {
        self.tree.stop(PATIENCE).await;
    }

    /// Takes over all that changed since the last look; an error leaves the copy as good as it was.
    pub(crate) async fn look(&mut self) -> Result<(), StoreError> {
        if self.position.is_none() {
            self.begin().await?;
        }
        let (mut first, mut after) = (None, None);
        loop {
            let since = self.position.clone();
            let read = ReadChanges { tenant: TENANT, collection: self.collection, since, after };
            match self.store.call(read, Deadline::within(PATIENCE)).await? {
                Changes::Gone => {
                    self.documents.clear();
                    return Ok(());
                }
                Changes::Lost => {
                    self.position = None;
                    return Box::pin(self.look()).await;
                }
                Changes::Part { position, changed, documents, more } => {
                    after = changed.last().copied().filter(|_| more);
                    let first = first.get_or_insert(position).clone();
                    self.take(&changed, documents);
                    if !more {
                        self.position = Some(first);
                    }
                }
                Changes::Since { head, changed, documents } => {
                    self.take(&changed, documents);
                    assert!(head.epoch >= self.epoch, "the epoch never falls");
                    self.epoch = head.epoch;
                    self.position = Some(head.position);
                    self.looks += 1;
                    let counts = [head.documents, head.chunks, head.terms];
                    assert_eq!(self.counts(), counts, "the copy is the collection at epoch {}", head.epoch);
                    return Ok(());
                }
            }
        }
    }

    /// The collection page by page; what changes meanwhile is read again by the first look.
    async fn begin(&mut self) -> Result<(), StoreError> {
        self.begun += 1;
        let read = ReadChanges { tenant: TENANT, collection: self.collection, since: None, after: None };
        let position = match self.store.call(read, Deadline::within(PATIENCE)).await? {
            Changes::Since { head, .. } => head.position,
            other => panic!("without a look before there is nothing to lose: {other:?}"),
        };
        self.documents.clear();
        let mut after = None;
        loop {
            let read = ReadPage { tenant: TENANT, collection: self.collection, after };
            let page = self.store.call(read, Deadline::within(PATIENCE)).await?;
            self.take(&[], page.documents);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        self.position = Some(position);
        Ok(())
    }

    fn take(&mut self, changed: &[DocumentId], documents: Vec<FeedDocument>) {
        for id in changed {
            self.documents.remove(id);
        }
        self.documents.extend(documents.into_iter().map(|document| (document.id, document)));
    }

    fn counts(&self) -> [i64; 3] {
        let chunks = || self.documents.values().flat_map(|document| &document.chunks);
        let count = |n: usize| i64::try_from(n).expect("few");
        let terms = chunks().map(|chunk| i64::from(chunk.length)).sum();
        [count(self.documents.len()), count(chunks().count()), terms]
    }

    /// Each chunk on a line, in the order of [`TRUTH`].
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for document in self.documents.values() {
            let attributes: Value = serde_json::from_str(&document.attributes).expect("an object");
            for chunk in &document.chunks {
                let vector = chunk.vector.as_ref().map_or(0, Vec::len);
                let keys: i128 = chunk.keys.iter().map(|key| i128::from(*key)).sum();
                lines.push(format!(
                    "{}|{}|{}|{}|{}|{}|{}|{}|{vector}|{keys}",
                    document.id.0,
                    document.external_id,
                    document.title,
                    attributes["n"],
                    document.acl.join(","),
                    document.expires_at.map_or(0, time::OffsetDateTime::unix_timestamp),
                    chunk.id.0,
                    chunk.text,
                ));
            }
        }
        lines
    }
}

/// The same as the database has it.
pub(crate) const TRUTH: &str = "SELECT concat_ws('|', d.document_id, d.external_id, d.title, coalesce(d.attributes -> 'n', 'null'), \
        array_to_string(d.acl, ','), coalesce(floor(extract(epoch FROM d.expires_at))::bigint, 0), c.chunk_id, c.text, \
        vector_dims(e.embedding), (SELECT sum(key) FROM unnest(l.keys) key)) \
    FROM collections k JOIN documents d USING (tenant_id, collection_id) \
    JOIN chunks c ON c.tenant_id = d.tenant_id AND c.document_id = d.document_id \
    JOIN lexical_chunks l ON l.tenant_id = c.tenant_id AND l.chunk_id = c.chunk_id \
    JOIN embedding_spaces s ON s.tenant_id = c.tenant_id AND s.state = 'active' \
    JOIN embeddings e ON e.tenant_id = c.tenant_id AND e.chunk_id = c.chunk_id AND e.space_id = s.space_id \
    WHERE k.name = 'docs' ORDER BY d.document_id, c.ordinal";

/// What the database holds now.
pub(crate) fn truth(server: &Server) -> Vec<String> {
    let rows = server.sql("mcp_rag_owner", TRUTH).expect("the query runs");
    rows.into_iter().map(|row| row.into_iter().flatten().collect()).collect()
}
