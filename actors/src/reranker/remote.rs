//! A reranking model behind HTTP: Cohere's form, Jina's, or text-embeddings-inference's.

use super::actor::Rerank;
use super::settings::{RerankerKind, RerankerSettings};
use crate::remote::{Api, Guarded, Key, ModelError, Urgency};
use crate::resilience::{Circuit, Deadline, RetryBudget};
use serde::Deserialize;
use serde_json::json;
use std::rc::Rc;

const AT_ONCE: usize = 16;
/// More than an entry of a reply takes, in bytes; some servers repeat the text, which is no use to us.
const ENTRY: usize = 16 * 1024;

pub(super) struct Remote {
    guarded: Rc<Guarded>,
    kind: RerankerKind,
    model: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reply {
    Results { results: Vec<Scored> },
    Plain(Vec<Scored>),
}

#[derive(Deserialize)]
struct Scored {
    index: usize,
    #[serde(alias = "relevance_score")]
    score: f32,
}

impl Remote {
    pub(super) fn new(
        settings: &RerankerSettings,
        key: Key,
        circuit: Circuit,
        budget: RetryBudget,
    ) -> Result<Self, String> {
        let timeout = settings.timeout();
        let api = Api::new(settings.base_url.as_deref(), key, timeout)?;
        let guarded = Rc::new(Guarded::new(api, circuit, budget, AT_ONCE, (timeout, timeout)));
        Ok(Self { guarded, kind: settings.kind, model: settings.model.clone() })
    }

    pub(super) async fn rerank(&self, rerank: Rerank, deadline: Deadline) -> Result<Vec<f32>, ModelError> {
        let Rerank { query, texts } = rerank;
        let count = texts.len();
        let body = match self.kind {
            RerankerKind::Tei => json!({"query": query, "texts": texts, "truncate": true}),
            RerankerKind::None | RerankerKind::Local | RerankerKind::Cohere | RerankerKind::Jina => {
                json!({"model": self.model, "query": query, "documents": texts, "top_n": count})
            }
        };
        let max_bytes = 65_536 + count * ENTRY;
        let check = move |reply| scores(reply, count);
        self.guarded.ask("/rerank", &body, max_bytes, Urgency::Interactive, deadline, check).await
    }
}

/// Each text's score, in the texts' order; or what is wrong with the reply.
fn scores(reply: Reply, count: usize) -> Result<Vec<f32>, &'static str> {
    let (Reply::Results { results } | Reply::Plain(results)) = reply;
    let mut scores = vec![None; count];
    for one in results {
        let place = scores.get_mut(one.index).ok_or("a score for a text that was not sent")?;
        if !one.score.is_finite() || place.replace(one.score).is_some() {
            return Err("a score that is no number, or two for one text");
        }
    }
    scores.into_iter().collect::<Option<_>>().ok_or("not a score for each text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(reply: &str) -> Result<Vec<f32>, &'static str> {
        scores(serde_json::from_str(reply).map_err(|_| "not a reply")?, 2)
    }

    #[test]
    fn replies_of_both_forms_become_scores_in_the_order_of_the_texts() {
        for reply in [
            r#"{"results":[{"index":1,"relevance_score":0.75,"document":{"text":"b"}},{"index":0,"relevance_score":-1}]}"#,
            r#"[{"index":1,"score":0.75},{"index":0,"score":-1}]"#,
        ] {
            assert_eq!(scored(reply), Ok(vec![-1.0, 0.75]), "{reply}");
        }
    }

    #[test]
    fn a_reply_that_does_not_fit_the_texts_is_refused() {
        for reply in [
            r#"{"results":[]}"#,
            r#"[{"index":0,"score":1}]"#,
            r#"[{"index":0,"score":1},{"index":2,"score":1}]"#,
            r#"[{"index":0,"score":1},{"index":0,"score":1}]"#,
            r#"[{"index":0,"score":1},{"index":1,"score":null}]"#,
            r#"[{"index":0,"score":1},{"index":1,"score":1e39}]"#,
            "{}",
        ] {
            assert!(scored(reply).is_err(), "{reply}");
        }
    }
}
