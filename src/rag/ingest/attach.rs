//! Uploaded files made into documents of a collection: their bytes are copied where they are, and from then on a
//! document of this kind is one like any other.

use crate::error::Error;
use crate::rag::{Caller, Rag};
use mcp_rag_actors::store::{
    AcceptDocuments, Accepted, BatchId, Class, Collection, File, FileId, JobId, NewDocument, Raw,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A file, and what it has as a document.
#[derive(Debug)]
pub struct Attachment {
    pub file: File,
    pub attributes: Value,
    /// The largest chunk and the overlap, in tokens, where they are not the collection's.
    pub cut: Option<(u32, u32)>,
}

/// What became of files put into a collection.
#[derive(Debug)]
pub struct Attached {
    /// Absent when nothing is left to be worked on.
    pub job: Option<JobId>,
    pub batch: Option<BatchId>,
}

/// `file-7/report.pdf`: unique in the collection, and both parts can be read from a search's result.
fn external_id(file: &File) -> String {
    format!("{}/{}", file.id, file.filename)
}

/// The file and its name that a document of this external id was made of, if it was.
pub fn filename_of(external_id: &str) -> Option<(FileId, &str)> {
    let (id, name) = external_id.split_once('/')?;
    id.parse().ok().map(|id| (id, name))
}

impl Attachment {
    /// Over what is parsed and how it is cut, never equal to that of bytes that were sent.
    fn body_hash(&self) -> Sha256 {
        let mut digest = Sha256::new();
        digest.update(b"file\0");
        digest.update(&self.file.digest);
        digest.update(&self.file.media_type);
        let (max, overlap) = self.cut.unwrap_or_default();
        digest.update(max.to_le_bytes());
        digest.update(overlap.to_le_bytes());
        digest
    }

    fn into_document(self) -> NewDocument {
        let body = self.body_hash();
        let content = body.clone().chain_update(self.attributes.to_string()).finalize();
        NewDocument {
            external_id: external_id(&self.file),
            // The document's own, where it has one.
            title: String::new(),
            uri: String::new(),
            media_type: self.file.media_type,
            attributes: self.attributes,
            acl: Vec::new(),
            expires_at: self.file.expires_at,
            raw: Raw::File(self.file.id),
            cut: self.cut,
            content_hash: content.to_vec(),
            body_hash: body.finalize().to_vec(),
            vectors: Vec::new(),
        }
    }
}

impl Rag {
    /// Makes files searchable, as [`Rag::accept`] does with what is sent; `as_batch`: known together from then on.
    pub async fn attach(
        &self,
        collection: &Collection,
        files: Vec<Attachment>,
        as_batch: bool,
        caller: &Caller,
    ) -> Result<Attached, Error> {
        let class = if files.len() > 1 { Class::Bulk } else { Class::Interactive };
        let accept = AcceptDocuments {
            tenant: caller.tenant,
            collection: collection.id,
            documents: files.into_iter().map(Attachment::into_document).collect(),
            class,
            webhook: None,
            staging: None,
            as_batch,
        };
        let Accepted { job, changed, batch } = self.seen_by(caller).call(accept, caller.deadline).await?;
        if changed > 0 {
            self.catalog.forget(); // new metadata shows at once
        }
        self.progress.arrived.notify_one();
        Ok(Attached { job, batch })
    }
}
