//! What tells one search from another: the cache's key, and the marks that cursors carry.

use super::SearchQuery;
use super::cursor::Mark;
use super::options::Options;
use crate::rag::Caller;
use crate::rag::catalog::Selection;
use sha2::{Digest, Sha256};
use std::fmt::{self, Debug, Write as _};

pub(super) struct Key {
    /// Everything a result depends on; the epochs make a changed collection another key.
    pub(super) cache: String,
    /// The query and who asks, whichever page.
    pub(super) search: Mark,
    /// The collections as they are.
    pub(super) state: Mark,
}

impl Key {
    pub(super) fn of(query: &SearchQuery, selection: &Selection, caller: &Caller) -> Self {
        let search = search(query, selection, caller);
        let mut digest = Sha256::new();
        add(&mut digest, &selection.space.as_ref().map(|space| space.id));
        for collection in &selection.collections {
            add(&mut digest, &(collection.id, collection.epoch));
        }
        let state: [u8; 32] = digest.finalize().into();
        let mut digest = Sha256::new().chain_update(search).chain_update(state);
        add(&mut digest, &(query.top_k, query.max_tokens, &query.options.cursor));
        // What a stage did that is switched off now is not shown any more.
        let off = !selection.switches.reranker && query.rerank;
        add(&mut digest, &(off, !selection.switches.chat_model && query.options.rewrite));
        let cache = format!("mcp-rag:search:5:{:x}", digest.finalize());
        Self { cache, search: mark(&search), state: mark(&state) }
    }
}

fn search(query: &SearchQuery, selection: &Selection, caller: &Caller) -> [u8; 32] {
    let mut digest = Sha256::new();
    // As bytes: printing hundreds of numbers costs more than the rest of the key.
    let vector = query.embedding.as_deref().unwrap_or_default();
    digest.update((vector.len() as u64).to_le_bytes());
    let mut bytes = Vec::with_capacity(size_of_val(vector));
    vector.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
    digest.update(bytes);
    add(&mut digest, &(caller.tenant, &selection.sight));
    add(&mut digest, &query.text.as_deref().map(str::trim));
    add(&mut digest, &(query.mode, &query.filter, query.min_score, query.rerank));
    let Options { also, rewrite, collapse, by_document, diversity, recency, cursor: _, seeing: _ } =
        &query.options;
    add(&mut digest, &(also, rewrite, collapse, by_document, diversity, recency));
    digest.finalize().into()
}

/// With a byte at its end that no text has: where a part ends is part of the key.
fn add(digest: &mut Sha256, part: &dyn Debug) {
    struct Into<'a>(&'a mut Sha256);

    impl fmt::Write for Into<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.update(text);
            Ok(())
        }
    }

    let _ = write!(Into(digest), "{part:?}");
    digest.update([u8::MAX]);
}

fn mark(digest: &[u8; 32]) -> Mark {
    let mut mark = [0; 8];
    mark.copy_from_slice(&digest[..8]);
    mark
}
