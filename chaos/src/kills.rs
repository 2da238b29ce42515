//! `kill -9` of workers at random moments of one large ingest, a thousand times.
//!
//! Every document must be ready exactly once at the end, with every chunk once; and no text may be embedded twice but those of
//! the batches that a killed worker was at. The embedder is a server over HTTP that counts every text it is given.

use crate::model::{DIMENSIONS, Model, Pace};
use crate::world::{Program, Server, Worker, home};
use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::fmt;
use std::time::{Duration, Instant};
use tokio_postgres::NoTls;

/// Texts of one request to the embedder.
const BATCH: usize = 64;
/// Documents a worker has under way.
const CONCURRENCY: usize = 4;
/// As slow as a real model is, so that there is something to be killed in.
const PACE: Duration = Duration::from_millis(60);
/// Between two kills, at random up to this.
const PAUSE: Duration = Duration::from_millis(500);
/// Documents of one upload; so many are uploaded again when fewer wait.
const UPLOAD: usize = 400;
/// Of every document, so that its texts are told from other questions to the embedder.
const TITLE: &str = "Document ";
const PATIENCE: Duration = Duration::from_secs(600);

pub struct Kills {
    pub kills: usize,
    pub workers: usize,
}

#[derive(Debug)]
pub struct Verdict {
    kills: usize,
    seconds: f64,
    documents: usize,
    ready: i64,
    chunks: i64,
    /// Texts that differ: a chunk each.
    texts: usize,
    twice: usize,
    /// Rows that contradict each other.
    wrong: i64,
    left: i64,
}

impl Verdict {
    fn bound(&self) -> usize {
        self.kills * CONCURRENCY * BATCH
    }

    #[must_use]
    pub fn holds(&self) -> bool {
        let whole = self.ready == self.documents as i64 && self.chunks == self.texts as i64;
        whole && self.wrong == 0 && self.left == 0 && self.twice <= self.bound()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| kills | documents | ready | chunks | texts | embedded twice, per kill | wrong rows | tasks left |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        let per_kill = self.twice as f64 / self.kills as f64;
        writeln!(
            f,
            "| {} in {:.0} s | {} | {} | {} | {} | {} ({per_kill:.1}; under way: up to {}) | {} | {} |",
            self.kills,
            self.seconds,
            self.documents,
            self.ready,
            self.chunks,
            self.texts,
            self.twice,
            CONCURRENCY * BATCH,
            self.wrong,
            self.left
        )?;
        write!(f, "{}", if self.holds() { "holds" } else { "DOES NOT HOLD" })
    }
}

