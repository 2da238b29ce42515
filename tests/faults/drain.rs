//! Leaving in order: what a proxy, a client and another replica see of a server that was told to stop.

use crate::support::{Server, eventually, sse};
use crate::tools::{document, lines, number, signal};
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const STOPPING: &str = "stopping: finishing what is in flight";

/// A bulk upload that keeps the worker busy for a while.
fn long_job(server: &Server, documents: usize) -> String {
    server.create("docs");
    let receipt = server.ndjson("docs", &lines((0..documents).map(|n| document(n, 0)))).ok(202);
    receipt["job"].as_str().expect("a job").to_owned()
}

fn raw(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
    stream
}

/// One exchange on a connection that stays as it is; the head and what came of the body.
fn exchange(stream: &mut TcpStream, path: &str) -> String {
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is sent");
    let mut bytes = vec![0; 64 * 1024];
    let read = stream.read(&mut bytes).expect("an answer");
    String::from_utf8_lossy(&bytes[..read]).to_lowercase()
}

#[test]
fn a_server_told_to_stop_says_so_on_every_response_and_goes_on_serving_for_the_delay() {
    let mut server = Server::builder().set("server.drain_delay_ms", 3000).start();
    let (mut idle, mut used) = (raw(server.port()), raw(server.port()));
    let before = exchange(&mut used, "/v1/collections");
    assert!(before.starts_with("http/1.1 200") && !before.contains("connection: close"), "{before}");

    let began = Instant::now();
    signal(server.pid(), Signal::SIGTERM);
    server.log().await_line(0, |line| line.message() == STOPPING);
    let ready = server.get("/health/ready");
    assert_eq!(ready.status, 503, "proxies are told to look elsewhere");
    assert!(ready.text().contains("draining"), "{}", ready.text());
    assert_eq!(server.admin("/health/live").status, 200);
    // Connections that were open before, and one opened now, are served, and end with that.
    for mut stream in [used, raw(server.port())] {
        let last = exchange(&mut stream, "/v1/collections");
        assert!(last.starts_with("http/1.1 200") && last.contains("connection: close"), "{last}");
        assert_eq!(stream.read(&mut [0; 16]).expect("its end"), 0, "the server closes it");
    }
    let refused = exchange(&mut raw(server.port()), "/v1/jobs/nonsense");
    assert!(refused.starts_with("http/1.1 404") && refused.contains("connection: close"), "{refused}");
    assert!(began.elapsed() < Duration::from_secs(3), "all that happened within the delay");
    assert_eq!(server.admin("/metrics").status, 200);

    server.await_exit();
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(idle.read(&mut [0; 16]).expect("its end"), 0, "an idle connection is closed, not reset");
}

#[test]
fn open_streams_end_politely_and_the_stop_is_in_time_and_in_order() {
    let mut server = Server::start();
    let job = long_job(&server, 400);
    let path = format!("/v1/jobs/{job}/events");
    let mut streams: Vec<_> =
        (0..8).map(|_| server.request(Method::GET, &path).send().expect("a stream")).collect();
    let mut first = vec![0; 4];
    for stream in &mut streams {
        stream.read_exact(&mut first).expect("the first event comes");
        assert_eq!(first, b"id: ");
    }
    let began = Instant::now();
    signal(server.pid(), Signal::SIGTERM);
    for mut stream in streams {
        let mut rest = String::new();
        stream.read_to_string(&mut rest).expect("the stream ends as HTTP wants it, not cut off");
        let told = rest.contains("\nretry: ") || rest.contains("event: done");
        assert!(told, "the client is told when to come back, or that it is over: {rest}");
    }
    server.await_exit();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn a_client_that_was_cut_off_resumes_a_jobs_events_where_it_was() {
    let mut server = Server::start();
    let job = long_job(&server, 300);
    let path = format!("/v1/jobs/{job}/events");
    let follow = |server: &Server, last: &str| {
        let request = server.request(Method::GET, &path);
        let request = if last.is_empty() { request } else { request.header("last-event-id", last) };
        request.send().expect("a stream")
    };
    let stream = follow(&server, "");
    signal(server.pid(), Signal::SIGTERM);
    let seen: Vec<_> = sse::events(stream).collect();
    server.await_exit();
    server.restart();
    let last = seen.last().expect("an event").clone();
    let resumed: Vec<_> = sse::events(follow(&server, &last.id)).collect();
    assert!(resumed.iter().all(|event| event.id != last.id), "nothing is told twice: {resumed:?}");
    let done = resumed.last().expect("an event");
    assert_eq!((done.name.as_str(), &done.data["progress"]["done"]), ("done", &json!(300)));
    // An EventSource comes back after every end; 204 is what keeps it away.
    assert_eq!(follow(&server, &done.id).status(), 204);
}

#[test]
fn a_lease_is_given_back_at_the_stop_so_that_another_server_goes_on_at_once() {
    let mut server = Server::builder().set("ingest.lease_ms", 600_000).start();
    let job = long_job(&server, 300);
    let running = "SELECT count(*) FROM jobs WHERE status = 'running'";
    eventually("the worker has taken it", || number(&server, running) == 1);
    server.stop();
    assert!(server.log().last("leases given back").is_some(), "{}", server.log());
    server.restart();
    let began = Instant::now();
    let done = server.await_job(&job); // ten minutes if the lease had to run out
    assert!(began.elapsed() < Duration::from_secs(45), "{:?}", began.elapsed());
    assert_eq!((&done["status"], &done["attempts"]), (&json!("succeeded"), &json!(1)));
    assert_eq!(done["progress"], json!({"done": 300, "failed": 0, "total": 300}));
}

#[test]
fn a_request_that_is_under_way_is_finished_before_the_end() {
    let mut server = Server::start();
    server.create("docs");
    let mut stream = raw(server.port());
    let body = "{\"query\": \"tides\"}";
    write!(
        stream,
        "POST /v1/search HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    )
    .expect("the head is sent");
    // What shows that the request has begun.
    let mut goes_on = [0; 25];
    stream.read_exact(&mut goes_on).expect("an interim answer");
    assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    signal(server.pid(), Signal::SIGTERM);
    server.log().await_line(0, |line| line.message() == STOPPING);
    stream.write_all(body.as_bytes()).expect("the rest is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer and an orderly end");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"results\""), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    server.await_exit();
}
