//! One task, from its lease to its end.

use super::embed::embed;
use super::notify::notify;
use super::prepare::{prepare, read, read_reply};
use super::situate::{Situated, situate};
use super::spaces;
use super::worker::STEP;
use crate::error::{Code, Error};
use crate::rag::{Caller, Rag};
use mcp_rag_actors::parser::ParserError;
use mcp_rag_actors::remote::ModelError;
use mcp_rag_actors::resilience::{Backoff, Deadline};
use mcp_rag_actors::store::{
    ChunkContext, Claim, Collection, EndTask, FailBuild, PublishDocument, Published, PutOff, Task,
    WaitingDocument, Work,
};
use mcp_rag_actors::trace::TARGET;
use mcp_rag_text::parse::MediaType;
use std::sync::Arc;
use std::time::Duration;
use tracing::{Instrument, info_span};

/// A statement whose work is already paid for is tried again for minutes.
const ATTEMPTS: u32 = 40;
/// How often the active space may change while a document is embedded.
const SPACE_CHANGES: usize = 5;
/// Text formats too are read in a process apart from this length on: so much can need much.
const APART: usize = 256 << 10;
/// On top of a step's time, for each chunk that is written.
const CHUNK: Duration = Duration::from_millis(20);
/// Waiting for a process included.
const PARSE: Duration = Duration::from_secs(3600);
/// Of a long document, until it asks for room again.
const MOST_PAUSE: Duration = Duration::from_secs(60);
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(10) };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// Something it needs is away.
    PutOff,
    /// Something that only some documents need is away, or too many long ones are under way: the worker goes on with
    /// others.
    Later,
    /// The end of a job was written.
    Finished,
}

