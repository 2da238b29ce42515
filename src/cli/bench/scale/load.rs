//! Loading by `COPY`, indexes afterwards: what a database of this size costs to build, not what ingest does
//! (`bench ingest` measures that). The originals of the documents are left out.

use super::super::lab::{Lab, STEP, Tools};
use super::super::load::{TENANT, create, made, members};
use super::super::pgbench::{psql, vacuum};
use super::super::synthetic::{PER_DOCUMENT, Recipe};
use crate::cli::ingest::progress;
use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{BulkRows, EnsureSpace, Storage};
use serde::Serialize;
use serde_json::json;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// Whose tables and sequences they are, and who may leave out checks of foreign keys.
const SUPERUSER: &str = "postgres";
/// Documents between two `COPY` statements.
const BATCH: usize = 50;
const LOADERS: usize = 2;

/// Seconds that each part of building took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Built {
    pub(super) rows_s: f64,
    pub(super) vector_index_s: f64,
    pub(super) lexical_index_s: f64,
    pub(super) other_indexes_s: f64,
    pub(super) vacuum_s: f64,
}

impl Built {
    pub(super) fn total(&self) -> f64 {
        self.rows_s + self.vector_index_s + self.lexical_index_s + self.other_indexes_s + self.vacuum_s
    }
}

/// Loads the recipe's first `chunks` into a database that holds nothing yet.
pub(super) async fn load(
    lab: &Lab,
    name: &str,
    signature: &str,
    recipe: &Arc<Recipe>,
    chunks: usize,
) -> Result<Built> {
    let mut built = Built::default();
    let collection = create(lab, name, "").await?;
    let ensure = EnsureSpace { tenant: TENANT, spec: lab.spec.clone() };
    let space = lab.store.call(ensure, Deadline::within(STEP)).await?;
    ensure!(space.spec.storage == Storage::Halfvec, "only spaces of half precision are loaded by COPY");
    let space = space.id.0;
    let indexes = drop_indexes(&lab.tools).await?;

    let began = Instant::now();
    let bar = progress(chunks as u64, "chunks loaded");
    let documents = chunks.div_ceil(PER_DOCUMENT);
    let each = documents.div_ceil(LOADERS);
    let loaders = (0..LOADERS).map(|at| {
        let (recipe, tools, bar) = (Arc::clone(recipe), lab.tools.clone(), bar.clone());
        let range = each * at..documents.min(each * (at + 1));
        let rows = BulkRows::new(TENANT, collection, space);
        tokio::task::spawn_blocking(move || copy(&tools, rows, &recipe, range, chunks, &bar))
    });
    let mut all = BulkRows::new(TENANT, collection, space);
    for loader in loaders.collect::<Vec<_>>() {
        all.merge(loader.await.context("a loader panicked")??);
    }
    let mut ending = all.ending(i64::try_from(documents)?, i64::try_from(chunks)?);
    ending.push_str(&format!(
        "UPDATE collections SET description = '{}' WHERE collection_id = {};\n",
        signature.replace('\'', "''"),
        collection.0
    ));
    let tools = lab.tools.clone();
    tokio::task::spawn_blocking(move || Psql::open(&tools)?.end(&ending)).await??;
    bar.finish_and_clear();
    built.rows_s = began.elapsed().as_secs_f64();

    let bar = progress(indexes.len() as u64 + 1, "indexes and statistics");
    for index in indexes {
        let began = Instant::now();
        bar.set_message(index.method.clone());
        psql(&lab.tools, SUPERUSER, &["-q", "-c", &index.settings(chunks), "-c", &index.definition]).await?;
        let took = began.elapsed().as_secs_f64();
        match index.method.as_str() {
            "hnsw" => built.vector_index_s += took,
            "gin" => built.lexical_index_s += took,
            _ => built.other_indexes_s += took,
        }
        bar.inc(1);
    }
    let began = Instant::now();
    vacuum(&lab.tools).await?;
    built.vacuum_s = began.elapsed().as_secs_f64();
    bar.finish_and_clear();
    Ok(built)
}

