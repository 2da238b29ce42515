//! Traces at a real OTLP receiver: who is whose parent, across actors and over the wire, what is never
//! in them, and that a receiver that is away costs nobody anything.

mod collector;

use crate::support::{Builder, Reply, Server, eventually};
use collector::{Collector, Span};
use mcp_rag_chaos::model::Model;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn builder(collector: &Collector) -> Builder {
    Server::builder().set("tracing.endpoint", &collector.url)
}

fn post(server: &Server, path: &str, header: (&str, &str), body: &Value) -> Reply {
    let request = server.request(Method::POST, path).header(header.0, header.1).json(body);
    Reply::read(request.send().expect("an answer"))
}

#[track_caller]
fn only<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {spans:#?}");
    found[0]
}

/// The hop to an actor below a stage.
#[track_caller]
fn hop<'a>(spans: &'a [Span], stage: &Span, actor: &str) -> &'a Span {
    let below = spans.iter().find(|span| span.parent == stage.id && span.attribute("actor") == actor);
    below.unwrap_or_else(|| panic!("no hop from {} to {actor}: {spans:#?}", stage.name))
}

#[test]
fn a_request_continues_its_callers_trace_through_every_stage_and_actor_hop() {
    let collector = Collector::start();
    let mut server = builder(&collector).start();
    server.create("facts");
    server.ingest("facts", &[("fox", "The canarytext fox jumps over the lazy dog.")]);

    let w3c = format!("00-{TRACE}-{PARENT}-01");
    let query = json!({"query": "canaryquery fox", "collections": ["facts"]});
    let reply = post(&server, "/v1/search", ("traceparent", &w3c), &query);
    reply.ok(200);
    assert_eq!(reply.header("x-trace-id"), TRACE);
    let line = server.log().await_line(0, |line| line.field("trace_id") == TRACE);
    assert_eq!((line.message(), line.field("status").as_str()), ("request", "200"));
    let spans = collector.trace(TRACE, "POST /v1/search");
    let request = only(&spans, "POST /v1/search");
    assert_eq!(request.parent, PARENT);
    assert_eq!(request.attribute("http.route"), "/v1/search");
    assert_eq!(request.attribute("http.request.method"), "POST");
    assert_eq!(request.attribute("http.response.status_code"), "200");
    let search = only(&spans, "search");
    assert_eq!(search.parent, request.id);
    for (stage, actor) in [("embed", "embedder"), ("find", "store")] {
        let stage = only(&spans, stage);
        assert_eq!(stage.parent, search.id);
        hop(&spans, stage, actor);
    }
    assert_eq!(only(&spans, "cache").parent, search.id);

    // Jaeger's own header, and an error.
    let jaeger = format!("{}:{PARENT}:0:1", TRACE.replace('4', "5"));
    let broken = json!({"query": "canaryquery", "collections": ["canarycollection"]});
    let reply = post(&server, "/v1/search", ("uber-trace-id", &jaeger), &broken);
    reply.error(404, "not_found");
    assert_eq!(reply.header("x-trace-id"), TRACE.replace('4', "5"));
    let spans = collector.trace(&TRACE.replace('4', "5"), "POST /v1/search");
    let request = only(&spans, "POST /v1/search");
    assert_eq!((request.parent.as_str(), request.error), (PARENT, false), "the client's mistake");
    assert_eq!(request.attribute("http.response.status_code"), "404");

    // A caller who decided against it is not traced; a path with an id is not told.
    let unsampled = format!("00-{}-{PARENT}-00", TRACE.replace('4', "6"));
    post(&server, "/v1/search", ("traceparent", &unsampled), &query).ok(200);
    server.delete("/v1/collections/facts/documents/canaryid").error(404, "not_found");
    server.get("/health/ready").ok(200);
    server.stop();

    let all = collector.spans();
    let known = |name: &str| all.iter().any(|span| span.name == name);
    assert!(known("DELETE /v1/collections/{name}/documents/{external_id}"), "sent at the end: {all:#?}");
    assert!(all.iter().all(|span| span.trace != TRACE.replace('4', "6")));
    assert!(!all.iter().any(|span| span.name.contains("/health")), "probes are not traced");
    let (task, publish) = (only(&all, "task"), only(&all, "publish"));
    assert_eq!((only(&all, "prepare").parent.as_str(), task.parent.as_str()), (task.id.as_str(), ""));
    hop(&all, publish, "store");
    assert!(all.iter().all(|span| span.name != "actor" || !span.parent.is_empty()), "polls are not traced");
    let bytes = collector.bytes();
    assert!(contains(&bytes, "deployment.environment.name") && contains(&bytes, "mcp-rag"));
    assert!(!contains(&bytes, "canary"), "no question, text or id of a client");
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_latency_in_the_metrics_leads_to_a_trace_of_it() {
    let collector = Collector::start();
    let server = builder(&collector).start();
    server.create("facts");
    let query = json!({"query": "fox", "collections": ["facts"]});
    let unsampled = TRACE.replace('4', "6");
    for (trace, sampled) in [(TRACE, "01"), (unsampled.as_str(), "00")] {
        post(&server, "/v1/search", ("traceparent", &format!("00-{trace}-{PARENT}-{sampled}")), &query)
            .ok(200);
    }
    let scrape = |accept: &str| {
        let url = format!("{}/metrics", server.admin_url());
        let request = reqwest::blocking::Client::new().get(url).header("accept", accept);
        request.send().and_then(reqwest::blocking::Response::text).expect("metrics")
    };
    let open = scrape("application/openmetrics-text;version=1.0.0");
    let bucket = "mcp_rag_http_request_seconds_bucket{route=\"/v1/search\",le=\"";
    let exemplars: Vec<_> = open.lines().filter(|line| line.contains(" # {")).collect();
    assert!(exemplars.iter().any(|line| line.starts_with(bucket) && line.contains(TRACE)), "{open}");
    assert!(!open.contains(&unsampled), "nobody can look at a trace that was not sent");
    assert!(!scrape("text/plain").contains(TRACE), "the older format has no place for it");
}

#[test]
fn a_chat_model_is_asked_within_the_trace_of_the_answer_streamed_or_not() {
    let (collector, model) = (Collector::start(), Model::start());
    let mut server = builder(&collector)
        .set("generator.kind", "openai")
        .set("generator.base_url", model.url())
        .set("generator.model", "tiny-chat")
        .start();
    server.create("facts");
    server.ingest("facts", &[("fox", "The brown fox jumps over the lazy dog every morning.")]);
    for (stream, trace) in [(false, TRACE.to_owned()), (true, TRACE.replace('4', "5"))] {
        let w3c = format!("00-{trace}-{PARENT}-01");
        let question = json!({"question": "canary: what does the brown fox jump over?", "stream": stream});
        let reply = post(&server, "/v1/answers", ("traceparent", &w3c), &question);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let asked = model.asked().pop().expect("a question");
        eventually("every span is there", || {
            collector.spans().iter().any(|span| span.trace == trace && span.name == "answer")
        });
        let spans = collector.trace(&trace, "POST /v1/answers");
        let generate = only(&spans, "generate");
        assert_eq!(generate.parent, only(&spans, "answer").id);
        assert_eq!(only(&spans, "answer").parent, only(&spans, "POST /v1/answers").id);
        let caller = hop(&spans, generate, "generator").id.clone();
        assert_eq!(asked.traces[0], format!("00-{trace}-{caller}-01"));
        assert!(asked.traces[1].starts_with(&format!("{trace}:{caller}:")), "{:?}", asked.traces);
    }
    server.stop();
    assert!(!contains(&collector.bytes(), "canary") && !contains(&collector.bytes(), "lazy dog"));
}

fn spans_counted(server: &Server, outcome: &str) -> u64 {
    let metrics = server.admin("/metrics").text();
    let name = format!("mcp_rag_trace_spans_total{{outcome=\"{outcome}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |count| count.parse().expect("a number"))
}

#[test]
fn a_collector_that_is_silent_or_away_costs_counted_spans_and_no_request_waits() {
    let collector = Collector::start();
    let mut server = builder(&collector).set("tracing.queue", 64).set("tracing.timeout_ms", 500).start();
    server.create("facts");
    eventually("spans arrive", || !collector.spans().is_empty());
    collector.fall_silent();
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    while began.elapsed() < Duration::from_secs(3) {
        let asked = Instant::now();
        server.get("/v1/collections").ok(200);
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_millis(400), "as long as without: {slowest:?}");
    eventually("what had no place is counted", || spans_counted(&server, "dropped") > 0);
    eventually("what was not taken is counted", || spans_counted(&server, "failed") > 0);
    let told = |text: &str| server.log().since(0).iter().filter(|line| line.message().contains(text)).count();
    assert_eq!(told("does not take spans"), 1, "once, however often it fails");
    collector.heal();
    let before = collector.spans().len();
    eventually("spans arrive again", || {
        server.get("/v1/collections").ok(200);
        collector.spans().len() > before
    });
    eventually("and it says so", || told("takes spans again") == 1);
    collector.fall_silent();
    server.get("/v1/collections").ok(200);
    let began = Instant::now();
    server.stop();
    assert!(began.elapsed() < Duration::from_secs(10), "the end does not wait for it: {:?}", began.elapsed());
}

#[test]
fn without_an_endpoint_there_are_no_traces() {
    let server = Server::start();
    let reply = post(
        &server,
        "/v1/search",
        ("traceparent", &format!("00-{TRACE}-{PARENT}-01")),
        &json!({"query": "x"}),
    );
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("x-trace-id"), "");
    let refused = Server::builder().set("tracing.endpoint", "jaeger:4318").start_refused();
    assert_eq!(refused.0, Some(78), "{}", refused.1);
}
