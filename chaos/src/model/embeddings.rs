//! Embeddings: each word adds to a few of the dimensions, chosen by its hash; then unit length.

use super::{DIMENSIONS, words};
use serde_json::{Value, json};

/// In the form of the question: text-embeddings-inference's `inputs`, Ollama's `truncate`, else OpenAI's.
pub(super) fn reply(body: &Value) -> Value {
    let plain = body["inputs"].is_array();
    let texts: Vec<&str> = match &body[if plain { "inputs" } else { "input" }] {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let dimensions = body["dimensions"].as_u64().and_then(|n| usize::try_from(n).ok());
    let dimensions = dimensions.unwrap_or(DIMENSIONS).clamp(1, 4096);
    let vectors = || texts.iter().map(|text| embed(text, dimensions)).collect::<Vec<_>>();
    if plain {
        return json!(vectors());
    }
    if body["truncate"].is_boolean() {
        return json!({"model": body["model"], "embeddings": vectors()});
    }
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"object": "embedding", "index": index, "embedding": embed(text, dimensions)}))
        .collect();
    let tokens = texts.iter().map(|text| words(text).count()).sum::<usize>();
    json!({"object": "list", "data": data, "model": body["model"],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})
}

/// A deterministic vector of length 1.
pub(super) fn embed(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions];
    for word in words(text) {
        let mut hash = fnv(word.as_bytes());
        for _ in 0..4 {
            let at = usize::try_from(hash % dimensions as u64).unwrap_or(0);
            vector[at] += if hash & (1 << 40) == 0 { 1.0 } else { -1.0 };
            hash = fnv(&hash.to_le_bytes());
        }
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    } else {
        vector[0] = 1.0; // never a zero vector: it has no direction
    }
    vector
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
