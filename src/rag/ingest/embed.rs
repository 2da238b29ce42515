//! Embedding a document's chunks for every space that takes documents.
//!
//! The active space's model has to be there. Another one that is not costs the document nothing: its space is noted
//! to be behind when the document is published, and is completed later.

use super::carry_out::{persist, repeat};
use super::prepare::Prepared;
use super::worker::STEP;
use crate::error::Error;
use crate::rag::models::not_configured;
use crate::rag::{Caller, Rag};
use mcp_rag_actors::embedder::{Embed, EmbedderHandle, MAX_TEXTS, Purpose};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{
    Claim, DocumentId, EnsureSpace, KnownEmbeddings, Space, StageEmbeddings, Storage, TenantId,
};
use std::collections::HashMap;
use std::sync::Arc;

/// Embedding: the task is put off after a few seconds, which leaves the room to others.
pub(super) const EMBED_ATTEMPTS: u32 = 5;

/// Vectors by the hash of what was embedded.
type Vectors = HashMap<Vec<u8>, Vec<f32>>;

/// Spaces that documents go into, the active one among them; it is made where there is none.
async fn spaces_of(rag: &Rag, tenant: TenantId) -> Result<Vec<Arc<Space>>, Error> {
    let caller = Caller::server(tenant, Deadline::within(STEP));
    let known = rag.catalog.spaces(&caller).await?;
    if known.iter().any(|space| space.is_active()) {
        return Ok(known.iter().filter(|space| space.is_filled()).cloned().collect());
    }
    let ensure = EnsureSpace { tenant, spec: rag.models.spec.clone() };
    let space = persist(|| rag.all.call(ensure.clone(), Deadline::within(STEP))).await?;
    rag.catalog.forget();
    Ok(vec![space])
}

/// Spaces that one model's vectors serve.
fn by_model(spaces: Vec<Arc<Space>>) -> Vec<Vec<Arc<Space>>> {
    let mut groups: Vec<Vec<Arc<Space>>> = Vec::new();
    for space in spaces {
        match groups.iter_mut().find(|group| group[0].shares_vectors_with(&space)) {
            Some(group) => group.push(space),
            None => groups.push(vec![space]),
        }
    }
    groups
}

/// Where vectors for all of these are looked up and staged: where they are the most exact.
fn home(group: &[Arc<Space>]) -> &Arc<Space> {
    let exact = group.iter().find(|space| space.spec.storage == Storage::Vector);
    exact.or_else(|| group.iter().find(|space| space.is_active())).unwrap_or(&group[0])
}

/// Where vectors of the first model wait for the document they came with; none when no space is of that model.
pub(super) async fn home_of_first(rag: &Rag, caller: &Caller) -> Result<Option<Arc<Space>>, Error> {
    let groups = by_model(spaces_of(rag, caller.tenant).await?);
    let of_first = groups.iter().find(|group| {
        let spec = &group[0].spec;
        (&spec.model, spec.dimensions) == (&rag.models.spec.model, rag.models.spec.dimensions)
    });
    Ok(of_first.map(|group| Arc::clone(home(group))))
}

/// Fills in every chunk's embeddings, one for each of the spaces returned.
pub(super) async fn embed(
    rag: &Rag,
    claim: &Claim,
    document: DocumentId,
    prepared: &mut Prepared,
) -> Result<Vec<Arc<Space>>, Error> {
    for (chunk, text) in prepared.chunks.iter_mut().zip(&prepared.embedded) {
        chunk.reads.clone_from(text);
        chunk.embeddings.clear();
    }
    let mut into = Vec::new();
    for group in by_model(spaces_of(rag, claim.tenant).await?) {
        let needed = group.iter().any(|space| space.is_active());
        let vectors = match rag.models.of(&group[0].spec) {
            Some(model) => vectors(rag, claim, document, prepared, model, home(&group), needed).await,
            None => Err(not_configured(&group[0])),
        };
        match vectors {
            Ok(vectors) => {
                for chunk in &mut prepared.chunks {
                    let vector = vectors.get(&chunk.content_hash).cloned().unwrap_or_default();
                    chunk.embeddings.extend(std::iter::repeat_n(vector, group.len()));
                }
                into.extend(group);
            }
            Err(error) if needed => return Err(error),
            Err(error) => {
                tracing::debug!(%error, document = %document, space = %group[0].id, "a space gets this document later");
            }
        }
    }
    Ok(into)
}

/// Unchanged chunks keep the vector they have.
async fn vectors(
    rag: &Rag,
    claim: &Claim,
    document: DocumentId,
    prepared: &Prepared,
    model: &EmbedderHandle,
    space: &Arc<Space>,
    needed: bool,
) -> Result<Vectors, Error> {
    let known = KnownEmbeddings { tenant: claim.tenant, document, space: Arc::clone(space) };
    let mut known: Vectors = persist(|| rag.all.call(known.clone(), Deadline::within(STEP))).await?;
    let mut missing = Vec::new();
    for (chunk, text) in prepared.chunks.iter().zip(&prepared.embedded) {
        // A text that stands twice is embedded once.
        if !known.contains_key(&chunk.content_hash) {
            known.insert(chunk.content_hash.clone(), Vec::new());
            missing.push((chunk.content_hash.clone(), text.clone()));
        }
    }
    let batches = missing.len().div_ceil(MAX_TEXTS);
    for (at, batch) in missing.chunks(MAX_TEXTS).enumerate() {
        let texts: Vec<String> = batch.iter().map(|(_, text)| text.clone()).collect();
        let embed = || {
            let embed = Embed { texts: texts.clone(), purpose: Purpose::Passage };
            model.embed(embed, Deadline::within(STEP))
        };
        let vectors = repeat(if needed { EMBED_ATTEMPTS } else { 0 }, embed).await?;
        let vectors: Vec<_> = batch.iter().map(|(hash, _)| hash.clone()).zip(vectors).collect();
        if at + 1 < batches {
            // Kept at once: a worker that is lost costs this batch and no more. The last goes with the rest.
            let (claim, space) = (claim.clone(), Arc::clone(space));
            let stage = StageEmbeddings { claim, document, space, vectors: vectors.clone() };
            persist(|| rag.all.call(stage.clone(), Deadline::within(STEP))).await?;
        }
        known.extend(vectors);
    }
    Ok(known)
}
