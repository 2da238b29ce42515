//! The lexical index's keys, and what is written and read of its statistics. The scheme is described
//! in `migrations/V3__lexical_index.sql`.

use super::Store;
use super::error::StoreError;
use super::ids::{CollectionId, TenantId};
use super::read::Sees;
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use pgvector::SparseVector;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use tokio_postgres::types::ToSql;

const K1: f32 = 1.2;
const B: f32 = 0.75;
/// The chunk length, in terms, for which the first pass is exact; near the default chunk's.
const REFERENCE_LENGTH: f32 = 100.0;
/// The low bits hold the term's count.
const COUNT_MASK: i64 = 63;
const DIMENSIONS: i32 = 536_870_912;

/// A query's term in one collection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TermKey {
    pub(crate) collection: i64,
    pub(crate) base: i64,
    pub(crate) count: f32,
}

impl TermKey {
    #[must_use]
    pub fn of(collection: CollectionId, term: &str, count: u32) -> Self {
        Self {
            collection: collection.0,
            base: base(collection.0, term),
            count: f32::from(u16::try_from(count).unwrap_or(u16::MAX)),
        }
    }
}

/// 58 bits of a hash of collection and term; stable across versions, since it is stored.
fn base(collection: i64, term: &str) -> i64 {
    let digest = Sha256::new().chain_update(collection.to_le_bytes()).chain_update(term).finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    i64::from_le_bytes(bytes) & !COUNT_MASK
}

/// A chunk as `lexical_chunks` stores it.
pub(super) struct Entry {
    pub(super) length: i32,
    pub(super) keys: Vec<i64>,
    pub(super) impacts: SparseVector,
}

impl Entry {
    pub(super) fn new(collection: CollectionId, terms: &[(String, u32)], length: u32) -> Self {
        let norm = K1 * (1.0 - B + B * length as f32 / REFERENCE_LENGTH);
        let mut keys = Vec::with_capacity(terms.len());
        let mut impacts = BTreeMap::new();
        for (term, count) in terms {
            let base = base(collection.0, term);
            keys.push(base | i64::from(*count).min(COUNT_MASK));
            let dimension = i32::try_from((base >> 6) & i64::from(DIMENSIONS - 1)).unwrap_or(0);
            // Two terms may share a dimension; the first pass is only a first pass.
            *impacts.entry(dimension).or_insert(0.0) += *count as f32 / (*count as f32 + norm);
        }
        keys.sort_unstable();
        keys.dedup();
        Self {
            length: i32::try_from(length).unwrap_or(i32::MAX),
            keys,
            impacts: SparseVector::from_map(&impacts, DIMENSIONS),
        }
    }
}

/// Changes of document frequencies by one transaction.
#[derive(Default)]
pub(super) struct Changes(HashMap<i64, i32>);

impl Changes {
    pub(super) fn add(&mut self, keys: impl IntoIterator<Item = i64>, times: i32) {
        for key in keys {
            *self.0.entry(key).or_insert(0) += times;
        }
    }

    /// Written under the collection's lock, so that writers cannot deadlock on terms.
    pub(super) async fn apply(
        self,
        transaction: &deadpool_postgres::Transaction<'_>,
        tenant: i64,
        collection: i64,
    ) -> Result<(), StoreError> {
        let (keys, changes): (Vec<i64>, Vec<i32>) =
            self.0.into_iter().filter(|(_, change)| *change != 0).unzip();
        if keys.is_empty() {
            return Ok(());
        }
        let upsert = transaction
            .prepare_cached(
                "INSERT INTO lexical_terms AS t (tenant_id, collection_id, key, df) \
                 SELECT $1, $2, key, change FROM unnest($3::bigint[], $4::int[]) AS x(key, change) \
                 ON CONFLICT (tenant_id, collection_id, key) DO UPDATE SET df = t.df + excluded.df",
            )
            .await?;
        transaction.execute(&upsert, &[&tenant, &collection, &keys, &changes]).await?;
        if changes.iter().any(|change| *change < 0) {
            let prune = transaction
                .prepare_cached(
                    "DELETE FROM lexical_terms WHERE tenant_id = $1 AND collection_id = $2 AND key = ANY ($3) AND df = 0",
                )
                .await?;
            transaction.execute(&prune, &[&tenant, &collection, &keys]).await?;
        }
        Ok(())
    }
}

/// The inverse document frequency of terms in a collection; a term it does not hold weighs most.
#[derive(Debug, Clone)]
pub struct TermWeights {
    pub tenant: TenantId,
    pub collection: CollectionId,
    pub terms: Vec<String>,
}

impl Request for TermWeights {
    type Reply = Result<HashMap<String, f32>, StoreError>;

    fn repeat(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Serve<TermWeights> for Store {
    async fn serve(
        self: Rc<Self>,
        weigh: TermWeights,
        deadline: Deadline,
    ) -> Result<HashMap<String, f32>, StoreError> {
        let sql = "SELECT ln(1 + (c.chunks - df + 0.5) / (df + 0.5))::real FROM collections c, \
                 unnest($3::bigint[]) WITH ORDINALITY AS asked(base, place), LATERAL ( \
                     SELECT coalesce(sum(t.df), 0)::float8 AS df FROM lexical_terms t WHERE t.tenant_id = c.tenant_id \
                     AND t.collection_id = c.collection_id AND t.key BETWEEN asked.base AND asked.base | 63) counted \
                 WHERE c.tenant_id = $1 AND c.collection_id = $2 ORDER BY place";
        let bases: Vec<i64> = weigh.terms.iter().map(|term| base(weigh.collection.0, term)).collect();
        let parameters: [&(dyn ToSql + Sync); 3] = [&weigh.tenant.0, &weigh.collection.0, &bases];
        let rows = self.read(weigh.tenant, Sees::OwnWrites, sql, &parameters, deadline).await?;
        Ok(weigh.terms.into_iter().zip(rows.iter().map(|row| row.get(0))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_stored_key_lies_in_the_range_a_query_reads_whatever_the_hash(
            collection in any::<i64>(), term in ".{1,20}", count in 1_u32..1000,
        ) {
            let entry = Entry::new(CollectionId(collection), &[(term.clone(), count)], count);
            let asked = TermKey::of(CollectionId(collection), &term, 1);
            let key = entry.keys[0];
            prop_assert!(key >= asked.base && key <= asked.base | COUNT_MASK);
            prop_assert_eq!(key & COUNT_MASK, i64::from(count.min(63)));
        }
    }

    #[test]
    fn collections_do_not_share_keys() {
        assert_ne!(base(1, "fox"), base(2, "fox"));
    }
}
