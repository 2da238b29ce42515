//! Sole owner of the connections to a reranking model.
//!
//! * Shape: a query and texts in, one finite score per text out, higher is better.
//! * Overload: a bounded number of calls at once, more wait within their deadline; beyond the admission
//!   they fail at once. A model that fails is not asked for a while (circuit `reranker`).
//! * Cancel safety: dropping a call closes its connection.

use crate::live::Live;
use crate::remote::{self, Api, Guarded, Key, ModelError, Urgency};
use crate::resilience::{Circuit, Deadline, RetryBudget};
use crate::supervise::{Handle, Lifeline, Request, Serve, Service, StartError, Tree};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use std::rc::Rc;
use std::time::Duration;

const ADMISSION: usize = 256;
const AT_ONCE: usize = 16;
/// More than an entry of a reply takes, in bytes; some servers repeat the text, which is no use to us.
const ENTRY: usize = 16 * 1024;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RerankerSettings {
    pub kind: RerankerKind,
    pub base_url: Option<String>,
    pub model: Option<String>,
    pub api_key: Option<SecretString>,
    pub timeout_ms: u64,
    /// Texts it is given to choose from; at least `top_k`.
    pub candidates: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RerankerKind {
    None,
    /// `POST {base_url}/rerank` with `documents`.
    Cohere,
    /// The same form.
    Jina,
    /// `POST {base_url}/rerank` with `texts` (text-embeddings-inference).
    Tei,
}

impl RerankerSettings {
    pub fn validate(&self) -> Result<(), String> {
        let needs_model = matches!(self.kind, RerankerKind::Cohere | RerankerKind::Jina);
        if self.kind != RerankerKind::None && self.base_url.is_none() {
            return Err("a reranker needs reranker.base_url".to_owned());
        }
        if needs_model && self.model.is_none() {
            return Err("reranker.kind = \"cohere\" and \"jina\" need reranker.model".to_owned());
        }
        if !(1..=1000).contains(&self.candidates) {
            return Err("reranker.candidates must be within 1..=1000".to_owned());
        }
        if self.timeout_ms == 0 {
            return Err("reranker.timeout_ms must be at least 1".to_owned());
        }
        Ok(())
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

struct Rerank {
    query: String,
    texts: Vec<String>,
}

impl Request for Rerank {
    type Reply = Result<Vec<f32>, ModelError>;
}

struct Reranker {
    guarded: Rc<Guarded>,
    kind: RerankerKind,
    model: Option<String>,
}

impl Service for Reranker {}

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

impl Serve<Rerank> for Reranker {
    async fn serve(self: Rc<Self>, rerank: Rerank, deadline: Deadline) -> Result<Vec<f32>, ModelError> {
        let Rerank { query, texts } = rerank;
        let count = texts.len();
        let body = match self.kind {
            RerankerKind::Tei => json!({"query": query, "texts": texts, "truncate": true}),
            RerankerKind::None | RerankerKind::Cohere | RerankerKind::Jina => {
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

/// The way to the reranker, where one is configured.
#[derive(Clone)]
pub struct RerankerHandle(Option<Configured>);

#[derive(Clone)]
struct Configured {
    handle: Handle<Reranker>,
    circuit: Circuit,
    key: Key,
    within: Duration,
    candidates: u16,
}

impl RerankerHandle {
    pub async fn start(tree: &Tree, settings: &RerankerSettings) -> Result<Self, StartError> {
        if settings.kind == RerankerKind::None {
            return Ok(Self(None));
        }
        let circuit = Circuit::new("reranker", remote::breaker(settings.timeout()));
        let (configured, shared, budget) = (settings.clone(), circuit.clone(), RetryBudget::default());
        let key = Live::new(settings.api_key.clone());
        let own = key.clone();
        let factory = move |_: Lifeline| {
            let timeout = configured.timeout();
            let api = Api::new(configured.base_url.as_deref(), own.clone(), timeout);
            let (circuit, budget, kind) = (shared.clone(), budget.clone(), configured.kind);
            let model = configured.model.clone();
            async move {
                let guarded = Rc::new(Guarded::new(api?, circuit, budget, AT_ONCE, (timeout, timeout)));
                Ok(Reranker { guarded, kind, model })
            }
        };
        let handle = tree.start(tree.spec("reranker", ADMISSION), factory).await?;
        let within = settings.timeout().mul_f64(1.5);
        Ok(Self(Some(Configured { handle, circuit, key, within, candidates: settings.candidates })))
    }

    /// How many texts to give it for the best `top_k`; none when it could not be asked now.
    pub fn candidates(&self, top_k: u16) -> Result<u16, ModelError> {
        let configured = self.0.as_ref().ok_or(ModelError::NotConfigured)?;
        configured.circuit.refuses_now()?;
        Ok(configured.candidates.max(top_k))
    }

    /// Another key, for every call from now on.
    pub fn use_key(&self, key: Option<SecretString>) {
        if let Some(configured) = &self.0 {
            configured.key.set(key);
        }
    }

    #[must_use]
    pub fn circuit(&self) -> Option<&Circuit> {
        self.0.as_ref().map(|configured| &configured.circuit)
    }

    /// How well each text answers the query: scores in the texts' order.
    pub async fn rerank(
        &self,
        query: String,
        texts: Vec<String>,
        deadline: Deadline,
    ) -> Result<Vec<f32>, ModelError> {
        let configured = self.0.as_ref().ok_or(ModelError::NotConfigured)?;
        configured.circuit.refuses_now()?;
        configured.handle.call(Rerank { query, texts }, deadline.capped(configured.within)).await?
    }
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
