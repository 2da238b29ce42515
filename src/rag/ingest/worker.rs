//! The worker: leases jobs and makes their documents searchable.
//!
//! * It is a supervised service; a panic in it ends only this incarnation, and the next one resumes.
//! * A document that cannot be parsed fails alone, with a reason.
//! * A dependency that is away delays: the document is tried again with growing pauses.
//! * Told to stop, it lets go of the documents under way and gives its lease back, so that another
//!   replica goes on at once; only a crash lets the lease run out.

use super::prepare::{Prepared, prepare};
use crate::error::Error;
use crate::rag::{Caller, Rag};
use futures_util::{StreamExt, stream};
use mcp_rag_actors::embedder::{Embed, MAX_TEXTS, Purpose};
use mcp_rag_actors::resilience::{Backoff, Deadline};
use mcp_rag_actors::store::{
    Claim, ClaimJob, Collection, FailDocument, FinishJob, KnownEmbeddings, PublishDocument, ReleaseLease,
    RenewLease, StoreError, TakeDocuments, WaitingDocument,
};
use mcp_rag_actors::supervise::{Lifeline, Service};
use mcp_rag_actors::trace::TARGET;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tracing::{Instrument, info_span};

/// How soon a job accepted by another process is noticed.
const IDLE_POLL: Duration = Duration::from_secs(1);
/// One step of the work: a statement, or embedding a batch behind a busy queue.
const STEP: Duration = Duration::from_secs(60);
/// Giving a lease back: a statement. Without it the lease runs out by itself.
const RELEASE: Duration = Duration::from_secs(3);
const ATTEMPTS: u32 = 40;
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(10) };

/// The `jobs` service; its work is one task on its own arbiter.
pub struct Worker {
    task: RefCell<tokio::task::JoinHandle<()>>,
    stopping: watch::Sender<bool>,
}

impl Service for Worker {
    async fn stop(self: Rc<Self>) {
        self.stopping.send_replace(true);
        // Never aborted here: a lease must not be taken by a statement nobody hears the end of.
        let mut task = self.task.replace(actix_rt::spawn(async {}));
        let _ = tokio::time::timeout(RELEASE * 2, &mut task).await;
        task.abort();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.task.get_mut().abort();
    }
}

impl Worker {
    pub fn start(rag: Arc<Rag>, lifeline: &Lifeline) -> Self {
        let name = format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple());
        let stopping = watch::Sender::new(false);
        let (told, line) = (stopping.subscribe(), lifeline.clone());
        let task = lifeline.spawn(async move { work(&rag, &name, told, &line).await });
        Self { task: RefCell::new(task), stopping }
    }
}

/// Works until told to stop, and then holds no lease any more.
async fn work(rag: &Rag, name: &str, mut stopping: watch::Receiver<bool>, lifeline: &Lifeline) {
    let lease = Duration::from_millis(rag.settings().ingest.lease_ms);
    let mut failures = 0;
    while !*stopping.borrow_and_update() {
        let claim = ClaimJob { worker: name.to_owned(), lease };
        match rag.store.call(claim, Deadline::within(STEP)).await {
            Ok(Some(claim)) => {
                failures = 0;
                let span = info_span!(target: TARGET, "job", otel.kind = "consumer", job = %claim.job);
                tokio::select! {
                    biased;
                    _ = stopping.changed() => release(rag, claim).await,
                    () = run(rag, &claim, lease, lifeline).instrument(span) => {}
                }
            }
            Ok(None) => {
                failures = 0;
                tokio::select! {
                    _ = stopping.changed() => {}
                    _ = tokio::time::timeout(IDLE_POLL, rag.progress.arrived.notified()) => {}
                }
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, "no job can be leased for now");
                let _ = tokio::time::timeout(BACKOFF.delay(failures, 0.5), stopping.changed()).await;
            }
        }
    }
}

async fn release(rag: &Rag, claim: Claim) {
    let job = claim.job;
    match rag.store.call(ReleaseLease { claim }, Deadline::within(RELEASE)).await {
        Ok(()) => tracing::info!(%job, "lease given back"),
        Err(error) => tracing::warn!(%error, %job, "lease not given back: it runs out by itself"),
    }
}

/// Works on one leased job until nothing of it waits or the lease is lost.
async fn run(rag: &Rag, claim: &Claim, lease: Duration, lifeline: &Lifeline) {
    let heartbeat = async {
        loop {
            tokio::time::sleep(lease / 3).await;
            let renew = RenewLease { claim: claim.clone(), lease };
            // Unreachable is not lost: another worker may take over only after the lease.
            if let Err(StoreError::NotFound(_)) = rag.store.call(renew, Deadline::within(lease)).await {
                return;
            }
        }
    };
    tokio::select! {
        () = heartbeat => tracing::info!(job = %claim.job, "lease lost or job cancelled"),
        () = process(rag, claim, lifeline) => {
            let finish = FinishJob { claim: claim.clone() };
            if let Err(error) = persist(|| rag.store.call(finish.clone(), Deadline::within(STEP))).await {
                tracing::warn!(%error, job = %claim.job, "the job will be finished by a later lease");
            }
        }
    }
    rag.progress.advance();
}

async fn process(rag: &Rag, claim: &Claim, lifeline: &Lifeline) {
    let concurrency = rag.settings().ingest.concurrency;
    let batch = i64::try_from(concurrency).unwrap_or(1);
    let waiting = stream::unfold((), |()| async move {
        let take =
            || rag.store.call(TakeDocuments { claim: claim.clone(), limit: batch }, Deadline::within(STEP));
        match persist(take).await {
            Ok(documents) if documents.is_empty() => None,
            Ok(documents) => Some((stream::iter(documents), ())),
            Err(error) => {
                tracing::warn!(%error, job = %claim.job, "the job's documents cannot be read");
                None
            }
        }
    });
    waiting
        .flatten()
        .for_each_concurrent(concurrency, |document| async move {
            lifeline.failpoint("work");
            let span = info_span!(target: TARGET, "document", document = %document.id);
            ingest(rag, claim, document).instrument(span).await;
            rag.progress.advance();
        })
        .await;
}

