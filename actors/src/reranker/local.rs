//! A cross-encoder in this process: it reads the query and each text together.

use super::actor::Rerank;
use crate::local::{Compute, Threads};
use crate::remote::{self, ModelError};
use crate::resilience::{Backoff, BreakerSettings, Circuit, Deadline, Pass};
use mcp_rag_minilm::{CrossEncoder, Encoding, Query, Scratch};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What the setting of its folder wants.
pub(super) const WANTED: &str = "the folder of a BERT cross-encoder with one label, such as \
                                 cross-encoder/ms-marco-MiniLM-L-6-v2, with config.json, tokenizer.json and \
                                 model.safetensors";

/// Tokens that a thread takes at once: one pass of the network, after which it looks again who still waits.
pub(super) const BATCH_TOKENS: usize = 256;

/// A failure here is a query that took too long, which the next one may not; a thread that panicked is back in
/// milliseconds. What is slow but in time is as good as what is fast: it is our own load.
pub(super) fn breaker() -> BreakerSettings {
    let open = Backoff { base: Duration::from_millis(250), max: Duration::from_secs(5) };
    BreakerSettings { slow_call: Duration::MAX, open, ..BreakerSettings::default() }
}

pub(super) struct Local {
    model: CrossEncoder,
    threads: Threads<CrossEncoder>,
    circuit: Circuit,
    timeout: Duration,
}

/// A text, and the query that all texts of a request share.
pub(crate) struct Pair {
    query: Arc<Query>,
    text: String,
}

impl Compute for CrossEncoder {
    type Input = Pair;
    type Output = f32;
    const NAME: &'static str = "rerank";
    const BATCHES: &'static str = "mcp_rag_reranker_batch_texts";

    fn encode(&self, pair: &Pair) -> Encoding {
        self.pair(&pair.query, &pair.text)
    }

    fn compute(&self, scratch: &mut Scratch, batch: &[Encoding]) -> Vec<f32> {
        self.score(scratch, batch)
    }
}

impl Local {
    pub(super) fn new(
        model: CrossEncoder,
        threads: Threads<CrossEncoder>,
        circuit: Circuit,
        timeout: Duration,
    ) -> Self {
        Self { model, threads, circuit, timeout }
    }

    /// As with a remote model, a half-open circuit's probe is made beside its caller, who is told at once that the circuit
    /// is open: nobody waits to find out whether the model is fast enough again.
    pub(super) async fn rerank(
        self: &Rc<Self>,
        rerank: Rerank,
        deadline: Deadline,
    ) -> Result<Vec<f32>, ModelError> {
        let pass = self.circuit.admit()?;
        if !pass.is_probe() {
            return self.once(pass, rerank, deadline).await;
        }
        let own = Rc::clone(self);
        actix::spawn(async move {
            let _ = own.once(pass, rerank, Deadline::within(own.timeout * 2)).await;
        });
        Err(ModelError::Open { retry_in: Duration::ZERO })
    }

    async fn once(&self, pass: Pass, rerank: Rerank, deadline: Deadline) -> Result<Vec<f32>, ModelError> {
        let outcome = remote::in_time(self.score(rerank), self.timeout, deadline).await;
        remote::conclude(pass, &outcome);
        outcome
    }

    async fn score(&self, Rerank { query, texts }: Rerank) -> Result<Vec<f32>, ModelError> {
        let query = Arc::new(self.model.query(&query));
        let pairs = texts.into_iter().map(|text| Pair { query: Arc::clone(&query), text });
        let scores = self.threads.compute(pairs, true).await?;
        if scores.iter().all(|score| score.is_finite()) {
            Ok(scores)
        } else {
            Err(ModelError::failed("a score that is no number"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RerankerHandle, RerankerKind, RerankerSettings};
    use super::*;
    use crate::supervise::{SupervisionSettings, Tree};
    use mcp_rag_minilm::Precision;

    async fn started(timeout_ms: u64) -> (Tree, RerankerHandle) {
        let tree = Tree::new(SupervisionSettings::default());
        let settings = RerankerSettings {
            kind: RerankerKind::Local,
            model_dir: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../minilm/tests/cross_encoder").into()),
            precision: Precision::Fp32,
            threads: 1,
            base_url: None,
            model: None,
            api_key: None,
            timeout_ms,
            candidates: 50,
        };
        let handle = RerankerHandle::start(&tree, &settings).await.expect("it starts");
        (tree, handle)
    }

    async fn ask(handle: &RerankerHandle, texts: &[&str]) -> Result<Vec<f32>, ModelError> {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        handle.rerank("which fox?".to_owned(), texts, Deadline::within(Duration::from_secs(60))).await
    }

    #[actix_rt::test]
    async fn each_text_has_its_own_score_in_whatever_company() {
        let (tree, handle) = started(10_000).await;
        let texts: Vec<String> = (0..60).map(|n| "fox and river ".repeat(n)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let together = ask(&handle, &texts).await.expect("scores");
        for at in [0, 1, 17] {
            let alone = ask(&handle, &texts[at..=at]).await.expect("a score");
            assert!((alone[0] - together[at]).abs() < 1e-5);
        }
        assert_eq!(ask(&handle, &[]).await, Ok(vec![]));
        tree.stop(Duration::from_secs(5)).await;
    }

    #[actix_rt::test]
    async fn a_call_that_takes_too_long_is_given_up_and_what_is_left_of_it_is_not_computed() {
        let (tree, handle) = started(250).await;
        let long = "the lazy dog ".repeat(30);
        let texts = vec![long.as_str(); 30_000]; // seconds of work
        for _ in 0..4 {
            assert!(matches!(ask(&handle, &texts).await, Err(ModelError::Failed { .. })));
            // At once, although most of the work before it was not done.
            assert!(ask(&handle, &["a fox"]).await.is_ok());
        }
        // Failures in a row open the circuit; a call that fits closes it again.
        while handle.candidates(1).is_ok() {
            assert!(ask(&handle, &texts).await.is_err());
        }
        assert!(matches!(ask(&handle, &["a fox"]).await, Err(ModelError::Open { .. })));
        while ask(&handle, &["a fox"]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tree.stop(Duration::from_secs(5)).await;
    }
}
