use super::embed::home_of_first;
use super::vectors::KnownVectors;
use crate::error::{Code, Error};
use crate::rag::{Caller, Rag};
use bytes::Bytes;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{
    AcceptDocuments, Class, Collection, EVERYONE, GetJob, HeldKey, Job, JobId, NewDocument, Raw,
};
use mcp_rag_actors::webhook::WebhookSettings;
use mcp_rag_text::parse::MediaType;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;
use time::OffsetDateTime;
use utoipa::ToSchema;

const MAX_EXTERNAL_ID: usize = 512;
const MAX_TITLE: usize = 2048;
const MAX_URI: usize = 4096;
const MAX_ATTRIBUTES: usize = 64 * 1024;
const MAX_ACL: usize = 256;
/// How soon another process's work on a job is noticed.
const POLL: Duration = Duration::from_millis(500);

/// A document as it arrives, whichever way it was sent.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Its place among those sent together, from 1.
    pub line: usize,
    pub external_id: String,
    pub title: String,
    pub uri: String,
    pub media_type: MediaType,
    pub attributes: Value,
    pub acl: Vec<String>,
    pub expires_at: Option<OffsetDateTime>,
    pub content: Bytes,
    pub vectors: Option<KnownVectors>,
}

/// How the work on documents sent together is to go.
#[derive(Debug)]
pub struct Wish {
    pub class: Class,
    /// The URL that is told of the job's end.
    pub webhook: Option<String>,
    /// The key it is done under, once.
    pub key: Option<HeldKey>,
}

impl Wish {
    pub fn check(&self, settings: &WebhookSettings) -> Result<(), Error> {
        let Some(url) = &self.webhook else { return Ok(()) };
        settings.check(url).map_err(|reason| Error::invalid("webhook", format!("`webhook`: {reason}")))
    }
}

/// What became of documents sent together.
#[derive(Debug)]
pub struct Receipt {
    /// Absent when nothing is left to be worked on.
    pub job: Option<JobId>,
    pub changed: usize,
    /// Those that the caller may not write.
    pub refused: Vec<Rejected>,
}

impl Receipt {
    /// Of one document alone.
    ///
    /// # Errors
    /// [`Code::Forbidden`] where it was refused.
    pub fn whole(self) -> Result<Self, Error> {
        match self.refused.into_iter().next() {
            Some(refused) => Err(Error::new(Code::Forbidden, refused.error).about("acl")),
            None => Ok(Self { refused: Vec::new(), ..self }),
        }
    }
}

/// A document of a bulk request that was not accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rejected {
    /// The line of an NDJSON body, or the place of a multipart file, from 1.
    pub line: usize,
    pub error: String,
}

