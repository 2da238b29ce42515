//! Loading: the store's own messages, in the order ingest sends them, with synthetic embeddings in the
//! place of the embedder.

use super::lab::{Lab, STEP};
use super::synthetic::{PER_DOCUMENT, Recipe};
use crate::cli::ingest::progress;
use anyhow::{Context, Result, bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{
    AcceptDocuments, Chunking, ClaimTasks, Class, Collection, CollectionId, CreateCollection,
    DeleteCollection, EnsureSpace, FinishJob, JobId, ListCollections, NewChunk, NewDocument, PublishDocument,
    Raw, Space, StoreHandle, Task, TenantId, Work,
};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

pub(super) const TENANT: TenantId = TenantId(1);
const BATCH: usize = 50;
/// The writers of a collection take turns; a second one prepares its chunks meanwhile.
const WRITERS: usize = 2;
const TITLE: &str = "Synthetic document ";

/// Makes sure that the collection holds exactly the recipe's first `chunks`; true if it already did.
pub(super) async fn ensure_loaded(
    lab: &Lab,
    name: &str,
    signature: &str,
    recipe: &Recipe,
    chunks: usize,
) -> Result<(Collection, bool)> {
    if let Some(found) = find(&lab.store, name).await? {
        if found.description == signature && usize::try_from(found.chunks).ok() == Some(chunks) {
            return Ok((found, true));
        }
        let delete = DeleteCollection { tenant: TENANT, id: found.id };
        lab.store.call(delete, Deadline::within(STEP)).await?;
    }
    let collection = create(lab, name, signature).await?;
    let ensure = EnsureSpace { tenant: TENANT, spec: lab.spec.clone() };
    let space = lab.store.call(ensure, Deadline::within(STEP)).await?;
    let documents = chunks.div_ceil(PER_DOCUMENT);
    let bar = progress(chunks as u64, "chunks loaded");
    for first in (0..documents).step_by(BATCH) {
        let batch = first..documents.min(first + BATCH);
        let (job, tasks) = accept(&lab.store, collection, recipe, batch, chunks).await?;
        stream::iter(tasks)
            .map(|task| publish(&lab.store, recipe, &space, task, chunks))
            .buffer_unordered(WRITERS)
            .try_for_each(|count| {
                bar.inc(count);
                std::future::ready(Ok(()))
            })
            .await?;
        lab.store.call(FinishJob { tenant: TENANT, id: job }, Deadline::within(STEP)).await?;
    }
    bar.finish_and_clear();
    let loaded = find(&lab.store, name).await?.context("the collection has gone")?;
    ensure!(usize::try_from(loaded.chunks).ok() == Some(chunks), "only {} chunks were loaded", loaded.chunks);
    Ok((loaded, false))
}

pub(super) async fn find(store: &StoreHandle, name: &str) -> Result<Option<Collection>> {
    let all = store.call(ListCollections { tenant: TENANT }, Deadline::within(STEP)).await?;
    Ok(all.into_iter().find(|collection| collection.name == name))
}

/// The chunks of a document.
pub(super) fn members(document: usize, chunks: usize) -> std::ops::Range<usize> {
    document * PER_DOCUMENT..chunks.min((document + 1) * PER_DOCUMENT)
}

async fn accept(
    store: &StoreHandle,
    collection: CollectionId,
    recipe: &Recipe,
    batch: std::ops::Range<usize>,
    chunks: usize,
) -> Result<(JobId, Vec<Task>)> {
    let document = |number: usize| {
        let texts: Vec<String> = members(number, chunks).map(|n| recipe.text(&recipe.chunk(n))).collect();
        let raw = texts.join("\n\n");
        NewDocument {
            external_id: format!("document-{number}"),
            title: format!("{TITLE}{number}"),
            uri: String::new(),
            media_type: "text/plain".to_owned(),
            attributes: serde_json::json!({}),
            acl: Vec::new(),
            expires_at: None,
            content_hash: Sha256::digest(&raw).to_vec(),
            body_hash: Sha256::digest(&raw).to_vec(),
            vectors: Vec::new(),
            raw: Raw::Sent(raw.into()),
            cut: None,
        }
    };
    let documents = batch.map(document).collect();
    let (class, webhook) = (Class::Bulk, None);
    let (staging, as_batch) = (None, false);
    let accept = AcceptDocuments { tenant: TENANT, collection, documents, class, webhook, staging, as_batch };
    let job = store.call(accept, Deadline::within(STEP)).await?.job.context("nothing was accepted")?;
    let lease = Duration::from_secs(600);
    let claim = ClaimTasks { worker: "bench".into(), lease, most: i32::try_from(BATCH)? };
    Ok((job, store.call(claim, Deadline::within(STEP)).await?))
}

async fn publish(
    store: &StoreHandle,
    recipe: &Recipe,
    space: &Arc<Space>,
    task: Task,
    chunks: usize,
) -> Result<u64> {
    let Work::Ingest(document) = task.work else { bail!("a foreign task") };
    let number: usize = document.title.trim_start_matches(TITLE).parse().context("a foreign document")?;
    let made = made(recipe, members(number, chunks))?;
    let count = made.len() as u64;
    let publish = PublishDocument {
        claim: task.claim,
        collection: document.collection,
        document: document.id,
        version: document.version,
        title: document.title,
        text: None,
        chunks: made.into(),
        warnings: Vec::new(),
        spaces: vec![Arc::clone(space)],
    };
    store.call(publish, Deadline::within(STEP)).await?;
    Ok(count)
}

/// The chunks of one document.
pub(super) fn made(recipe: &Recipe, members: std::ops::Range<usize>) -> Result<Vec<NewChunk>> {
    let mut start = 0;
    let mut made = Vec::with_capacity(members.len());
    for n in members {
        let chunk = recipe.chunk(n);
        let text = recipe.text(&chunk);
        let end = start + i32::try_from(text.len())?;
        made.push(NewChunk {
            span: (start, end),
            matched: None,
            place: None,
            headings: vec![format!("Part {n}")],
            // English has about four tokens to three words.
            tokens: i32::try_from(text.split(' ').count() * 4 / 3)?,
            content_hash: Sha256::digest(&text).to_vec(),
            terms: chunk.terms.iter().map(|(term, n)| (recipe.term(*term).to_owned(), *n)).collect(),
            length: chunk.length,
            reads: text.clone(),
            embeddings: vec![chunk.embedding],
            text,
        });
        start = end + 2;
    }
    Ok(made)
}

/// An empty collection for a benchmark.
pub(super) async fn create(lab: &Lab, name: &str, signature: &str) -> Result<CollectionId> {
    let create = CreateCollection {
        tenant: TENANT,
        name: name.to_owned(),
        description: signature.to_owned(),
        metadata: serde_json::json!({}),
        language: "en".to_owned(),
        chunking: Chunking::default(),
    };
    Ok(lab.store.call(create, Deadline::within(STEP)).await?.id)
}

/// The chunk that a search result shows, by the heading it was given.
pub(super) fn number_of(result: &serde_json::Value) -> Option<usize> {
    result["headings"][0].as_str()?.strip_prefix("Part ")?.parse().ok()
}
