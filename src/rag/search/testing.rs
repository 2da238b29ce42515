//! Results for the unit tests of what is done with them.

use super::refine::Candidate;
use crate::rag::rerank::Ranked;
use mcp_rag_actors::store::{ChunkId, CollectionId, DocumentId, Hit};

/// A chunk of the document that has the tens of its id.
pub(super) fn hit(chunk: i64, score: f32) -> Hit {
    Hit {
        chunk: ChunkId(chunk),
        document: DocumentId(chunk / 10),
        collection: CollectionId(1),
        external_id: format!("document {}", chunk / 10),
        title: String::new(),
        uri: String::new(),
        attributes: serde_json::Value::Null,
        text: format!("chunk {chunk}"),
        headings: vec![],
        place: None,
        span: (0, 0),
        tokens: 3,
        score,
        dense: None,
        lexical: None,
        matched: None,
        expires_at: None,
    }
}

pub(super) fn candidate(chunk: i64, score: f32) -> Candidate {
    Candidate::new(Ranked { hit: hit(chunk, score), rerank: None })
}

pub(super) fn candidate_of(chunk: i64, score: f32, text: &str) -> Candidate {
    let mut candidate = candidate(chunk, score);
    text.clone_into(&mut candidate.ranked.hit.text);
    candidate
}