/// PostgreSQL stores every character but this one, in keys as little as in values.
pub fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Incoming {
    /// Checked before anything is stored, so that a bad document never costs a good one.
    pub fn check(&self, max_bytes: usize) -> Result<(), Error> {
        let text = |name: &'static str, value: &str, max: usize| {
            if value.len() > max {
                Err(Error::invalid(name, format!("`{name}` is longer than {max} bytes")))
            } else if value.contains('\0') {
                Err(Error::invalid(name, format!("`{name}` holds a NUL character")))
            } else {
                Ok(())
            }
        };
        if self.external_id.is_empty() {
            return Err(Error::invalid("external_id", "`external_id` must not be empty"));
        }
        text("external_id", &self.external_id, MAX_EXTERNAL_ID)?;
        text("title", &self.title, MAX_TITLE)?;
        text("uri", &self.uri, MAX_URI)?;
        let attributes = self.attributes.to_string();
        if !self.attributes.is_object() || attributes.len() > MAX_ATTRIBUTES || holds_nul(&self.attributes) {
            let message =
                format!("`attributes` is an object of at most {MAX_ATTRIBUTES} bytes without NUL characters");
            return Err(Error::invalid("attributes", message));
        }
        if self.acl.len() > MAX_ACL {
            return Err(Error::invalid("acl", format!("`acl` holds at most {MAX_ACL} principals")));
        }
        for principal in &self.acl {
            text("acl", principal, MAX_EXTERNAL_ID)?;
            if principal.is_empty() || principal == EVERYONE || principal.chars().any(char::is_control) {
                let message =
                    "`acl` names principals, such as `user:alice`; a document without one is everyone's";
                return Err(Error::invalid("acl", message));
            }
        }
        if self.content.len() > max_bytes {
            let message = format!("a document holds at most {max_bytes} bytes (ingest.max_document_bytes)");
            return Err(Error::new(Code::PayloadTooLarge, message));
        }
        Ok(())
    }

    fn content_hash(&self) -> Vec<u8> {
        let mut digest = Sha256::new();
        let attributes = self.attributes.to_string();
        let mut parts = vec![self.title.as_str(), &self.uri, self.media_type.as_str(), &attributes];
        parts.extend(self.acl.iter().map(String::as_str));
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        if let Some(expires_at) = self.expires_at {
            digest.update(expires_at.unix_timestamp_nanos().to_le_bytes());
        }
        digest.update(&self.content);
        digest.finalize().to_vec()
    }

    /// Of what is parsed and embedded alone.
    fn body_hash(&self) -> Vec<u8> {
        let mut digest = Sha256::new();
        for part in [self.title.as_str(), self.media_type.as_str()] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.update(&self.content);
        digest.finalize().to_vec()
    }
}

impl Rag {
    /// Stores documents durably; what is returned has been committed.
    pub async fn accept(
        &self,
        collection: &Collection,
        documents: Vec<Incoming>,
        wish: Wish,
        caller: &Caller,
    ) -> Result<Receipt, Error> {
        let (documents, refused) = self.writable(collection, documents, caller).await?;
        if documents.is_empty() {
            return Ok(Receipt { job: None, changed: 0, refused });
        }
        let new = |incoming: Incoming| NewDocument {
            content_hash: incoming.content_hash(),
            body_hash: incoming.body_hash(),
            external_id: incoming.external_id,
            title: incoming.title,
            uri: incoming.uri,
            media_type: incoming.media_type.as_str().to_owned(),
            attributes: incoming.attributes,
            acl: incoming.acl,
            expires_at: incoming.expires_at,
            vectors: incoming
                .vectors
                .filter(|known| self.reuses(known))
                .map(|known| known.by_hash)
                .unwrap_or_default(),
            raw: Raw::Sent(incoming.content),
            cut: None,
        };
        let documents: Vec<NewDocument> = documents.into_iter().map(new).collect();
        let with_vectors = documents.iter().any(|document| !document.vectors.is_empty());
        let staging = if with_vectors { home_of_first(self, caller).await? } else { None };
        let Wish { class, webhook, key } = wish;
        let (tenant, collection) = (caller.tenant, collection.id);
        let as_batch = false;
        let accept = AcceptDocuments { tenant, collection, documents, class, webhook, staging, as_batch };
        let accepted = self.seen_by(caller).once(key, accept, caller.deadline).await?;
        if accepted.changed > 0 {
            self.catalog.forget(); // new metadata shows at once
        }
        self.progress.arrived.notify_one();
        Ok(Receipt { job: accepted.job, changed: accepted.changed, refused })
    }

    /// Waits until the job is over or the caller's deadline; returns its state then.
    pub async fn wait_for(&self, job: JobId, caller: &Caller) -> Result<Job, Error> {
        let mut news = self.progress.subscribe();
        loop {
            news.borrow_and_update();
            let get = GetJob { tenant: caller.tenant, id: job };
            // Reading the state must not be refused because the wait used up the deadline.
            let state =
                self.all.call(get, caller.deadline.max(Deadline::within(Duration::from_secs(2)))).await?;
            if state.is_over() || caller.deadline.has_passed() {
                return Ok(state);
            }
            let _ = tokio::time::timeout(POLL.min(caller.deadline.remaining()), news.changed()).await;
        }
    }
}
