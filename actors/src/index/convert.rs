//! Between the store's words and those of the copies.

use crate::store::{
    ChunkId, CollectionId, DocumentId, FeedDocument, Hit, Mode, SearchChunks, Sight, Stamp, Storage, TermKey,
};
use mcp_rag_hot as hot;
use mcp_rag_hot::change::{About, Change, Chunk, Document};
use time::OffsetDateTime;

/// Of its space a copy keeps half precision: no more is compared in these.
pub(super) fn is_kept(storage: Storage) -> bool {
    match storage {
        Storage::Halfvec | Storage::Bit => true,
        Storage::Vector => false,
    }
}

pub(super) fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

fn time(micros: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()
}

pub(super) fn now() -> i64 {
    micros(OffsetDateTime::now_utc())
}

/// As [`mcp_rag_hot::Collection::stamps`] has it.
pub(super) fn stamp(stamp: &Stamp) -> (i32, i64, Option<i64>) {
    (stamp.version, micros(stamp.updated_at), stamp.expires_at.map(micros))
}

pub(super) fn document(document: FeedDocument) -> Document {
    let chunk = |chunk: crate::store::FeedChunk| Chunk {
        id: chunk.id.0,
        ordinal: chunk.ordinal,
        text: chunk.text,
        headings: chunk.headings,
        place: chunk.place,
        span: chunk.span,
        matched: chunk.matched,
        tokens: chunk.tokens,
        keys: chunk.keys,
        length: chunk.length,
        vector: chunk.vector,
    };
    let about = About {
        id: document.id.0,
        version: document.version,
        external_id: document.external_id,
        title: document.title,
        uri: document.uri,
        media_type: document.media_type,
        attributes: document.attributes,
        acl: document.acl,
        created_at: micros(document.created_at),
        updated_at: micros(document.updated_at),
        expires_at: document.expires_at.map(micros),
    };
    Document { about, chunks: document.chunks.into_iter().map(chunk).collect() }
}

/// Documents as they are now; those of `changed` that are not among them are gone.
pub(super) fn changes(changed: &[DocumentId], documents: Vec<FeedDocument>) -> Vec<Change> {
    let there: std::collections::HashSet<DocumentId> = documents.iter().map(|document| document.id).collect();
    let gone = changed.iter().filter(|id| !there.contains(id)).map(|id| Change::Delete(id.0));
    let put = documents.into_iter().map(|one| Change::Put(Box::new(document(one))));
    gone.chain(put).collect()
}

/// About what a document will take, never too little.
pub(super) fn weight(document: &FeedDocument) -> usize {
    let chunk = |chunk: &crate::store::FeedChunk| {
        let vector = chunk.vector.as_ref().map_or(0, |vector| vector.len() * 3 + 512);
        chunk.text.len() + chunk.keys.len() * 16 + vector + 256
    };
    document.attributes.len() * 4 + 1_024 + document.chunks.iter().map(chunk).sum::<usize>()
}

pub(super) fn mode(mode: Mode) -> hot::Mode {
    match mode {
        Mode::Hybrid => hot::Mode::Hybrid,
        Mode::Dense => hot::Mode::Dense,
        Mode::Lexical => hot::Mode::Lexical,
    }
}

pub(super) fn terms(search: &SearchChunks) -> Vec<hot::Term> {
    let term = |term: &TermKey| hot::Term { collection: term.collection, base: term.base, count: term.count };
    search.terms.iter().map(term).collect()
}

/// The names that a sight speaks for.
pub(super) fn names(sight: &Sight) -> Vec<&str> {
    sight.names().collect()
}

pub(super) fn sight<'a>(sight: &Sight, names: &'a [&'a str]) -> hot::Sight<'a> {
    match sight {
        Sight::Public => hot::Sight::Public,
        Sight::Named(_) => hot::Sight::Named(names),
        Sight::All => hot::Sight::All,
    }
}

pub(super) fn hit(hit: hot::Hit) -> Hit {
    Hit {
        chunk: ChunkId(hit.chunk),
        document: DocumentId(hit.document),
        collection: CollectionId(hit.collection),
        external_id: hit.external_id,
        title: hit.title,
        uri: hit.uri,
        attributes: hit.attributes,
        text: hit.text,
        headings: hit.headings,
        place: hit.place,
        span: hit.span,
        matched: hit.matched,
        tokens: hit.tokens,
        score: hit.score,
        dense: hit.dense,
        lexical: hit.lexical,
        expires_at: hit.expires_at.and_then(time),
    }
}
