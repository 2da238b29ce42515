//! Loading by `COPY`, the HNSW index built afterwards. Only what a dense search under a filter reads is filled.

use super::super::lab::{Lab, STEP};
use super::super::load::TENANT;
use super::super::pgbench::{psql, vacuum};
use super::super::synthetic::Recipe;
use super::SELECTIONS;
use crate::cli::ingest::progress;
use anyhow::{Context, Result};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{Chunking, CreateCollection, EnsureSpace};
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

const OWNER: &str = "mcp_rag_owner";

/// A collection of the recipe's first `chunks`, each a document of its own whose external id is its number.
pub(super) async fn load(
    lab: &Lab,
    name: &str,
    recipe: &Recipe,
    chunks: usize,
    scratch: &Path,
) -> Result<()> {
    let create = CreateCollection {
        tenant: TENANT,
        name: name.to_owned(),
        description: String::new(),
        metadata: serde_json::json!({}),
        language: "en".to_owned(),
        chunking: Chunking::default(),
    };
    let collection = lab.store.call(create, Deadline::within(STEP)).await?.id;
    let ensure = EnsureSpace { tenant: TENANT, spec: lab.spec.clone() };
    lab.store.call(ensure, Deadline::within(STEP)).await?;
    let owner = async |sql: &str| psql(&lab.tools, OWNER, &["-qAt", "-c", sql]).await;
    let space: i64 = owner("SELECT max(space_id) FROM embedding_spaces").await?.trim().parse()?;
    let index =
        owner(&format!("SELECT indexdef FROM pg_indexes WHERE indexname = 'embeddings_hnsw_{space}'"))
            .await?;
    owner(&format!("DROP INDEX embeddings_hnsw_{space}")).await?;

    let collection = collection.0;
    let bar = progress(chunks as u64, "chunks written");
    let tables = [
        (
            "documents",
            "tenant_id, document_id, collection_id, external_id, published_version, status, media_type, attributes, chunks",
        ),
        (
            "chunks",
            "tenant_id, chunk_id, collection_id, document_id, ordinal, text, span_start, span_end, headings, tokens, content_hash",
        ),
        ("embeddings", "tenant_id, space_id, chunk_id, collection_id, document_id, embedding"),
    ];
    let file = |table: &str| scratch.join(format!("{table}.copy"));
    let create = |(table, _): &(&str, &str)| Ok(std::io::BufWriter::new(std::fs::File::create(file(table))?));
    let mut files: Vec<_> = tables.iter().map(create).collect::<std::io::Result<_>>()?;
    for n in 0..chunks {
        let chunk = recipe.chunk(n);
        let text = recipe.text(&chunk).replace('\\', "\\\\");
        let attributes: Map<String, Value> =
            SELECTIONS.iter().map(|of| (of.key.to_owned(), Value::from(n % of.every))).collect();
        let (id, length) = (n + 1, text.len());
        let mut vector = String::from("[");
        for (at, x) in chunk.embedding.iter().enumerate() {
            write!(vector, "{}{x:.5}", if at == 0 { "" } else { "," })?;
        }
        writeln!(
            files[0],
            "1\t{id}\t{collection}\t{n}\t1\tready\ttext/plain\t{}\t1",
            Value::Object(attributes)
        )?;
        writeln!(files[1], "1\t{id}\t{collection}\t{id}\t0\t{text}\t0\t{length}\t[]\t200\t\\\\x{id:016x}")?;
        writeln!(files[2], "1\t{space}\t{id}\t{collection}\t{id}\t{vector}]")?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    drop(files);
    let bar = progress(4, "tables and indexes");
    for (table, columns) in tables {
        let copy = format!("\\copy {table} ({columns}) FROM '{}'", file(table).display());
        psql(&lab.tools, OWNER, &["-q", "-c", &copy]).await.context(table)?;
        std::fs::remove_file(file(table))?;
        bar.inc(1);
    }
    owner(&format!(
        "SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 1; {}",
        index.trim()
    ))
    .await?;
    owner(&format!(
        "UPDATE collections SET documents = {chunks}, chunks = {chunks}, epoch = epoch + 1 WHERE collection_id = {collection}"
    ))
    .await?;
    bar.finish_and_clear();
    vacuum(&lab.tools).await
}