/// Why a document is not searchable.
enum Failure {
    /// It can never be; the reason is for the client.
    Document(String),
    /// Something it needs is away.
    Away(Error),
    /// A chat model that is to situate its chunks is away.
    Unsituated(ModelError),
    /// There is no room for one as long as this.
    Long,
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

/// # Cancel safety
/// Dropped at any point, nothing is half done: what is left is the lease, and embeddings to go on from.
pub(super) async fn carry_out(rag: &Rag, task: Task) -> Outcome {
    let Task { claim, work, attempts, put_offs, age } = task;
    let limits = rag.settings().ingest.clone();
    match work {
        Work::Nothing => end(rag, claim, None).await,
        Work::Webhook(url) => match notify(rag, &claim, url, attempts + put_offs).await {
            Some(pause) => put_off(rag, claim, pause).await,
            None => end(rag, claim, None).await,
        },
        Work::Build(part) => {
            let done = spaces::build(rag, &claim, part).await;
            of_space(rag, claim, done, put_offs, age).await
        }
        Work::Remove(space) => {
            let done = spaces::remove(rag, &claim, &space).await;
            of_space(rag, claim, done, put_offs, age).await
        }
        Work::Ingest(_) if attempts > limits.max_attempts => {
            let reason = format!("given up after {} workers were lost at it", limits.max_attempts);
            fail(rag, claim, reason).await
        }
        Work::Ingest(document) => {
            let id = document.id;
            match ingest(rag, &claim, document, age).await {
                Ok(()) => {
                    rag.catalog.forget();
                    count("ready");
                    Outcome::Done
                }
                Err(Failure::Document(reason)) => fail(rag, claim, reason).await,
                Err(Failure::Unsituated(error)) => {
                    tracing::info!(%error, document = %id, "waits for the chat model that situates its chunks");
                    count("put_off");
                    put_off(rag, claim, BACKOFF.delay(u32::try_from(put_offs).unwrap_or(0) + 1, 0.5)).await;
                    Outcome::Later
                }
                Err(Failure::Long) => {
                    count("waits");
                    let pause =
                        Duration::from_secs(u64::try_from(put_offs).unwrap_or(0).saturating_add(1) * 5);
                    put_off(rag, claim, pause.min(MOST_PAUSE)).await;
                    Outcome::Later
                }
                Err(Failure::Away(error)) if age >= Duration::from_millis(limits.give_up_after_ms) => {
                    fail(rag, claim, format!("given up after {} hours: {error}", age.as_secs() / 3600)).await
                }
                Err(Failure::Away(error)) => {
                    tracing::warn!(code = error.code.as_str(), document = %id, "put off: a dependency is away");
                    count("put_off");
                    put_off(rag, claim, BACKOFF.delay(u32::try_from(put_offs).unwrap_or(0) + 1, 0.5)).await
                }
            }
        }
    }
}

/// How a task on a space ends that has ended itself, or could not.
async fn of_space(rag: &Rag, claim: Claim, done: Result<(), Error>, put_offs: i32, age: Duration) -> Outcome {
    let Err(error) = done else {
        rag.catalog.forget();
        return Outcome::Done;
    };
    let patient = age < Duration::from_millis(rag.settings().ingest.give_up_after_ms);
    if error.is_temporary() && patient {
        tracing::warn!(%error, job = %claim.job, "work on an embedding space is put off");
        let pause = BACKOFF.delay(u32::try_from(put_offs).unwrap_or(0) + 1, 0.5);
        put_off(rag, claim, pause).await;
        return Outcome::Later;
    }
    tracing::error!(%error, cause = error.cause, job = %claim.job, "work on an embedding space is given up");
    let fail = FailBuild { claim, reason: error.to_string() };
    if let Err(error) = persist(|| rag.all.call(fail.clone(), Deadline::within(STEP))).await {
        tracing::warn!(%error, "a task that has failed is done again");
    }
    Outcome::Done
}

fn count(outcome: &'static str) {
    metrics::counter!("mcp_rag_ingested_documents_total", "outcome" => outcome).increment(1);
}

async fn fail(rag: &Rag, claim: Claim, reason: String) -> Outcome {
    count("failed");
    end(rag, claim, Some(reason)).await
}

async fn end(rag: &Rag, claim: Claim, failed: Option<String>) -> Outcome {
    let end = EndTask { claim, failed };
    if let Err(error) = persist(|| rag.all.call(end.clone(), Deadline::within(STEP))).await {
        tracing::warn!(%error, task = %end.claim.task, "a task that has ended is done again");
    }
    Outcome::Done
}

async fn put_off(rag: &Rag, claim: Claim, pause: Duration) -> Outcome {
    let put_off = PutOff { claim, pause };
    if let Err(error) = persist(|| rag.all.call(put_off.clone(), Deadline::within(STEP))).await {
        tracing::warn!(%error, task = %put_off.claim.task, "a lease runs out by itself");
    }
    Outcome::PutOff
}

/// Publishes one document, or says why not.
async fn ingest(
    rag: &Rag,
    claim: &Claim,
    mut document: WaitingDocument,
    age: Duration,
) -> Result<(), Failure> {
    let reply = read_apart(rag, &mut document).await?;
    let (id, version) = (document.id, document.version);
    let collection = persist(|| collection_of(rag, claim, &document)).await?;
    let home = collection.id;
    let tokenizer = rag.embedder.tokenizer().clone();
    let chunking = claim.chunking;
    // What follows needs memory as the text is long.
    let length = reply.as_ref().map_or(document.raw.len(), Vec::len);
    let _place = rag.room.enter(length).await.ok_or(Failure::Long)?;
    // A thread that may block or panic without hurting anyone else's work.
    let prepared = tokio::task::spawn_blocking(move || {
        let parsed = reply.map_or_else(|| read(&document), |reply| read_reply(&reply))?;
        prepare(&document, parsed, &collection, chunking, &tokenizer)
    });
    let prepared = prepared.instrument(info_span!(target: TARGET, "prepare", document = %id)).await;
    let mut prepared = match prepared {
        Ok(prepared) => prepared?,
        Err(_) => return Err(Failure::Document("the parser crashed on this document".to_owned())),
    };
    tracing::debug!(document = %id, chunks = prepared.chunks.len(), "prepared");
    let mut warnings = Vec::new();
    if chunking.context == ChunkContext::Llm {
        let situated = situate(rag, claim, id, age, &mut prepared);
        match situated.instrument(info_span!(target: TARGET, "situate")).await? {
            Situated::Ready(lacks) => warnings = lacks,
            Situated::Later(error) => return Err(Failure::Unsituated(error)),
        }
    }
    for _ in 0..SPACE_CHANGES {
        let embedding = embed(rag, claim, id, &mut prepared);
        let spaces = embedding.instrument(info_span!(target: TARGET, "embed")).await?;
        let chunks = Arc::new(std::mem::take(&mut prepared.chunks));
        let within = STEP + CHUNK * u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        let publish = || {
            let publish = PublishDocument {
                claim: claim.clone(),
                collection: home,
                document: id,
                version,
                title: prepared.title.clone(),
                text: prepared.text.clone(),
                chunks: Arc::clone(&chunks),
                warnings: warnings.clone(),
                spaces: spaces.clone(),
            };
            rag.all.call(publish, Deadline::within(within))
        };
        let published = persist(publish).instrument(info_span!(target: TARGET, "publish")).await;
        if matches!(published, Ok(Published::SpaceChanged)) {
            // What is embedded already was for the space before.
            prepared.chunks = Arc::try_unwrap(chunks).unwrap_or_else(|chunks| (*chunks).clone());
            rag.catalog.forget();
            continue;
        }
        // A long document's chunks are millions of strings; to let go of them takes a while too.
        tokio::task::spawn_blocking(move || drop(chunks));
        if published? == Published::Unwanted {
            tracing::info!(document = %id, "superseded, cancelled or taken over meanwhile");
            end(rag, claim.clone(), None).await; // nothing is left to do for whoever holds it
        }
        return Ok(());
    }
    Err(Failure::Away(Error::new(Code::Unavailable, "the embedding spaces keep changing")))
}

/// Has a document of a harmful format, or a long one, read by a process of its own: its reply. Any other is read later,
/// and here.
async fn read_apart(rag: &Rag, document: &mut WaitingDocument) -> Result<Option<Vec<u8>>, Failure> {
    let harmful = document.media_type.parse::<MediaType>().is_ok_and(MediaType::is_harmful);
    if !harmful && document.raw.len() <= APART {
        return Ok(None);
    }
    // A harmful one's text is never the raw bytes, so they are not needed any more.
    let raw = if harmful { std::mem::take(&mut document.raw) } else { document.raw.clone() };
    let span = info_span!(target: TARGET, "parse", document = %document.id);
    let reply = rag.parser.parse(&document.media_type, raw, Deadline::within(PARSE)).instrument(span).await;
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(ParserError::Call(error)) => Err(Failure::Away(Error::from(error))),
        Err(error @ ParserError::Start(_)) => {
            Err(Failure::Away(Error::new(Code::Unavailable, error.to_string())))
        }
        Err(error @ (ParserError::Slow(_) | ParserError::Died { .. })) => {
            Err(Failure::Document(error.to_string()))
        }
    }
}

