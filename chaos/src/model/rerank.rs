//! Reranking: the share of the query's words that a document has.

use super::words;
use serde_json::{Value, json};
use std::collections::HashSet;

pub(super) fn reply(body: &Value) -> Value {
    let asked: HashSet<String> = words(body["query"].as_str().unwrap_or_default()).collect();
    let documents = body["documents"].as_array().or_else(|| body["texts"].as_array());
    let mut results: Vec<(usize, f64)> = documents
        .into_iter()
        .flatten()
        .map(|document| document.as_str().or_else(|| document["text"].as_str()).unwrap_or_default())
        .map(|text| {
            let common = words(text).filter(|word| asked.contains(word)).collect::<HashSet<_>>().len();
            common as f64 / asked.len().max(1) as f64
        })
        .enumerate()
        .collect();
    results.sort_by(|one, other| other.1.total_cmp(&one.1));
    if let Some(most) = body["top_n"].as_u64().and_then(|most| usize::try_from(most).ok()) {
        results.truncate(most);
    }
    if body["texts"].is_array() {
        // text-embeddings-inference
        return results.iter().map(|(index, score)| json!({"index": index, "score": score})).collect();
    }
    let results: Vec<Value> =
        results.iter().map(|(index, score)| json!({"index": index, "relevance_score": score})).collect();
    json!({"model": body["model"], "results": results, "usage": {"total_tokens": 1}})
}