pub async fn run(program: &Program, kills: &Kills) -> Result<Verdict> {
    let model = Model::paced(Pace { embeddings: PACE, ..Pace::default() });
    let sets: Vec<(String, String)> = [
        ("embedder.kind", "openai".to_owned()),
        ("embedder.base_url", model.url()),
        ("embedder.model", "hashed-words".to_owned()),
        ("embedder.dimensions", DIMENSIONS.to_string()),
        ("ingest.concurrency", CONCURRENCY.to_string()),
        ("ingest.lease_ms", "1500".to_owned()),
        // A long document may be under way at many kills.
        ("ingest.max_attempts", "100000".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    let mut served = sets.clone();
    served.push(("ingest.worker".to_owned(), "false".to_owned()));
    let server = Server::start(program, home()?, served, Vec::new()).await?;
    // The library makes a client only once the process has chosen a TLS implementation.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build()?;
    let api = server.api.clone();
    let created = http.post(format!("{api}/v1/collections")).json(&json!({"name": "large"})).send().await?;
    ensure!(created.status().is_success(), "no collection: {}", created.status());
    let mut documents = upload(&http, &api, 0).await?;
    let mut workers = Vec::new();
    for _ in 0..kills.workers {
        workers.push(Worker::start(program, &server, &sets)?);
    }
    let database = database(&server).await?;
    let bar = ProgressBar::new(kills.kills as u64);
    bar.set_style(ProgressStyle::with_template(
        "{bar:32} {pos}/{len} kills  {elapsed} (left: {eta})  {msg}",
    )?);
    let began = Instant::now();
    for kill in 0..kills.kills {
        tokio::time::sleep(PAUSE.mul_f64(fastrand::f64())).await;
        let one = fastrand::usize(..workers.len());
        let fresh = Worker::start(program, &server, &sets)?;
        std::mem::replace(&mut workers[one], fresh).kill()?;
        bar.inc(1);
        if kill % 10 == 0 {
            let waiting = number(&database, "SELECT count(*) FROM tasks").await?;
            bar.set_message(format!("{documents} documents, {waiting} wait"));
            if waiting < UPLOAD as i64 {
                documents += upload(&http, &api, documents).await?;
            }
        }
    }
    bar.finish_and_clear();
    let seconds = began.elapsed().as_secs_f64();
    let deadline = Instant::now() + PATIENCE;
    while number(&database, "SELECT count(*) FROM tasks").await? > 0 {
        if Instant::now() > deadline {
            bail!("the rest is not done in time");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (texts, all) = model.embedded(TITLE);
    Ok(Verdict {
        kills: kills.kills,
        seconds,
        documents,
        ready: number(
            &database,
            "SELECT count(*) FROM documents WHERE status = 'ready' AND version = published_version",
        )
        .await?,
        chunks: number(&database, "SELECT count(*) FROM chunks").await?,
        texts,
        twice: all - texts,
        wrong: number(&database, WRONG).await?,
        left: number(
            &database,
            "SELECT (SELECT count(*) FROM tasks) + (SELECT count(*) FROM staged_embeddings)",
        )
        .await?,
    })
}

/// Counters that disagree with what they count, chunks without their vector or terms, and jobs without their end.
const WRONG: &str = "SELECT
    (SELECT count(*) FROM collections c WHERE (documents, chunks) IS DISTINCT FROM (
        (SELECT count(*) FROM documents d WHERE d.collection_id = c.collection_id),
        (SELECT count(*) FROM chunks k WHERE k.collection_id = c.collection_id)))
  + (SELECT count(*) FROM chunks k FULL JOIN embeddings e USING (tenant_id, chunk_id)
        FULL JOIN lexical_chunks l USING (tenant_id, chunk_id)
        WHERE k.chunk_id IS NULL OR e.chunk_id IS NULL OR l.chunk_id IS NULL)
  + (SELECT count(*) FROM documents d WHERE d.chunks <> (SELECT count(*) FROM chunks k WHERE k.document_id = d.document_id))
  + (SELECT count(*) FROM jobs WHERE status <> 'succeeded' OR failed <> 0)";

/// Most documents are short, some take several batches; no two texts are alike.
async fn upload(http: &reqwest::Client, api: &str, first: usize) -> Result<usize> {
    let document = |n: usize| {
        let parts = if n % 100 == 7 { 260 } else { 1 + n % 5 };
        let part = |part: usize| {
            let words: Vec<String> =
                (0..60).map(|word| format!("w{}", (n * 31 + part * 17 + word * 7) % 5000)).collect();
            format!("## Part {part} of {n}\n\n{}.", words.join(" "))
        };
        let text = (0..parts).map(part).collect::<Vec<_>>().join("\n\n");
        json!({"external_id": format!("document-{n}"), "title": format!("{TITLE}{n}"), "media_type": "text/markdown", "text": text})
    };
    let lines: Vec<String> = (first..first + UPLOAD).map(|n| document(n).to_string()).collect();
    let url = format!("{api}/v1/collections/large/documents");
    let sent =
        http.post(url).header("content-type", "application/x-ndjson").body(lines.join("\n")).send().await?;
    let receipt: Value = sent.json().await?;
    ensure!(receipt["accepted"] == json!(UPLOAD), "not all was accepted: {receipt}");
    Ok(UPLOAD)
}

async fn database(server: &Server) -> Result<tokio_postgres::Client> {
    let mut config = tokio_postgres::Config::new();
    config.host_path(server.socket_dir().context("no database")?).user("mcp_rag_owner").dbname("mcp_rag");
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn number(database: &tokio_postgres::Client, sql: &str) -> Result<i64> {
    Ok(database.query_one(sql, &[]).await?.get(0))
}
