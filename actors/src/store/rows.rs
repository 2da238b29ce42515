//! A document's chunks as rows: many in one statement, from one array per column.
//!
//! Measured against one pipelined statement per chunk, all indexes included: see docs/BENCHMARKS.md.
//! `COPY` is not to be had: PostgreSQL refuses it to a role that row-level security binds.

use super::error::StoreError;
use super::lexical::Entry;
use super::publish::NewChunk;
use deadpool_postgres::Transaction;
use pgvector::{HalfVector, SparseVector};
use serde_json::Value;

/// Rows of one statement.
const BATCH: usize = 256;

/// Keys come as one array, since arrays of arrays have one length: each row says where its own begin and end.
const INSERT: &str = "
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($5::int[], $6::text[], $7::int[], $8::int[], $9::jsonb[], $10::int[], $11::bytea[],
                         $12::jsonb[], $13::halfvec[], $14::int[], $15::sparsevec[], $16::int[], $17::int[], $19::int[], $20::int[])
    AS r(ordinal, text, span_start, span_end, headings, tokens, content_hash, place, embedding, length, impacts,
         first_key, last_key, match_start, match_end)),
c AS (
    INSERT INTO chunks (tenant_id, collection_id, document_id, ordinal, text, span_start, span_end, headings, tokens,
                        content_hash, place, match_start, match_end)
    SELECT $1, $2, $3, ordinal, text, span_start, span_end, headings, tokens, content_hash, place, match_start,
           match_end FROM given
    RETURNING chunk_id, ordinal),
e AS (
    INSERT INTO embeddings (tenant_id, space_id, chunk_id, collection_id, embedding)
    SELECT $1, $4, chunk_id, $2, embedding FROM c JOIN given USING (ordinal))
INSERT INTO lexical_chunks (tenant_id, chunk_id, collection_id, length, keys, impacts)
SELECT $1, chunk_id, $2, length, ($18::bigint[])[first_key:last_key], impacts FROM c JOIN given USING (ordinal)";

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
    embeddings: Vec<HalfVector>,
    lengths: Vec<i32>,
    impacts: Vec<&'a SparseVector>,
    first_keys: Vec<i32>,
    last_keys: Vec<i32>,
    keys: Vec<i64>,
    match_starts: Vec<Option<i32>>,
    match_ends: Vec<Option<i32>>,
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
        self.embeddings.push(HalfVector::from_f32_slice(&chunk.embedding));
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

/// Inserts a document's chunks with their embeddings and index entries, in order.
pub(super) async fn insert(
    transaction: &Transaction<'_>,
    [tenant, collection, document, space]: [i64; 4],
    rows: &[(NewChunk, Entry)],
) -> Result<(), StoreError> {
    let statement = transaction.prepare_cached(INSERT).await?;
    for (batch, rows) in rows.chunks(BATCH).enumerate() {
        let mut of = Columns::default();
        for (at, (chunk, entry)) in rows.iter().enumerate() {
            of.add(batch * BATCH + at, chunk, entry);
        }
        transaction
            .execute(
                &statement,
                &[
                    &tenant,
                    &collection,
                    &document,
                    &space,
                    &of.ordinals,
                    &of.texts,
                    &of.starts,
                    &of.ends,
                    &of.headings,
                    &of.tokens,
                    &of.hashes,
                    &of.places,
                    &of.embeddings,
                    &of.lengths,
                    &of.impacts,
                    &of.first_keys,
                    &of.last_keys,
                    &of.keys,
                    &of.match_starts,
                    &of.match_ends,
                ],
            )
            .await?;
    }
    Ok(())
}
