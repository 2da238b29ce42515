//! OpenAI's ids: its prefixes before the store's own numbers.

use crate::error::Error;
use mcp_rag_actors::store::{BatchId, CollectionId, DocumentId, StoreFileId};

const STORE: &str = "vs_";
/// A document that was not made of an uploaded file, as a file.
const DOCUMENT: &str = "file-doc";

fn number(text: &str, prefix: &str) -> Option<i64> {
    let digits = text.strip_prefix(prefix)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

pub(super) fn of_store(id: CollectionId) -> String {
    format!("{STORE}{}", id.0)
}

/// What no vector store can be called is the same as one that is not there.
pub(super) fn store(text: &str) -> Result<CollectionId, Error> {
    number(text, STORE).map(CollectionId).ok_or_else(|| Error::not_found("vector store"))
}

pub(super) fn of_file(id: StoreFileId) -> String {
    match id {
        StoreFileId::Uploaded(id) => id.to_string(),
        StoreFileId::Document(id) => format!("{DOCUMENT}{}", id.0),
    }
}

pub(super) fn file(text: &str) -> Result<StoreFileId, Error> {
    let document = number(text, DOCUMENT).map(|id| StoreFileId::Document(DocumentId(id)));
    let found = document.or_else(|| text.parse().ok().map(StoreFileId::Uploaded));
    found.ok_or_else(|| Error::not_found("file"))
}

pub(super) fn batch(text: &str) -> Result<BatchId, Error> {
    text.parse().map_err(|_| Error::not_found("file batch"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_rag_actors::store::FileId;

    #[test]
    fn ids_are_read_back_and_nothing_else_is_one() {
        assert_eq!(store(&of_store(CollectionId(7))).expect("an id"), CollectionId(7));
        for id in [StoreFileId::Uploaded(FileId(3)), StoreFileId::Document(DocumentId(3))] {
            assert_eq!(file(&of_file(id)).expect("an id"), id);
        }
        for wrong in ["", "7", "vs_", "vs_-1", "vs_x", "col_7"] {
            assert!(store(wrong).is_err(), "{wrong}");
        }
        for wrong in ["file-", "file-doc", "file-doc-1", "file_1", "file-abc"] {
            assert!(file(wrong).is_err(), "{wrong}");
        }
    }
}
