use super::Interrupt;
use super::lab::Lab;
use super::source::Source;
use crate::cli::beir::Entry;
use crate::cli::client::Client;
use crate::cli::ingest::progress;
use crate::cli::{Global, out};
use crate::config::Settings;
use crate::rag::ingest::embedded_texts;
use anyhow::{Result, bail};
use clap::Args;
use mcp_rag_actors::embedder::EmbedderHandle;
use mcp_rag_actors::store::{Chunking, Collection, CollectionId, DocumentId, WaitingDocument};
use mcp_rag_actors::supervise::Tree;
use reqwest::Method;
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

pub(super) const COLLECTION: &str = "mcp-rag-bench";
/// Documents per request.
const BATCH: usize = 500;
const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(in crate::cli) struct Ingest {
    /// A set in BEIR layout. Without it: the documents here.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Only so many of its documents.
    #[arg(long)]
    documents: Option<usize>,
}

struct Times {
    alone: Duration,
    whole: Duration,
    chunks: usize,
    tokens: usize,
}

impl Ingest {
    pub(super) async fn run(
        self,
        global: &Global,
        mut settings: Settings,
        interrupt: &mut Interrupt,
    ) -> Result<()> {
        let _scratch = super::scratch(&mut settings, None)?;
        let mut source = Source::read(self.corpus.as_deref())?;
        source.documents.truncate(self.documents.unwrap_or(usize::MAX));
        let times = measure(global, &settings, &source, interrupt).await?;
        print(global.json, &source, &times);
        Ok(())
    }
}

async fn measure(
    global: &Global,
    settings: &Settings,
    source: &Source,
    interrupt: &mut Interrupt,
) -> Result<Times> {
    let tree = Tree::default();
    let alone = interrupt.or(alone(&tree, settings, source)).await;
    tree.stop(GRACE).await;
    let (alone, chunks, tokens) = alone?;
    let client = Client::open(global, settings.clone()).await?;
    let whole = interrupt.or(whole(&client, source)).await;
    client.close().await;
    Ok(Times { alone, whole: whole?, chunks, tokens })
}

/// The embedder with all its threads, and nothing else, on the chunks that ingest makes.
async fn alone(tree: &Tree, settings: &Settings, source: &Source) -> Result<(Duration, usize, usize)> {
    let embedder = EmbedderHandle::start(tree, "embedder", &settings.embedder).await?;
    let tokenizer = embedder.tokenizer();
    let mut texts = Vec::new();
    let collection = defaults();
    for document in &source.documents {
        let waiting = waiting(document);
        texts.extend(embedded_texts(&waiting, &collection, tokenizer).map_err(anyhow::Error::msg)?);
    }
    let tokens = texts.iter().map(|text| tokenizer.encode(text).len()).sum();
    let bar = progress(texts.len() as u64, "chunks embedded");
    let began = Instant::now();
    Lab::embed(&embedder, &texts, |count| bar.inc(count)).await?;
    let took = began.elapsed();
    bar.finish_and_clear();
    Ok((took, texts.len(), tokens))
}

/// A collection as the API makes it when nothing is said.
fn defaults() -> Collection {
    Collection {
        id: CollectionId(0),
        name: COLLECTION.to_owned(),
        description: String::new(),
        metadata: json!({}),
        language: "en".to_owned(),
        chunking: Chunking::default(),
        epoch: 0,
        documents: 0,
        chunks: 0,
        created_at: OffsetDateTime::UNIX_EPOCH,
        restricted: false,
        updated_at: OffsetDateTime::UNIX_EPOCH,
    }
}

fn waiting(document: &Entry) -> WaitingDocument {
    WaitingDocument {
        id: DocumentId(0),
        collection: CollectionId(0),
        version: 1,
        title: document.title.clone(),
        media_type: "text/plain".to_owned(),
        raw: document.text.clone().into_bytes(),
    }
}

/// From the first request until the last document is searchable.
pub(super) async fn whole(client: &Client, source: &Source) -> Result<Duration> {
    client.ensure_collection(COLLECTION).await?;
    let path = format!("/v1/collections/{COLLECTION}/documents");
    let bar = progress(source.documents.len() as u64, "documents ingested");
    let began = Instant::now();
    let mut jobs = Vec::new();
    for batch in source.documents.chunks(BATCH) {
        let line = |entry: &Entry| {
            json!({"external_id": entry.id, "title": entry.title, "text": entry.text}).to_string()
        };
        let body = batch.iter().map(line).collect::<Vec<_>>().join("\n");
        let receipt = client.bytes(Method::POST, &path, "application/x-ndjson", body.into_bytes()).await?;
        jobs.extend(receipt["job"].as_str().map(str::to_owned));
    }
    for job in jobs {
        let before = bar.position();
        let state = client.follow(&job, |done, _| bar.set_position(before + done)).await?;
        if state["progress"]["failed"].as_u64() != Some(0) {
            bail!("some documents could not be ingested: {}", state["error"]);
        }
    }
    let took = began.elapsed();
    bar.finish_and_clear();
    Ok(took)
}

fn print(as_json: bool, source: &Source, times: &Times) {
    let Times { alone, whole, chunks, tokens } = times;
    let (alone, whole) = (alone.as_secs_f64(), whole.as_secs_f64());
    let (documents, tokens) = (source.documents.len(), *tokens as f64);
    let share = alone / whole;
    if as_json {
        let report = json!({
            "source": source.name, "documents": documents, "chunks": chunks, "tokens": tokens,
            "embedder_alone_s": alone, "whole_ingest_s": whole, "share": share,
        });
        out(&format!("{report:#}"));
        return;
    }
    out(&format!("{}: {documents} documents, {chunks} chunks, {tokens:.0} tokens", source.name));
    out(&format!("{:16} {:>8} {:>9} {:>10} {:>10}", "", "seconds", "docs/s", "chunks/s", "tokens/s"));
    for (name, seconds) in [("embedder alone", alone), ("whole ingest", whole)] {
        let per = |count: f64| count / seconds;
        out(&format!(
            "{name:16} {seconds:>8.1} {:>9.1} {:>10.1} {:>10.0}",
            per(documents as f64),
            per(*chunks as f64),
            per(tokens)
        ));
    }
    out(&format!("share of the embedder's speed: {share:.3}"));
}
