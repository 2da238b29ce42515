//! The calls a test makes of a running server.

use super::{PATIENCE, Reply, Server, eventually};
use reqwest::Method;
use reqwest::blocking::RequestBuilder;
use serde_json::{Value, json};
use std::time::Instant;

/// Escapes a path's segment, such as an external id.
pub(crate) fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

impl Server {
    /// A request to the API's port, with the token when there is one.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url()));
        match &self.builder.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn call(&self, request: RequestBuilder) -> Reply {
        let reply = Reply::read(request.send().unwrap_or_else(|error| panic!("{error:?}\n{}", self.log)));
        if reply.status >= 400 {
            self.keeps_secrets("an error", &reply.text());
        }
        reply
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.call(self.request(Method::GET, path))
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.call(self.request(Method::DELETE, path))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.call(self.request(Method::POST, path).json(body))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Reply {
        self.call(self.request(Method::PUT, path).json(body))
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Reply {
        self.call(self.request(Method::PATCH, path).json(body))
    }

    /// Bytes of a kind.
    pub(crate) fn send(&self, method: Method, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Reply {
        self.call(self.request(method, path).header("content-type", kind).body(body.into()))
    }

    /// A GET on the admin port.
    pub(crate) fn admin(&self, path: &str) -> Reply {
        self.call(self.http.get(format!("{}{path}", self.admin_url())))
    }

    /// A new collection with default settings.
    #[track_caller]
    pub(crate) fn create(&self, name: &str) -> Value {
        self.create_with(&json!({ "name": name }))
    }

    #[track_caller]
    pub(crate) fn create_with(&self, body: &Value) -> Value {
        self.post("/v1/collections", body).ok(201)
    }

    /// Plain text documents, `(external_id, text)`, all searchable when it returns.
    #[track_caller]
    pub(crate) fn ingest(&self, collection: &str, documents: &[(&str, &str)]) {
        let documents: Vec<Value> =
            documents.iter().map(|(id, text)| json!({"external_id": id, "text": text})).collect();
        self.ingest_json(collection, &documents);
    }

    /// Documents with all their fields, all searchable when it returns.
    #[track_caller]
    pub(crate) fn ingest_json(&self, collection: &str, documents: &[Value]) {
        let lines: Vec<String> = documents.iter().map(Value::to_string).collect();
        let receipt = self.ndjson(collection, &lines.join("\n")).ok(202);
        assert_eq!(receipt["rejected"], json!([]), "{receipt}");
        if let Some(job) = receipt["job"].as_str() {
            let job = self.await_job(job);
            assert_eq!(job["status"], "succeeded", "{job}");
            assert_eq!(job["progress"]["failed"], 0, "{job}");
        }
    }

    /// A bulk upload as it is.
    pub(crate) fn ndjson(&self, collection: &str, lines: &str) -> Reply {
        let path = format!("/v1/collections/{collection}/documents");
        self.send(Method::POST, &path, "application/x-ndjson", lines)
    }

    /// The job once it is over.
    #[track_caller]
    pub(crate) fn await_job(&self, id: &str) -> Value {
        let mut last = Value::Null;
        eventually("the job is over", || {
            last = self.get(&format!("/v1/jobs/{id}")).ok(200);
            matches!(last["status"].as_str(), Some("succeeded" | "failed" | "cancelled"))
        });
        last
    }

    pub(crate) fn document_path(collection: &str, external_id: &str) -> String {
        format!("/v1/collections/{collection}/documents/{}", segment(external_id))
    }

    /// `PUT … ?wait=true` with a JSON body.
    pub(crate) fn put_document(&self, collection: &str, external_id: &str, body: &Value) -> Reply {
        self.put(&format!("{}?wait=true", Self::document_path(collection, external_id)), body)
    }

    pub(crate) fn document(&self, collection: &str, external_id: &str) -> Reply {
        self.get(&Self::document_path(collection, external_id))
    }

    /// The text that spans point into.
    #[track_caller]
    pub(crate) fn content(&self, collection: &str, external_id: &str) -> Vec<u8> {
        let reply = self.get(&format!("{}/content", Self::document_path(collection, external_id)));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.body
    }

    /// A search that must succeed.
    #[track_caller]
    pub(crate) fn search(&self, body: &Value) -> Value {
        self.post("/v1/search", body).ok(200)
    }

    /// The external ids a search of one collection finds, best first.
    #[track_caller]
    pub(crate) fn search_in(&self, collection: &str, query: &str, mode: &str) -> Vec<String> {
        ids(&self.search(&json!({"query": query, "collections": [collection], "mode": mode})))
    }

    /// Repeats a call while it answers 503 or not at all: for tests in which a dependency heals.
    #[track_caller]
    pub(crate) fn until_ok(&self, what: &str, call: impl Fn(&Self) -> reqwest::Result<u16>) {
        let began = Instant::now();
        while !call(self).is_ok_and(|status| (200..300).contains(&status)) {
            assert!(began.elapsed() < PATIENCE, "never succeeded: {what}\n{}", self.log);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// The external ids of results, best first.
pub(crate) fn ids(found: &Value) -> Vec<String> {
    let results = found["results"].as_array().expect("results");
    results.iter().map(|result| result["external_id"].as_str().expect("an id").to_owned()).collect()
}