async fn ingest(rag: &Rag, claim: &Claim, document: WaitingDocument) {
    let (id, version) = (document.id, document.version);
    let outcome = match make_searchable(rag, claim, document).await {
        Ok(()) => "ready",
        Err(Failure::Away(error)) => {
            // Not the document's fault: it stays, and so does its job, until a later lease.
            tracing::warn!(code = error.code.as_str(), document = %id, "put off: a dependency is away");
            "put_off"
        }
        Err(Failure::Document(reason)) => {
            let fail = || {
                let failed =
                    FailDocument { claim: claim.clone(), document: id, version, reason: reason.clone() };
                rag.store.call(failed, Deadline::within(STEP))
            };
            if let Err(error) = persist(fail).await {
                tracing::warn!(%error, document = %id, "a failed document stays queued");
            }
            "failed"
        }
    };
    if outcome == "ready" {
        rag.catalog.forget();
    }
    metrics::counter!("mcp_rag_ingested_documents_total", "outcome" => outcome).increment(1);
}

/// Why a document is not searchable.
enum Failure {
    /// It can never be; the reason is for the client.
    Document(String),
    /// Something it needs is away.
    Away(Error),
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self::Document(reason)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.is_temporary() { Self::Away(error) } else { Self::Document(error.to_string()) }
    }
}

/// Publishes one document, or says why not.
async fn make_searchable(rag: &Rag, claim: &Claim, document: WaitingDocument) -> Result<(), Failure> {
    let (id, version) = (document.id, document.version);
    let collection = persist(|| collection_of(rag, claim, &document)).await?;
    let (max_tokens, home) = (collection.max_tokens, collection.id);
    let tokenizer = rag.embedder.tokenizer().clone();
    // A thread that may block or panic without hurting anyone else's work.
    let prepared = tokio::task::spawn_blocking(move || prepare(&document, &collection, &tokenizer));
    let prepared = prepared.instrument(info_span!(target: TARGET, "prepare")).await;
    let mut prepared = match prepared {
        Ok(prepared) => prepared?,
        Err(_) => return Err(Failure::Document("the parser crashed on this document".to_owned())),
    };
    tracing::debug!(document = %id, chunks = prepared.chunks.len(), max_tokens, "prepared");
    embed(rag, claim, id, &mut prepared).instrument(info_span!(target: TARGET, "embed")).await?;
    let publish = || {
        let publish = PublishDocument {
            claim: claim.clone(),
            collection: home,
            document: id,
            version,
            title: prepared.title.clone(),
            text: prepared.text.clone(),
            chunks: prepared.chunks.clone(),
        };
        rag.store.call(publish, Deadline::within(STEP))
    };
    Ok(persist(publish).instrument(info_span!(target: TARGET, "publish")).await?)
}

async fn collection_of(rag: &Rag, claim: &Claim, document: &WaitingDocument) -> Result<Collection, Error> {
    let caller = Caller { tenant: claim.tenant, deadline: Deadline::within(STEP) };
    let all = rag.catalog.all(caller).await?;
    if let Some(found) = all.iter().find(|collection| collection.id == document.collection) {
        return Ok(found.clone());
    }
    // Created by another replica a moment ago: look again, past what is remembered.
    rag.catalog.forget();
    let all = rag.catalog.all(caller).await?;
    let found = all.iter().find(|collection| collection.id == document.collection);
    found.cloned().ok_or_else(|| Error::not_found("collection"))
}

/// Fills in every chunk's embedding; unchanged chunks keep the one they have.
async fn embed(
    rag: &Rag,
    claim: &Claim,
    document: mcp_rag_actors::store::DocumentId,
    prepared: &mut Prepared,
) -> Result<(), Error> {
    let known = || rag.store.call(KnownEmbeddings { tenant: claim.tenant, document }, Deadline::within(STEP));
    let known: HashMap<Vec<u8>, Vec<f32>> = persist(known).await?;
    let mut missing = Vec::new();
    for (at, chunk) in prepared.chunks.iter_mut().enumerate() {
        match known.get(&chunk.content_hash) {
            Some(embedding) => chunk.embedding.clone_from(embedding),
            None => missing.push(at),
        }
    }
    for batch in missing.chunks(MAX_TEXTS) {
        let texts: Vec<String> = batch.iter().map(|at| prepared.embedded[*at].clone()).collect();
        let embed = || {
            let embed = Embed { texts: texts.clone(), purpose: Purpose::Passage };
            rag.embedder.embed(embed, Deadline::within(STEP))
        };
        let vectors = persist(embed).await?;
        for (at, vector) in batch.iter().zip(vectors) {
            prepared.chunks[*at].embedding = vector;
        }
    }
    Ok(())
}

/// Repeats an idempotent step while what it needs is away.
async fn persist<T, E, F, R>(step: F) -> Result<T, Error>
where
    F: Fn() -> R,
    R: Future<Output = Result<T, E>>,
    Error: From<E>,
{
    let mut attempt = 0;
    loop {
        match step().await.map_err(Error::from) {
            Err(error) if error.is_temporary() && attempt < ATTEMPTS => {
                attempt += 1;
                tracing::debug!(code = error.code.as_str(), attempt, "a step of an ingest is tried again");
                tokio::time::sleep(BACKOFF.delay(attempt, 0.5)).await;
            }
            other => return other,
        }
    }
}
