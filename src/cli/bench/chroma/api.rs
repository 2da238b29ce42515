//! Chroma's HTTP API (v2), as far as the comparison needs it.

use super::super::load::{made, members};
use super::super::requests::{Question, shown};
use super::super::synthetic::{PER_DOCUMENT, Recipe};
use super::Restriction;
use crate::cli::ingest::progress;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Instant;

/// Chunks per request; below every version's own bound.
const BATCH: usize = 2000;

pub(super) struct Chroma {
    http: reqwest::Client,
    /// Of the collection.
    base: String,
    pub(super) address: String,
    pub(super) query_path: String,
}

impl Chroma {
    /// A new collection with the HNSW parameters our index has.
    pub(super) async fn open(url: &str, name: &str, ef: u16) -> Result<Self> {
        let http = reqwest::Client::new();
        let url = url.trim_end_matches('/');
        let all = format!("{url}/api/v2/tenants/default_tenant/databases/default_database/collections");
        let hnsw = json!({"space": "cosine", "max_neighbors": 16, "ef_construction": 200, "ef_search": ef});
        let create = json!({ "name": name, "configuration": { "hnsw": hnsw } });
        let created = answer(http.post(&all).json(&create)).await?;
        let id = created["id"].as_str().context("Chroma named no collection")?;
        let base = format!("{all}/{id}");
        let address = url.trim_start_matches("http://").to_owned();
        let query_path = format!("{}/query", base.trim_start_matches(url));
        Ok(Self { http, base, address, query_path })
    }

    /// Adds the recipe's first `chunks` with their texts; returns the seconds it took.
    pub(super) async fn load(&self, recipe: &Recipe, chunks: usize) -> Result<f64> {
        let bar = progress(chunks as u64, "chunks added to Chroma");
        let began = Instant::now();
        let documents: Vec<usize> = (0..chunks.div_ceil(PER_DOCUMENT)).collect();
        for batch in documents.chunks(BATCH / PER_DOCUMENT) {
            let (mut ids, mut vectors, mut texts, mut metadatas) = (vec![], vec![], vec![], vec![]);
            for document in batch {
                let numbers = members(*document, chunks);
                for (n, chunk) in numbers.clone().zip(made(recipe, numbers)?) {
                    ids.push(n.to_string());
                    vectors.push(chunk.embeddings);
                    texts.push(chunk.text);
                    metadatas.push(json!({ "tenth": document % 10, "hundredth": document % 100 }));
                }
            }
            let count = ids.len() as u64;
            let add = json!({ "ids": ids, "embeddings": vectors.concat(), "documents": texts, "metadatas": metadatas });
            answer(self.http.post(format!("{}/add", self.base)).json(&add)).await?;
            bar.inc(count);
        }
        bar.finish_and_clear();
        let counted = answer(self.http.get(format!("{}/count", self.base))).await?;
        ensure!(counted.as_u64() == Some(chunks as u64), "Chroma holds {counted} chunks");
        Ok(began.elapsed().as_secs_f64())
    }

    /// The chunks found, by number.
    pub(super) async fn search(&self, body: &Value) -> Result<Vec<usize>> {
        let found = answer(self.http.post(format!("{}/query", self.base)).json(body)).await?;
        let ids = found["ids"][0].as_array().context("Chroma answered in another form")?;
        Ok(ids.iter().filter_map(|id| id.as_str()?.parse().ok()).collect())
    }
}

/// With texts and metadata in the answer, as ours has them.
pub(super) fn body(question: &Question, only: Restriction, top_k: u16) -> Value {
    let mut body = json!({
        "query_embeddings": [shown(&question.embedding)],
        "n_results": top_k,
        "include": ["documents", "metadatas", "distances"],
    });
    if let Restriction::To(key, _, value) = only {
        body["where"] = json!({ key: { "$eq": value } });
    }
    body
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value> {
    let response = request.send().await.context("no answer from Chroma")?;
    let status = response.status();
    let text = response.text().await?;
    ensure!(status.is_success(), "Chroma answered {status}: {}", text.chars().take(300).collect::<String>());
    Ok(serde_json::from_str(&text).unwrap_or_default())
}