struct Index {
    method: String,
    definition: String,
}

impl Index {
    /// An HNSW build that fits in memory is many times faster than one that does not: a vector of 384
    /// dimensions takes about 1.3 KB with its neighbours.
    fn settings(&self, chunks: usize) -> String {
        let megabytes = (chunks * 3 / 2 / 1024).clamp(256, 4096);
        format!(
            "SET maintenance_work_mem = '{megabytes}MB'; SET max_parallel_maintenance_workers = {}",
            std::thread::available_parallelism().map_or(1, usize::from).min(8)
        )
    }
}

/// Drops what can be built again after loading: every index but those of keys.
async fn drop_indexes(tools: &Tools) -> Result<Vec<Index>> {
    const FIND: &str = "SELECT c.relname, m.amname, pg_get_indexdef(i.indexrelid) FROM pg_index i \
        JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam \
        WHERE i.indrelid IN ('documents'::regclass, 'chunks'::regclass, 'embeddings'::regclass, 'lexical_chunks'::regclass) \
        AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid) AND NOT i.indisunique ORDER BY 1";
    let found = psql(tools, SUPERUSER, &["-qAt", "-F", "\t", "-c", FIND]).await?;
    let mut indexes = Vec::new();
    for line in found.lines() {
        let parts: Vec<&str> = line.split('\t').collect();
        let [name, method, definition] = parts[..] else { continue };
        psql(tools, SUPERUSER, &["-q", "-c", &format!("DROP INDEX {name}")]).await?;
        indexes.push(Index { method: method.to_owned(), definition: definition.to_owned() });
    }
    Ok(indexes)
}

fn copy(
    tools: &Tools,
    mut rows: BulkRows,
    recipe: &Recipe,
    documents: Range<usize>,
    chunks: usize,
    bar: &ProgressBar,
) -> Result<BulkRows> {
    let mut psql = Psql::open(tools)?;
    for number in documents.clone() {
        let numbers = members(number, chunks);
        let ids = numbers.clone().map(|n| i64::try_from(n + 1));
        let made: Vec<_> =
            ids.zip(made(recipe, numbers)?).map(|(id, chunk)| Ok((id?, chunk))).collect::<Result<_>>()?;
        // One in ten, in a hundred and in a thousand, for searches with filters.
        let attributes =
            json!({ "tenth": number % 10, "hundredth": number % 100, "thousandth": number % 1_000 });
        rows.add(i64::try_from(number + 1)?, &format!("Synthetic document {number}"), &attributes, &made);
        bar.inc(made.len() as u64);
        if number % BATCH == BATCH - 1 {
            psql.write(&rows.script())?;
        }
    }
    psql.end(&rows.script())?;
    Ok(rows)
}

/// psql with a script on its way to it.
struct Psql(std::process::Child);

impl Psql {
    fn open(tools: &Tools) -> Result<Self> {
        let mut command = std::process::Command::new(tools.bin_dir.join("psql"));
        command.arg("-h").arg(&tools.socket_dir).args(["-p", &tools.port.to_string(), "-U", SUPERUSER]);
        command.args(["-X", "-q", "-d", "mcp_rag", "-v", "ON_ERROR_STOP=1"]);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
        let mut psql = Self(command.stderr(std::process::Stdio::piped()).spawn()?);
        // The rows are consistent by construction.
        psql.write("SET session_replication_role = replica; SET synchronous_commit = off;\n")?;
        Ok(psql)
    }

    fn write(&mut self, script: &str) -> Result<()> {
        let written = self.0.stdin.as_mut().context("psql has ended")?.write_all(script.as_bytes());
        written.context("psql has ended early")
    }

    fn end(mut self, script: &str) -> Result<()> {
        let written = self.write(script);
        drop(self.0.stdin.take());
        let output = self.0.wait_with_output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
        written
    }
}
