//! Tasks on embedding spaces: filling one, removing one. Behind documents that somebody waits for, and few at once.
//!
//! # Cancel safety
//! Dropped at any point, a task is taken up again at the batch it was at.

use super::carry_out::{persist, repeat};
use super::embed::EMBED_ATTEMPTS;
use super::worker::STEP;
use crate::error::Error;
use crate::rag::models::not_configured;
use crate::rag::{Caller, Rag};
use mcp_rag_actors::embedder::{Embed, EmbedderHandle, MAX_TEXTS, Purpose};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{
    Claim, EndBuild, FillSpace, Lacking, NextLacking, Part, ShrinkSpace, Space, Storage, Swept,
};
use std::collections::HashMap;
use std::sync::Arc;

/// Vectors that are copied at once.
const COPIED: i64 = 256;
/// Rows that are deleted at once.
const DELETED: i64 = 2_000;

/// Fills a part, and ends its task unless the lease was lost.
pub(super) async fn build(rag: &Rag, claim: &Claim, mut part: Part) -> Result<(), Error> {
    loop {
        let source = source_for(rag, claim, &part.space).await?;
        let most = if source.is_some() { COPIED } else { i64::try_from(MAX_TEXTS).unwrap_or(i64::MAX) };
        let next = NextLacking { tenant: claim.tenant, part: part.clone(), source, most };
        let lacking = persist(|| rag.all.call(next.clone(), Deadline::within(STEP))).await?;
        let Some(last) = lacking.last().map(|one| one.chunk.0) else {
            let end = EndBuild { claim: claim.clone(), space: part.space.id };
            match persist(|| rag.all.call(end.clone(), Deadline::within(STEP))).await? {
                Swept::Done => return Ok(()),
                Swept::From(chunk) => (part.from, part.to) = (chunk, None),
            }
            continue;
        };
        let chunks = lacking.iter().map(|one| one.chunk).collect();
        let vectors = vectors(rag.models.of(&part.space.spec), &part.space, &lacking).await?;
        let (space, storage) = (part.space.id, part.space.spec.storage);
        let fill = FillSpace { claim: claim.clone(), space, storage, chunks, vectors };
        if !persist(|| rag.all.call(fill.clone(), Deadline::within(STEP))).await? {
            return Ok(()); // cancelled, removed or taken over
        }
        part.from = last + 1;
        rag.progress.advance();
    }
}

/// A space whose vectors are at least as exact as this one's are to be, so that nothing is embedded again.
async fn source_for(rag: &Rag, claim: &Claim, space: &Space) -> Result<Option<Arc<Space>>, Error> {
    let caller = Caller::server(claim.tenant, Deadline::within(STEP));
    let known = rag.catalog.spaces(&caller).await?;
    let exact_enough =
        |other: &Space| space.spec.storage != Storage::Vector || other.spec.storage == Storage::Vector;
    let mut fit = known.iter().filter(|other| {
        other.id != space.id && other.is_filled() && other.shares_vectors_with(space) && exact_enough(other)
    });
    Ok(fit.next().cloned())
}

/// A vector for each: copied, or embedded, each text once.
async fn vectors(
    model: Option<&EmbedderHandle>,
    space: &Space,
    lacking: &[Lacking],
) -> Result<Vec<Vec<f32>>, Error> {
    let mut missing: Vec<(&[u8], &str)> = Vec::new();
    for one in lacking.iter().filter(|one| one.vector.is_none()) {
        if missing.iter().all(|(hash, _)| *hash != one.hash) {
            missing.push((&one.hash, &one.text));
        }
    }
    let mut embedded: HashMap<&[u8], Vec<f32>> = HashMap::new();
    for batch in missing.chunks(MAX_TEXTS) {
        let model = model.ok_or_else(|| not_configured(space))?;
        let texts: Vec<String> = batch.iter().map(|(_, text)| (*text).to_owned()).collect();
        let embed = || {
            let embed = Embed { texts: texts.clone(), purpose: Purpose::Passage };
            model.embed(embed, Deadline::within(STEP))
        };
        let vectors = repeat(EMBED_ATTEMPTS, embed).await?;
        embedded.extend(batch.iter().map(|(hash, _)| *hash).zip(vectors));
    }
    let vector = |one: &Lacking| {
        let copied = one.vector.clone();
        copied.or_else(|| embedded.get(one.hash.as_slice()).cloned()).unwrap_or_default()
    };
    Ok(lacking.iter().map(vector).collect())
}

/// Removes a space, and ends its task with the last of its rows.
pub(super) async fn remove(rag: &Rag, claim: &Claim, space: &Space) -> Result<(), Error> {
    let shrink = ShrinkSpace { claim: claim.clone(), space: space.id, most: DELETED };
    while persist(|| rag.all.call(shrink.clone(), Deadline::within(STEP))).await? {
        rag.progress.advance();
    }
    Ok(())
}
