//! A document's chunks as rows: many in one statement, from one array per column.
//!
//! Measured against one pipelined statement per chunk, all indexes included: see docs/BENCHMARKS.md.
//! `COPY` is not to be had: PostgreSQL refuses it to a role that row-level security binds.

use super::error::StoreError;
use super::ids::CollectionId;
use super::lexical::Entry;
use super::publish::NewChunk;
use super::space::Space;
use deadpool_postgres::Transaction;
use pgvector::SparseVector;
use serde_json::Value;
use std::sync::Arc;
use tokio_postgres::types::ToSql;

/// Rows of one statement, and in memory at once.
pub(super) const BATCH: usize = 256;

/// What comes before the first space's parameters.
const COMMON: usize = 21;

/// Keys come as one array, since arrays of arrays have one length: each row says where its own begin and end. The text
/// depends on how many spaces of which storage there are.
fn statement(into: &[(usize, Arc<Space>)]) -> String {
    let embeddings: String = into
        .iter()
        .enumerate()
        .map(|(at, (_, space))| {
            let storage = space.spec.storage;
            let (id, vectors) = (COMMON + 1 + 2 * at, COMMON + 2 + 2 * at);
            format!(
                "e{at} AS (INSERT INTO embeddings (tenant_id, space_id, chunk_id, collection_id, document_id, restricted, {}) \
                 SELECT $1, ${id}::bigint, chunk_id, $2, $3, $21, v.vector FROM c \
                 JOIN unnest($4::int[], ${vectors}::{}[]) AS v(ordinal, vector) USING (ordinal)), ",
                storage.column(),
                storage.sql_type()
            )
        })
        .collect();
    format!(
        "WITH given AS MATERIALIZED ( \
             SELECT * FROM unnest($4::int[], $5::text[], $6::int[], $7::int[], $8::jsonb[], $9::int[], $10::bytea[], \
                 $11::jsonb[], $12::int[], $13::sparsevec[], $14::int[], $15::int[], $17::int[], $18::int[], $19::text[], \
                 $20::text[]) \
             AS r(ordinal, text, span_start, span_end, headings, tokens, content_hash, place, length, impacts, \
                 first_key, last_key, match_start, match_end, embedded_prefix, embedded_text)), \
         c AS (INSERT INTO chunks (tenant_id, collection_id, document_id, ordinal, text, span_start, span_end, headings, \
                 tokens, content_hash, place, match_start, match_end, embedded_prefix, embedded_text, restricted) \
             SELECT $1, $2, $3, ordinal, text, span_start, span_end, headings, tokens, content_hash, place, match_start, \
                 match_end, embedded_prefix, embedded_text, $21 FROM given RETURNING chunk_id, ordinal), \
         {embeddings} \
         k AS (SELECT chunk_id, ordinal FROM c) \
         INSERT INTO lexical_chunks (tenant_id, chunk_id, collection_id, length, keys, impacts) \
         SELECT $1, chunk_id, $2, length, ($16::bigint[])[first_key:last_key], impacts FROM k JOIN given USING (ordinal)"
    )
}

#[derive(Default)]
struct Columns<'a> {
    ordinals: Vec<i32>,
    texts: Vec<&'a str>,
    starts: Vec<i32>,
    ends: Vec<i32>,
    headings: Vec<Value>,
    tokens: Vec<i32>,
    hashes: Vec<&'a [u8]>,
    places: Vec<Option<&'a Value>>,
    lengths: Vec<i32>,
    impacts: Vec<&'a SparseVector>,
    first_keys: Vec<i32>,
    last_keys: Vec<i32>,
    keys: Vec<i64>,
    match_starts: Vec<Option<i32>>,
    match_ends: Vec<Option<i32>>,
    prefixes: Vec<Option<&'a str>>,
    others: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    fn add(&mut self, ordinal: usize, chunk: &'a NewChunk, entry: &'a Entry) {
        let number = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
        self.ordinals.push(number(ordinal));
        self.texts.push(&chunk.text);
        self.starts.push(chunk.span.0);
        self.ends.push(chunk.span.1);
        self.headings.push(Value::from(chunk.headings.clone()));
        self.tokens.push(chunk.tokens);
        self.hashes.push(&chunk.content_hash);
        self.places.push(chunk.place.as_ref());
        let (prefix, other) = chunk.embedded();
        self.prefixes.push(prefix);
        self.others.push(other);
        self.match_starts.push(chunk.matched.map(|matched| matched.0));
        self.match_ends.push(chunk.matched.map(|matched| matched.1));
        self.lengths.push(entry.length);
        self.impacts.push(&entry.impacts);
        // From 1, as the array is; an empty slice where there are none.
        self.first_keys.push(number(self.keys.len() + 1));
        self.keys.extend(&entry.keys);
        self.last_keys.push(number(self.keys.len()));
    }
}

/// What the lexical index has of a batch of chunks, made on another thread: the store's own answers for everything else.
pub(super) async fn entries(
    collection: CollectionId,
    chunks: &Arc<Vec<NewChunk>>,
    start: usize,
) -> Result<Vec<Entry>, StoreError> {
    let chunks = Arc::clone(chunks);
    let make = move || {
        let batch = chunks.iter().skip(start).take(BATCH);
        batch.map(|chunk| Entry::new(collection, &chunk.terms, chunk.length)).collect()
    };
    tokio::task::spawn_blocking(make)
        .await
        .map_err(|_| StoreError::Internal("the index entries were not made".to_owned()))
}

/// Inserts a batch of a document's chunks, the first being its `start`th, with their embeddings and index entries;
/// `restricted` where the document is not everyone's.
pub(super) async fn insert(
    transaction: &Transaction<'_>,
    [tenant, collection, document]: [i64; 3],
    restricted: bool,
    into: &[(usize, Arc<Space>)],
    start: usize,
    chunks: &[NewChunk],
    entries: &[Entry],
) -> Result<(), StoreError> {
    let statement = transaction.prepare_cached(&statement(into)).await?;
    let mut of = Columns::default();
    for (at, (chunk, entry)) in chunks.iter().zip(entries).enumerate() {
        of.add(start + at, chunk, entry);
    }
    let vectors: Vec<(i64, Box<dyn ToSql + Sync>)> = into
        .iter()
        .map(|(at, space)| {
            let of_space =
                chunks.iter().map(|chunk| chunk.embeddings.get(*at).map_or(&[][..], Vec::as_slice));
            (space.id.0, space.spec.storage.parameters(of_space))
        })
        .collect();
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![
        &tenant,
        &collection,
        &document,
        &of.ordinals,
        &of.texts,
        &of.starts,
        &of.ends,
        &of.headings,
        &of.tokens,
        &of.hashes,
        &of.places,
        &of.lengths,
        &of.impacts,
        &of.first_keys,
        &of.last_keys,
        &of.keys,
        &of.match_starts,
        &of.match_ends,
        &of.prefixes,
        &of.others,
        &restricted,
    ];
    for (id, vectors) in &vectors {
        parameters.push(id);
        parameters.push(vectors.as_ref());
    }
    transaction.execute(&statement, &parameters).await?;
    Ok(())
}
