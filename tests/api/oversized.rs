//! Too much, too slow, or no HTTP at all: refused early, and the server goes on.

use super::bad_input::{server, still_well};
use crate::support::Server;
use reqwest::Method;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Sends raw bytes and reads what comes back until the server closes.
fn raw(server: &Server, head: &str, body: impl Iterator<Item = Vec<u8>>) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    socket.set_write_timeout(Some(Duration::from_secs(20))).expect("a limit");
    socket.write_all(head.as_bytes()).expect("the head is read");
    for piece in body {
        if socket.write_all(&piece).is_err() {
            break; // refused half-way, as it should be
        }
    }
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = socket.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..read]);
        if String::from_utf8_lossy(&answer).contains("\"error\"") {
            break;
        }
    }
    let _ = socket.shutdown(Shutdown::Both);
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(method: &str, path: &str, rest: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{rest}\r\n\r\n")
}

#[test]
fn a_body_beyond_the_limit_is_refused_before_it_is_read() {
    let server = server();
    for (method, path) in [
        ("POST", "/v1/search"),
        ("POST", "/v1/answers"),
        ("POST", "/v1/collections"),
        ("PUT", "/v1/collections/docs/documents/x"),
    ] {
        let announced = raw(&server, &head(method, path, "content-length: 1073741824"), std::iter::empty());
        assert!(announced.starts_with("HTTP/1.1 413"), "{method} {path} announced: {announced:?}");
        assert!(announced.contains("payload_too_large"), "{announced:?}");
        // 64 MiB and no end in sight, without a length.
        let piece = [b"10000\r\n".as_slice(), &vec![b'x'; 0x10000], b"\r\n"].concat();
        let streamed =
            raw(&server, &head(method, path, "transfer-encoding: chunked"), vec![piece; 1024].into_iter());
        let refused = streamed.starts_with("HTTP/1.1 413") || streamed.starts_with("HTTP/1.1 400");
        // A peer that is still writing may find the connection reset before it reads the answer.
        assert!(refused || streamed.is_empty(), "{method} {path} streamed: {streamed:?}");
    }
    let ndjson = "POST /v1/collections/docs/documents HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
                  content-length: 1073741824\r\n\r\n";
    assert!(raw(&server, ndjson, std::iter::empty()).starts_with("HTTP/1.1 413"));
    still_well(server);
}

#[test]
fn a_query_of_ten_megabytes_is_answered_with_a_413_that_the_client_gets_to_read() {
    let server = server();
    for field in ["query", "question"] {
        let path = if field == "query" { "/v1/search" } else { "/v1/answers" };
        let mut body = json!({});
        body[field] = Value::from("word ".repeat(2_000_000));
        for _ in 0..3 {
            server.post(path, &body).error(413, "payload_too_large");
        }
        body[field] = Value::from("word ".repeat(20_000));
        assert_eq!(server.post(path, &body).error(400, "invalid_request")["param"], field);
    }
    still_well(server);
}

#[test]
fn a_document_beyond_its_limit_is_refused_and_a_large_one_within_is_not() {
    let server = Server::builder()
        .set("ingest.max_document_bytes", 100_000)
        .set("server.max_body_bytes", 300_000)
        .start();
    server.create("docs");
    server.ingest("docs", &[("a", "The good document.")]);
    let path = "/v1/collections/docs/documents/x";
    server.send(Method::PUT, path, "text/plain", "x ".repeat(60_000)).error(413, "payload_too_large");
    server.send(Method::PUT, path, "text/plain", "x ".repeat(200_000)).error(413, "payload_too_large");
    let line = |id: &str, size: usize| json!({"external_id": id, "text": "y ".repeat(size)}).to_string();
    let receipt = server.ndjson("docs", &format!("{}\n{}", line("big", 60_000), line("small", 10))).ok(202);
    assert_eq!(receipt["rejected"][0]["line"], 1, "{receipt}");
    assert_eq!(receipt["accepted"], 1);
    server.await_job(receipt["job"].as_str().expect("a job"));
    server.delete("/v1/collections/docs/documents/small").ok(200);
    still_well(server);
}

#[test]
fn requests_that_are_no_http_or_never_finish_do_no_harm() {
    let server = Server::builder().set("server.read_timeout_ms", 1000).start();
    server.create("docs");
    server.ingest("docs", &[("a", "The good document.")]);
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\r\n\r\n",
        b"POST /v1/search HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/search HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        b"POST /v1/search HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /health HTTP/1.1\r\nx: \x00\r\n\r\n",
    ] {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        let _ = socket.write_all(bytes);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{bytes:?}: {answer}");
    }
    // A head that never comes to its end is given up.
    let mut slow = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    slow.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    slow.write_all(b"GET /health HTTP/1.1\r\nx-slow: ").expect("it is open");
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).expect("the server closes it");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    still_well(server);
}