async fn collection_of(rag: &Rag, claim: &Claim, document: &WaitingDocument) -> Result<Collection, Error> {
    let caller = Caller::server(claim.tenant, Deadline::within(STEP));
    let all = rag.catalog.all(&caller).await?;
    if let Some(found) = all.iter().find(|collection| collection.id == document.collection) {
        return Ok(found.clone());
    }
    // Created by another replica a moment ago: look again, past what is remembered.
    rag.catalog.forget();
    let all = rag.catalog.all(&caller).await?;
    let found = all.iter().find(|collection| collection.id == document.collection);
    found.cloned().ok_or_else(|| Error::not_found("collection"))
}

/// Repeats an idempotent step while what it needs is away.
pub(super) async fn persist<T, E, F, R>(step: F) -> Result<T, Error>
where
    F: Fn() -> R,
    R: Future<Output = Result<T, E>>,
    Error: From<E>,
{
    repeat(ATTEMPTS, step).await
}

pub(super) async fn repeat<T, E, F, R>(attempts: u32, step: F) -> Result<T, Error>
where
    F: Fn() -> R,
    R: Future<Output = Result<T, E>>,
    Error: From<E>,
{
    let mut attempt = 0;
    loop {
        match step().await.map_err(Error::from) {
            Err(error) if error.is_temporary() && attempt < attempts => {
                attempt += 1;
                tracing::debug!(code = error.code.as_str(), attempt, "a step of an ingest is tried again");
                tokio::time::sleep(BACKOFF.delay(attempt, 0.5)).await;
            }
            other => return other,
        }
    }
}
