//! One walk through every surface, with secrets in whatever a client sends. Nothing is expected of it but that it ends.

use crate::secrets::{JWT, QUESTION, TEXT};
use crate::support::Server;
use reqwest::Method;
use reqwest::blocking::multipart::{Form, Part};
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::{Value, json};
use std::time::Duration;

struct Tour<'a> {
    server: &'a Server,
    http: Client,
    errors: Vec<String>,
    keys: Vec<String>,
}

/// The bodies of errors, and the API keys that were made.
pub(crate) fn tour(server: &Server, webhook: &str, phase: &str) -> (Vec<String>, Vec<String>) {
    let http = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().expect("a client");
    let mut tour = Tour { server, http, errors: vec![format!("-- {phase}")], keys: Vec::new() };
    tour.keys();
    tour.documents(webhook);
    tour.questions();
    tour.openai();
    tour.mcp();
    tour.strangers();
    (tour.errors, tour.keys)
}

impl Tour<'_> {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.server
            .request(method, path)
            .header("x-request-timeout-ms", "1000")
            .timeout(Duration::from_secs(10))
    }

    fn send(&mut self, request: RequestBuilder) -> Value {
        let Ok(answer) = request.send() else { return Value::Null };
        let status = answer.status();
        let head: String = answer.headers().iter().map(|header| format!("{header:?} ")).collect();
        let body = answer.text().unwrap_or_default();
        if !status.is_success() {
            self.errors.push(format!("{status} {head} {body}"));
        }
        serde_json::from_str(&body).unwrap_or_default()
    }

    fn json(&mut self, method: Method, path: &str, body: &Value) -> Value {
        let request = self.request(method, path).json(body);
        self.send(request)
    }

    fn get(&mut self, path: &str) -> Value {
        let request = self.request(Method::GET, path);
        self.send(request)
    }

    fn keys(&mut self) {
        let made = self.json(Method::POST, "/v1/keys", &json!({"name": "one", "scopes": ["search"]}));
        let rotated = self.json(
            Method::POST,
            &format!("/v1/keys/{}/rotate", made["id"].as_str().unwrap_or("none")),
            &json!({}),
        );
        for key in [made, rotated].iter().filter_map(|key| key["secret"].as_str()) {
            self.keys.push(key.to_owned());
        }
        self.get("/v1/keys");
        for key in self.keys.clone() {
            // Good for searches, and for nothing else; and one letter off.
            for (key, path) in [
                (key.clone(), "/v1/keys"),
                (key.clone(), "/v1/collections"),
                (format!("{key}x"), "/v1/collections"),
            ] {
                let request = self.http.get(format!("{}{path}", self.server.url())).header("x-api-key", key);
                self.send(request);
            }
        }
    }

    fn documents(&mut self, webhook: &str) {
        let text = format!("The {TEXT} sings at dawn. It is old.");
        let document =
            json!({"text": text, "title": "a song", "attributes": {"of": "birds"}, "acl": ["all"]});
        let path = "/v1/collections/docs/documents/song?wait=true";
        self.json(Method::PUT, path, &document);
        let again = self.request(Method::PUT, path).header("idempotency-key", "once").json(&document);
        self.send(again);
        self.json(Method::PUT, path, &json!({"text": text, "unknown": 1}));
        let broken = format!("{{\"external_id\":\"two\",\"text\":\"{TEXT} two\"}}\n{{\"{TEXT}\": broken");
        for body in [broken, format!("{{\"external_id\":\"song\",\"text\":\"{text}\"}}")] {
            let path = format!("/v1/collections/docs/documents?webhook={webhook}");
            let request =
                self.request(Method::POST, &path).header("content-type", "application/x-ndjson").body(body);
            let job = self.send(request);
            self.get(&format!("/v1/jobs/{}", job["job"].as_str().unwrap_or("none")));
        }
        for kind in ["text/plain", "application/pdf", "text/html", "nonsense"] {
            let body = [text.as_bytes(), b" \xff\xfe\x00"].concat();
            let path = "/v1/collections/docs/documents/bytes?wait=true";
            let request = self.request(Method::PUT, path).header("content-type", kind).body(body);
            self.send(request);
        }
        let request = self.request(Method::DELETE, "/v1/collections/docs/documents/bytes");
        self.send(request);
        self.get("/v1/collections/docs/documents");
        self.get("/v1/collections/docs/export");
        self.get("/v1/jobs");
        self.get("/v1/spaces");
        let matching = json!({"filters": {"type": "eq", "key": "of", "value": TEXT}, "dry_run": true});
        self.json(Method::POST, "/v1/collections/docs/documents/delete", &matching);
    }

    fn questions(&mut self) {
        for mode in ["hybrid", "dense", "lexical"] {
            for more in [
                json!({}),
                json!({"rerank": true}),
                json!({"rewrite": {"queries": 2}}),
                json!({"top_k": QUESTION}),
            ] {
                let mut body =
                    json!({"query": format!("{QUESTION} who sings"), "collections": ["docs"], "mode": mode});
                for (key, value) in more.as_object().into_iter().flatten() {
                    body[key] = value.clone();
                }
                self.json(Method::POST, "/v1/search", &body);
            }
        }
        for stream in [false, true] {
            let body = json!({"question": format!("{QUESTION}: who sings at dawn?"), "collections": ["docs"], "stream": stream});
            self.json(Method::POST, "/v1/answers", &body);
        }
        self.json(Method::POST, "/v1/search", &json!({"query": QUESTION, "filters": {"type": QUESTION}}));
        self.get(&format!("/v1/collections/{QUESTION}"));
    }

    fn openai(&mut self) {
        for stream in [false, true] {
            let messages = json!([{"role": "user", "content": format!("{QUESTION}: who sings at dawn?")}]);
            let body =
                json!({"model": "rag", "messages": messages, "stream": stream, "collections": ["docs"]});
            self.json(Method::POST, "/v1/chat/completions", &body);
        }
        self.json(Method::POST, "/v1/embeddings", &json!({"model": "hashed", "input": [QUESTION, TEXT]}));
        self.get("/v1/models");
        let file = Part::bytes(format!("The {TEXT} sings.").into_bytes()).file_name("song.txt");
        let form = Form::new().text("purpose", "assistants").part("file", file);
        let request = self.request(Method::POST, "/v1/files").multipart(form);
        let file = self.send(request)["id"].as_str().unwrap_or("none").to_owned();
        let store =
            self.json(Method::POST, "/v1/vector_stores", &json!({"name": "songs", "file_ids": [file]}));
        let path = format!("/v1/vector_stores/{}", store["id"].as_str().unwrap_or("none"));
        self.json(Method::POST, &format!("{path}/search"), &json!({"query": QUESTION}));
        for path in [path, format!("/v1/files/{file}")] {
            let request = self.request(Method::DELETE, &path);
            self.send(request);
        }
    }

    fn mcp(&mut self) {
        let call = |name: &str, arguments: Value| json!({"name": name, "arguments": arguments});
        for (method, params) in [
            (
                "initialize",
                json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}),
            ),
            ("tools/call", call("search", json!({"query": QUESTION, "collections": ["docs"]}))),
            ("tools/call", call("ask", json!({"question": QUESTION, "collections": ["docs"]}))),
            ("tools/call", call("fetch", json!({"id": "docs/song"}))),
            (
                "tools/call",
                call("ingest_document", json!({"collection": "docs", "external_id": "m", "text": TEXT})),
            ),
            ("tools/call", call(QUESTION, json!({}))),
            ("resources/read", json!({"uri": format!("mcp-rag://documents/docs/{QUESTION}")})),
            (QUESTION, json!({})),
        ] {
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
            let request =
                self.request(Method::POST, "/mcp").header("accept", "application/json, text/event-stream");
            let request = request.header("mcp-protocol-version", "2025-11-25").json(&body);
            let answer = self.send(request);
            if let Some(error) = answer.get("error") {
                // What a client wrote itself may be named to it.
                self.errors.push(error.to_string().replace(QUESTION, "[the client's]"));
            }
        }
    }

    /// Who is not let in.
    fn strangers(&mut self) {
        for path in
            ["/v1/collections", "/v1/search", "/mcp", "/v1/system", &format!("/nowhere/{JWT}?token={JWT}")]
        {
            let url = format!("{}{path}", self.server.url());
            for request in
                [self.http.get(&url).bearer_auth(JWT), self.http.post(&url).header("x-api-key", JWT)]
            {
                self.send(request);
            }
            let basic = self.http.get(&url).basic_auth("canary", Some(JWT));
            self.send(basic);
        }
    }
}
