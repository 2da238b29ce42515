//! Being told of the end of a job: signed, repeated until it is heard, and never into the operator's own network.

use crate::support::{Builder, Server, eventually};
use crate::tools::{document, lines};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

const SECRET: &str = "a secret of more than 24 characters";

struct Call {
    headers: HashMap<String, String>,
    body: String,
}

/// Answers with each of these statuses in turn, then with 204.
struct Receiver {
    url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Receiver {
    fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("its address"));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&calls);
        std::thread::spawn(move || {
            let mut statuses = statuses.iter();
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                let mut reader = BufReader::new(&stream);
                let mut headers = HashMap::new();
                let mut line = String::new();
                while reader.read_line(&mut line).expect("a line") > 2 {
                    if let Some((name, value)) = line.split_once(": ") {
                        headers.insert(name.to_lowercase(), value.trim().to_owned());
                    }
                    line.clear();
                }
                let length = headers["content-length"].parse().expect("a length");
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("the body");
                let body = String::from_utf8(body).expect("text");
                seen.lock().expect("no panic").push(Call { headers, body });
                let status = statuses.next().unwrap_or(&204);
                let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                (&stream).write_all(answer.as_bytes()).expect("an answer");
            }
        });
        Self { url, calls }
    }

    fn calls(&self) -> usize {
        self.calls.lock().expect("no panic").len()
    }
}

fn builder() -> Builder {
    Server::builder().set("webhooks.allow_private", true).env("MCP_RAG__WEBHOOKS__SECRET", SECRET)
}

fn told(server: &Server, url: &str) -> Value {
    let path = format!("/v1/collections/docs/documents?webhook={url}");
    let body = lines((0..3).map(|n| document(n, 0)));
    let receipt = server.send(reqwest::Method::POST, &path, "application/x-ndjson", body.as_str()).ok(202);
    server.await_job(receipt["job"].as_str().expect("a job"))
}

#[test]
fn the_end_of_a_job_is_told_signed_and_again_until_the_receiver_has_it() {
    let receiver = Receiver::start(&[500]);
    let server = builder().start();
    server.create("docs");
    let job = told(&server, &receiver.url);
    eventually("it is told twice", || receiver.calls() == 2);
    let path = format!("/v1/jobs/{}", job["id"].as_str().expect("an id"));
    eventually("it is written down", || server.get(&path).ok(200)["webhook"]["delivered"] == json!(true));
    let told = server.get(&path).ok(200)["webhook"].clone();
    assert_eq!(told, json!({"url": receiver.url, "delivered": true, "attempts": 2, "error": null}));
    let calls = receiver.calls.lock().expect("no panic");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    for call in calls.iter() {
        let header = |name: &str| call.headers[name].as_str();
        let signed = format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), call.body);
        let signature = header("webhook-signature").strip_prefix("v1,").expect("version 1");
        let signature = STANDARD.decode(signature).expect("base64");
        hmac::verify(&key, signed.as_bytes(), &signature).expect("the signature is right");
        let body: Value = serde_json::from_str(&call.body).expect("JSON");
        assert_eq!((&body["type"], &body["data"]["id"]), (&json!("job.succeeded"), &job["id"]), "{body}");
        assert_eq!(body["data"]["progress"]["done"], 3);
    }
    assert_eq!(calls[0].headers["webhook-id"], calls[1].headers["webhook-id"], "a repetition can be told");
}

#[test]
fn a_receiver_that_never_hears_is_given_up_and_the_job_says_so() {
    let receiver = Receiver::start(&[404, 404, 404]);
    let server = builder().set("webhooks.max_attempts", 1).start();
    server.create("docs");
    let job = told(&server, &receiver.url);
    let path = format!("/v1/jobs/{}", job["id"].as_str().expect("an id"));
    eventually("it is given up", || server.get(&path).ok(200)["webhook"]["delivered"] == json!(false));
    assert_eq!(server.get(&path).ok(200)["webhook"]["error"], "answered with status 404");
}

#[test]
fn an_address_within_the_operators_network_is_refused_when_given_and_when_resolved() {
    let receiver = Receiver::start(&[]);
    let server =
        Server::builder().env("MCP_RAG__WEBHOOKS__SECRET", SECRET).set("webhooks.max_attempts", 1).start();
    server.create("docs");
    for url in [
        "http://127.0.0.1/",
        "http://169.254.169.254/x",
        "http://2130706433/",
        "ftp://example.org/",
        "nonsense",
    ] {
        let path = format!("/v1/collections/docs/documents/x?webhook={url}");
        let error = server.put(&path, &json!({"text": "words"})).ok(400);
        assert_eq!(error["error"]["param"], "webhook", "{url}: {error}");
    }
    let job = told(&server, &receiver.url.replace("127.0.0.1", "localhost"));
    let path = format!("/v1/jobs/{}", job["id"].as_str().expect("an id"));
    eventually("it is given up", || server.get(&path).ok(200)["webhook"]["delivered"] == json!(false));
    assert_eq!(receiver.calls(), 0, "nobody was called");
    let bare = Server::start();
    bare.create("docs");
    let error = bare
        .put("/v1/collections/docs/documents/x?webhook=https://example.org/", &json!({"text": "words"}))
        .ok(400);
    assert!(
        error["error"]["message"].as_str().is_some_and(|text| text.contains("webhooks.secret")),
        "{error}"
    );
}
