//! The vectors of queries embedded before, so that a repeated query costs no forward pass.
//!
//! Bounded by entries, the least used go first. A text is known by its hash alone: no query is kept. Vectors never go
//! stale, because the model does not change while a handle lives. What fails is not remembered.

use super::{Embed, Purpose};
use crate::remote::ModelError;
use crate::supervise::CallError;
use moka::future::Cache;
use sha2::{Digest, Sha256};
use std::sync::Arc;

type Key = [u8; 32];

/// None: nothing is remembered.
#[derive(Clone)]
pub(super) struct QueryCache(Option<Cache<Key, Arc<[f32]>>>);

impl QueryCache {
    pub(super) fn new(entries: u64) -> Self {
        Self((entries > 0).then(|| Cache::new(entries)))
    }

    /// One vector per text: known ones from here, and only the rest by `ask`. Passages pass by.
    ///
    /// # Cancel safety
    /// Dropping the future drops `ask`'s; what was remembered stays.
    pub(super) async fn embed(
        &self,
        embed: Embed,
        ask: impl AsyncFnOnce(Embed) -> Result<Vec<Vec<f32>>, ModelError>,
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        let Some(cache) = self.0.as_ref().filter(|_| embed.purpose == Purpose::Query) else {
            return ask(embed).await;
        };
        let mut vectors = Vec::with_capacity(embed.texts.len());
        let (mut unknown, mut texts) = (Vec::new(), Vec::new());
        for (at, text) in embed.texts.into_iter().enumerate() {
            let key: Key = Sha256::digest(&text).into();
            let known = cache.get(&key).await;
            count(if known.is_some() { "hit" } else { "miss" });
            if known.is_none() {
                unknown.push((at, key));
                texts.push(text);
            }
            vectors.push(known.map(|vector| vector.to_vec()).unwrap_or_default());
        }
        if texts.is_empty() {
            return Ok(vectors);
        }
        let found = ask(Embed { texts, purpose: Purpose::Query }).await?;
        if found.len() != unknown.len() {
            return Err(CallError::Lost.into());
        }
        for ((at, key), vector) in unknown.into_iter().zip(found) {
            cache.insert(key, vector.as_slice().into()).await;
            vectors[at] = vector;
        }
        Ok(vectors)
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("mcp_rag_embedder_query_cache_total", "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn texts(texts: &[&str], purpose: Purpose) -> Embed {
        Embed { texts: texts.iter().map(|text| (*text).to_owned()).collect(), purpose }
    }

    /// Embeds each text as its length, and notes what it was asked.
    async fn ask(cache: &QueryCache, asked: &RefCell<Vec<String>>, embed: Embed) -> Vec<Vec<f32>> {
        let found = cache.embed(embed, async |embed: Embed| {
            asked.borrow_mut().extend(embed.texts.clone());
            Ok(embed.texts.iter().map(|text| vec![text.len() as f32]).collect())
        });
        found.await.expect("nothing fails")
    }

    #[tokio::test]
    async fn only_queries_that_were_not_embedded_before_are_embedded_and_each_gets_its_own_vector() {
        let (cache, asked) = (QueryCache::new(100), RefCell::default());
        assert_eq!(ask(&cache, &asked, texts(&["a", "bb"], Purpose::Query)).await, [[1.0], [2.0]]);
        let mixed = ask(&cache, &asked, texts(&["ccc", "bb", "dddd", "a"], Purpose::Query)).await;
        assert_eq!(mixed, [[3.0], [2.0], [4.0], [1.0]]);
        assert_eq!(asked.take(), ["a", "bb", "ccc", "dddd"]);
        ask(&cache, &asked, texts(&["a"], Purpose::Query)).await;
        assert_eq!(asked.take(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn passages_are_neither_looked_up_nor_remembered() {
        let (cache, asked) = (QueryCache::new(100), RefCell::default());
        for purpose in [Purpose::Query, Purpose::Passage, Purpose::Passage] {
            ask(&cache, &asked, texts(&["a"], purpose)).await;
        }
        ask(&cache, &asked, texts(&["b"], Purpose::Passage)).await;
        ask(&cache, &asked, texts(&["b"], Purpose::Query)).await;
        assert_eq!(asked.take(), ["a", "a", "a", "b", "b"]);
    }

    #[tokio::test]
    async fn a_failure_is_not_remembered_and_no_more_than_the_bound_is_kept() {
        let (cache, asked) = (QueryCache::new(8), RefCell::default());
        let failed = cache.embed(texts(&["a"], Purpose::Query), async |_| Err(CallError::Lost.into())).await;
        assert!(failed.is_err());
        for n in 0..100 {
            ask(&cache, &asked, texts(&[&format!("query {n}")], Purpose::Query)).await;
        }
        let kept = cache.0.as_ref().expect("it remembers");
        kept.run_pending_tasks().await;
        assert!(kept.entry_count() <= 8, "{}", kept.entry_count());
        asked.take();
        ask(&cache, &asked, texts(&["a"], Purpose::Query)).await;
        assert_eq!(asked.take(), ["a"]);
    }

    #[tokio::test]
    async fn with_no_entries_every_query_is_embedded() {
        let (cache, asked) = (QueryCache::new(0), RefCell::default());
        for _ in 0..2 {
            ask(&cache, &asked, texts(&["a"], Purpose::Query)).await;
        }
        assert_eq!(asked.take(), ["a", "a"]);
    }
}
