//! An embedding model behind HTTP: OpenAI's form, text-embeddings-inference's or Ollama's.

use super::settings::{EmbedderKind, EmbedderSettings};
use super::{Embed, Purpose};
use crate::remote::{Api, Guarded, Key, ModelError, Urgency};
use crate::resilience::{Circuit, Deadline, RetryBudget};
use serde::Deserialize;
use serde_json::json;
use std::rc::Rc;

/// Texts in one request; text-embeddings-inference takes no more unless told to.
const BATCH: usize = 32;
/// Bytes a number takes in JSON, with room.
const NUMBER: usize = 32;

pub(super) struct Remote {
    guarded: Rc<Guarded>,
    kind: EmbedderKind,
    model: String,
    dimensions: usize,
    query_prefix: String,
    passage_prefix: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reply {
    /// OpenAI; in any order.
    Indexed { data: Vec<Indexed> },
    /// Ollama.
    Named { embeddings: Vec<Vec<f32>> },
    /// text-embeddings-inference.
    Plain(Vec<Vec<f32>>),
}

#[derive(Deserialize)]
struct Indexed {
    index: usize,
    embedding: Vec<f32>,
}

impl Remote {
    pub(super) fn new(
        settings: &EmbedderSettings,
        key: Key,
        circuit: Circuit,
        budget: RetryBudget,
    ) -> Result<Self, String> {
        let api = Api::new(settings.base_url.as_deref(), key, settings.bulk_timeout())?;
        let limits = (settings.timeout(), settings.bulk_timeout());
        Ok(Self {
            guarded: Rc::new(Guarded::new(api, circuit, budget, settings.concurrency, limits)),
            kind: settings.kind,
            model: settings.model.clone().unwrap_or_default(),
            dimensions: settings.dimensions.unwrap_or_default(),
            query_prefix: settings.query_prefix.clone(),
            passage_prefix: settings.passage_prefix.clone(),
        })
    }

    pub(super) async fn embed(&self, embed: Embed, deadline: Deadline) -> Result<Vec<Vec<f32>>, ModelError> {
        let (prefix, urgency) = match embed.purpose {
            Purpose::Query => (&self.query_prefix, Urgency::Interactive),
            Purpose::Passage => (&self.passage_prefix, Urgency::Bulk),
        };
        let mut vectors = Vec::with_capacity(embed.texts.len());
        for texts in embed.texts.chunks(BATCH) {
            let texts: Vec<String> = texts.iter().map(|text| format!("{prefix}{text}")).collect();
            let (path, body) = match self.kind {
                EmbedderKind::Openai => {
                    ("/embeddings", json!({"model": self.model, "input": texts, "encoding_format": "float"}))
                }
                EmbedderKind::Ollama => {
                    ("/api/embed", json!({"model": self.model, "input": texts, "truncate": true}))
                }
                EmbedderKind::Local | EmbedderKind::Tei => {
                    ("/embed", json!({"inputs": texts, "truncate": true, "normalize": true}))
                }
            };
            let max_bytes = 65_536 + texts.len() * self.dimensions * NUMBER;
            let (count, dimensions) = (texts.len(), self.dimensions);
            let check = move |reply| accept(reply, count, dimensions);
            vectors.extend(self.guarded.ask(path, &body, max_bytes, urgency, deadline, check).await?);
        }
        Ok(vectors)
    }
}

/// One vector of length one per text, in the texts' order; or what is wrong with the reply.
fn accept(reply: Reply, texts: usize, dimensions: usize) -> Result<Vec<Vec<f32>>, &'static str> {
    let mut vectors = match reply {
        Reply::Indexed { mut data } => {
            data.sort_by_key(|one| one.index);
            if data.iter().enumerate().any(|(at, one)| at != one.index) {
                return Err("the embeddings' indexes are not those of the texts");
            }
            data.into_iter().map(|one| one.embedding).collect()
        }
        Reply::Named { embeddings } => embeddings,
        Reply::Plain(embeddings) => embeddings,
    };
    if vectors.len() != texts {
        return Err("not one embedding for each text");
    }
    for vector in &mut vectors {
        if vector.len() != dimensions {
            return Err("embeddings of another length than embedder.dimensions");
        }
        let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        if !length.is_finite() || length == 0.0 {
            return Err("an embedding without a direction");
        }
        vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
    Ok(vectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(reply: &str) -> Result<Vec<Vec<f32>>, &'static str> {
        accept(serde_json::from_str(reply).map_err(|_| "not a reply")?, 2, 2)
    }

    #[test]
    fn replies_of_all_three_forms_become_unit_vectors_in_the_order_of_the_texts() {
        let expected = vec![vec![1.0, 0.0], vec![0.6, 0.8]];
        for reply in [
            r#"{"object":"list","data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[2,0]}],"usage":{}}"#,
            r#"{"model":"m","embeddings":[[2,0],[3,4]],"total_duration":1}"#,
            "[[2,0],[3,4]]",
        ] {
            assert_eq!(accepted(reply).as_ref(), Ok(&expected), "{reply}");
        }
    }

    #[test]
    fn a_reply_that_does_not_fit_the_texts_is_refused() {
        for reply in [
            "[[1,0]]",
            "[[1,0],[1,0],[1,0]]",
            "[[1,0],[1,0,0]]",
            "[[1,0],[]]",
            "[[1,0],[0,0]]",
            "[[1,0],[null,1]]",
            "[[1,0],[1e39,1]]",
            r#"{"data":[{"index":0,"embedding":[1,0]},{"index":0,"embedding":[1,0]}]}"#,
            r#"{"data":[{"index":1,"embedding":[1,0]},{"index":2,"embedding":[1,0]}]}"#,
            r#"{"data":[]}"#,
            "{}",
        ] {
            assert!(accepted(reply).is_err(), "{reply}");
        }
    }
}
