//! A server with limits, hostile documents and ordinary ones beside them.

use crate::support::{Builder, Server};
use crate::watch::{Peaks, Watch};
use base64::Engine;
use mcp_rag_chaos::model::{DIMENSIONS, Model};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What a reader of documents may have, and take.
pub(crate) const READER_MB: u64 = 768;
pub(crate) const READER_MS: u64 = 60_000;
/// An ordinary document among hostile ones is searchable within this.
const BESIDE: Duration = Duration::from_secs(30);
/// The longest that all documents of a scene may take.
const ALL: Duration = Duration::from_secs(400);
const TICK: Duration = Duration::from_millis(100);

pub(crate) const JSON: &str = "application/json";

/// What must come of a document.
pub(crate) enum Must {
    /// It is searchable, and its text has this in it.
    Ready(&'static str),
    /// It fails, and the reason has one of these in it.
    Fail(&'static [&'static str]),
    /// Either; a reader may make something of it or not.
    End,
}

pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) media_type: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) must: Must,
}

pub(crate) fn case(
    id: impl Into<String>,
    media_type: &'static str,
    bytes: impl Into<Vec<u8>>,
    must: Must,
) -> Case {
    Case { id: id.into(), media_type, bytes: bytes.into(), must }
}

pub(crate) struct Scene {
    pub(crate) server: Server,
    // Its vectors are asked for until the end.
    _model: Model,
}

impl Scene {
    pub(crate) fn start(more: impl FnOnce(Builder) -> Builder) -> Self {
        let model = Model::start();
        let builder = Server::builder()
            .set("embedder.kind", "openai")
            .set("embedder.base_url", model.url())
            .set("embedder.model", "hashed-words")
            .set("embedder.dimensions", DIMENSIONS)
            .set("ingest.parser_memory_mb", READER_MB)
            .set("ingest.parser_timeout_ms", READER_MS);
        let server = more(builder).start();
        // Long chunks: their vectors come over HTTP, and the test has no other use for them.
        server.create_with(&json!({"name": "docs", "chunking": {"max_tokens": 1024, "overlap_tokens": 0}}));
        Self { server, _model: model }
    }

    /// Sends all of them, an ordinary document after every third, and waits for their ends. Panics on what must not be.
    pub(crate) fn play(&self, cases: &[Case]) -> Peaks {
        let watch = Watch::start(self.server.pid());
        let mut refused = BTreeMap::new();
        for (at, case) in cases.iter().enumerate() {
            let path = Server::document_path("docs", &case.id);
            let reply = match case.media_type {
                // JSON as the body is a document's fields, not the document.
                JSON => {
                    let content = base64::engine::general_purpose::STANDARD.encode(&case.bytes);
                    self.server.put(&path, &json!({"content": content, "media_type": JSON}))
                }
                media_type => self.server.send(Method::PUT, &path, media_type, case.bytes.clone()),
            };
            if reply.status != 202 {
                let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
                assert!((400..500).contains(&reply.status), "{}: {} {body}", case.id, reply.status);
                refused.insert(
                    case.id.clone(),
                    body["error"]["message"].as_str().unwrap_or_default().to_owned(),
                );
            }
            if at % 3 == 2 {
                self.ordinary(at);
            }
        }
        let began = Instant::now();
        while let Some(waiting) = ["queued", "running"].into_iter().find_map(|status| self.any(status)) {
            assert!(began.elapsed() < ALL, "{waiting} never ends\n{}", self.server.log());
            std::thread::sleep(TICK);
        }
        self.ordinary(cases.len());
        let wrong: Vec<String> =
            cases.iter().filter_map(|case| self.wrong(case, refused.get(&case.id))).collect();
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
        self.log_is_clean();
        watch.end()
    }

    /// A document that nobody wants to harm, searchable soon.
    fn ordinary(&self, number: usize) {
        let began = Instant::now();
        let letters: String =
            number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'k')).collect();
        let (id, word) = (format!("ordinary-{number}"), format!("zibble{letters}"));
        let path = Server::document_path("docs", &id);
        let reply =
            self.server.send(Method::PUT, &path, "text/plain", format!("The lighthouse is of {word}."));
        assert_eq!(reply.status, 202, "{}", reply.text());
        while self.server.search_in("docs", &word, "lexical") != [id.clone()] {
            assert!(began.elapsed() < BESIDE, "{id} waits behind hostile documents\n{}", self.server.log());
            std::thread::sleep(TICK / 4);
        }
    }

    fn any(&self, status: &str) -> Option<String> {
        let path = format!("/v1/collections/docs/documents?status={status}&limit=1");
        let page = self.server.get(&path).ok(200);
        page["data"][0]["external_id"].as_str().map(str::to_owned)
    }

    /// What is not as it must be.
    fn wrong(&self, case: &Case, refused: Option<&String>) -> Option<String> {
        let id = &case.id;
        let (status, reason) = match refused {
            Some(reason) => ("failed".to_owned(), reason.clone()),
            None => {
                let document = self.server.document("docs", id).ok(200);
                let field = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
                (field("status"), field("error"))
            }
        };
        match (&case.must, status.as_str()) {
            (Must::Ready(words), "ready") => {
                let text = String::from_utf8(self.server.content("docs", id)).expect("text");
                (!text.contains(words)).then(|| format!("{id}: its text lacks {words:?}: {text:.200}"))
            }
            (Must::Fail(reasons), "failed") => {
                (!reasons.iter().any(|one| reason.contains(one))).then(|| format!("{id}: {reason:?}"))
            }
            (Must::End, "ready") => None,
            (Must::End, "failed") => reason.is_empty().then(|| format!("{id}: no reason")),
            (_, status) => Some(format!("{id}: {status} {reason:?}")),
        }
    }

    /// No panic, no restarted actor, nothing of a document.
    fn log_is_clean(&self) {
        for word in ["panicked", "puffin", "lighthouse", "granite", "zibble"] {
            assert!(!self.server.log().contains(word), "the log has {word:?}\n{}", self.server.log());
        }
        let system = self.server.get("/v1/system").ok(200);
        let actors = system["actors"].as_array().expect("actors");
        assert!(actors.iter().all(|actor| actor["restarts"] == 0), "an actor was restarted: {system}");
    }
}
