//! One call at a time: sent, awaited for as long as its deadline allows and a margin, judged.

use super::check;
use super::corpus::{COLLECTION, Corpus, Fact, WRITES};
use super::ledger::Ledger;
use super::tally::Outcome;
use anyhow::Result;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use std::time::Duration;

/// The deadline of a search and of everything else in a world's server, and what a busy machine may
/// add before a call without an answer counts as hung.
const SEARCH: Duration = Duration::from_millis(5000 + 3000);
const REST: Duration = Duration::from_millis(10_000 + 4000);
/// Of preparations, which no row judges.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server as its clients see it; cheap to clone.
#[derive(Debug, Clone)]
pub struct Target {
    client: Client,
    api: String,
    admin: String,
    rerank: bool,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: bool,
    pub text: String,
}

impl Target {
    /// `rerank`: every search and answer asks for reranking.
    pub fn new(api: String, admin: String, rerank: bool) -> Result<Self> {
        // The library makes a client only once the process has chosen a TLS implementation.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().pool_idle_timeout(Duration::from_secs(30)).build()?;
        Ok(Self { client, api, admin, rerank })
    }

    #[must_use]
    pub fn api(&self) -> &str {
        &self.api
    }

    pub async fn get(&self, path: &str) -> reqwest::Result<Answer> {
        read(self.client.get(format!("{}{path}", self.api)).timeout(PATIENCE)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Result<Answer> {
        read(self.client.post(format!("{}{path}", self.api)).json(body).timeout(PATIENCE)).await
    }

    pub async fn ndjson(&self, path: &str, lines: String) -> reqwest::Result<Answer> {
        let request = self.client.post(format!("{}{path}", self.api)).timeout(PATIENCE);
        read(request.header("content-type", "application/x-ndjson").body(lines)).await
    }

    /// A request to the admin port.
    pub async fn admin(&self, method: Method, path: &str, body: &str) -> reqwest::Result<Answer> {
        let request = self.client.request(method, format!("{}{path}", self.admin)).timeout(PATIENCE);
        read(request.body(body.to_owned())).await
    }

    /// `GET /v1/system`.
    pub async fn system(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.get("/v1/system").await?.text)?)
    }

    /// A search whose result is known; a nonce makes it one that nobody asked before.
    pub async fn search(&self, corpus: &Corpus, fact: &Fact, nonce: Option<u32>) -> Outcome {
        let query = with_nonce(&fact.question, nonce);
        let body = json!({"query": query, "collections": [COLLECTION], "top_k": 5, "rerank": self.rerank});
        let request = self.client.post(format!("{}/v1/search", self.api)).json(&body).timeout(SEARCH);
        judge(request, |answer| check::search(&answer, corpus, fact)).await
    }

    pub async fn answer(&self, corpus: &Corpus, fact: &Fact, nonce: Option<u32>) -> Outcome {
        let body = json!({"question": with_nonce(&fact.question, nonce), "collections": [COLLECTION], "rerank": self.rerank});
        let request = self.client.post(format!("{}/v1/answers", self.api)).json(&body).timeout(REST);
        judge(request, |answer| check::answer(&answer, corpus, fact)).await
    }

    /// Stores a document and waits until it can be found; the ledger keeps the receipt.
    pub async fn write(&self, ledger: &Ledger) -> Outcome {
        let Some(mut attempt) = ledger.begin() else { return self.live().await };
        let url = format!("{}/v1/collections/{WRITES}/documents/{}?wait=true", self.api, attempt.id());
        let request = self.client.put(url).json(&json!({"text": attempt.text()})).timeout(REST);
        judge_status(request, |answer| {
            matches!(answer.status, 200..=202).then(|| {
                attempt.acknowledge();
                Outcome::Good
            })
        })
        .await
    }

    /// Liveness looks at no dependency: whatever is away, it answers 200.
    pub async fn live(&self) -> Outcome {
        let request = self.client.get(format!("{}/health/live", self.api)).timeout(SEARCH);
        judge(request, |_| Outcome::Good).await
    }
}

fn with_nonce(question: &str, nonce: Option<u32>) -> String {
    nonce.map_or_else(|| question.to_owned(), |nonce| format!("{question} (asked as number {nonce})"))
}

async fn read(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let retry_after = response.headers().contains_key("retry-after");
    Ok(Answer { status, retry_after, text: response.text().await? })
}

async fn judge(request: RequestBuilder, check: impl FnOnce(Value) -> Outcome) -> Outcome {
    judge_status(request, |answer| {
        if answer.status != 200 {
            return None;
        }
        let body = serde_json::from_str(&answer.text);
        Some(body.map_or_else(|error| Outcome::Wrong(format!("an answer that is not JSON: {error}")), check))
    })
    .await
}

/// `success` judges what it accepts; the rest is an error, and must look like one.
async fn judge_status(request: RequestBuilder, success: impl FnOnce(&Answer) -> Option<Outcome>) -> Outcome {
    let answer = match read(request).await {
        Ok(answer) => answer,
        Err(error) if error.is_timeout() => return Outcome::Hung,
        Err(error) if error.is_connect() => return Outcome::Broken("refused connection".to_owned()),
        Err(_) => return Outcome::Broken("broken connection".to_owned()),
    };
    if let Some(outcome) = success(&answer) {
        return outcome;
    }
    let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    match body["error"]["code"].as_str() {
        // A refusal that tells nobody when to come back is a broken promise.
        Some(code) if matches!(answer.status, 429 | 503) && !answer.retry_after => {
            Outcome::Wrong(format!("{} {code} without Retry-After", answer.status))
        }
        Some(code) => Outcome::Refused(format!("{} {code}", answer.status)),
        None => Outcome::Broken(format!("{} without a typed error", answer.status)),
    }
}
