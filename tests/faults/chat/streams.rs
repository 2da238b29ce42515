use super::{Api, Reply};
use super::{KEY, QUESTION, TEXT, builder, mixed, question, server};
use crate::support::sse::{Event, events};
use crate::support::{Server, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn stream(server: &Server, extra: &Value) -> Vec<Event> {
    let mut body = question(extra);
    body["stream"] = json!(true);
    events(server.request(Method::POST, "/v1/answers").json(&body).send().expect("an answer")).collect()
}

fn deltas(events: &[Event]) -> String {
    let deltas = events.iter().filter(|event| event.name == "delta");
    deltas.map(|event| event.data["text"].as_str().expect("text")).collect()
}

#[test]
fn only_citations_that_the_passages_support_survive_and_the_rest_is_counted() {
    let api = Api::start();
    let mut server = server(builder(&api));
    api.next(mixed());
    let events = stream(&server, &json!({}));
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!((names.first(), names.last()), (Some(&"search"), Some(&"done")), "{names:?}");
    let expected =
        "The brown fox jumps over the lazy dog [1]. Pirates painted the harbour green . Mars is red .";
    assert_eq!(deltas(&events), expected);
    assert!(names.iter().filter(|name| **name == "delta").count() >= 3, "it streams: {names:?}");
    let citations: Vec<&Value> =
        events.iter().filter(|event| event.name == "citation").map(|event| &event.data).collect();
    assert_eq!(citations.len(), 1, "{citations:?}");
    assert_eq!(citations[0]["quote"], "The brown fox jumps over the lazy dog");
    let span = |name: &str| usize::try_from(citations[0]["span"][name].as_u64().unwrap()).unwrap();
    assert_eq!(&TEXT[span("start")..span("end")], citations[0]["quote"].as_str().unwrap());

    let done = &events.last().unwrap().data;
    assert_eq!((&done["answer"], &done["citations"][0]), (&json!(expected), citations[0]));
    assert_eq!((&done["removed_citations"], &done["abstained"]), (&json!(2), &json!(false)));
    assert_eq!((&done["model"], &done["degraded"]), (&json!("tiny-chat"), &json!([])));
    assert_eq!(done["usage"], json!({"prompt_tokens": 120, "completion_tokens": 24}));

    // The same without a stream.
    api.next(mixed());
    let whole = server.post("/v1/answers", &question(&json!({}))).ok(200);
    assert_eq!((&whole["answer"], &whole["removed_citations"]), (&json!(expected), &json!(2)));

    let asked = api.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].line, "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(asked[0].authorization, format!("Bearer {KEY}"));
    assert_eq!((&asked[0].body["model"], &asked[0].body["stream"]), (&json!("tiny-chat"), &json!(true)));
    assert!(asked[0].body["messages"].to_string().contains("white granite"), "the passages are in it");

    api.next(Reply::Status(401));
    server.post("/v1/answers", &question(&json!({}))).ok(200);
    server.stop();
    for secret in [KEY, QUESTION, "brown fox", "Pirates"] {
        assert!(!server.log().contains(secret), "the log holds {secret:?}\n{}", server.log());
    }
}

#[test]
fn a_refusal_of_the_model_is_an_abstention() {
    let api = Api::start();
    let mut server = server(builder(&api));
    api.next(Reply::whole(&["NO_", "ANS", "WER"]));
    let events = stream(&server, &json!({}));
    let done = &events.last().expect("events").data;
    assert_eq!((&done["abstained"], &done["citations"]), (&json!(true), &json!([])), "{done}");
    assert!(!deltas(&events).contains("NO_"), "{events:?}");
    assert!(!deltas(&events).is_empty() && done["answer"] == deltas(&events));
    server.stop();
}

#[test]
fn a_stream_that_is_cut_after_the_first_words_ends_with_an_error_event() {
    let api = Api::start();
    let mut server = server(builder(&api));
    api.next(Reply::cut(&["The brown fox jumps ", "over the "]));
    let began = Instant::now();
    let events = stream(&server, &json!({}));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let last = events.last().expect("events");
    assert_eq!(
        (last.name.as_str(), &last.data["error"]["code"]),
        ("error", &json!("unavailable")),
        "{last:?}"
    );
    assert_eq!(deltas(&events), "The brown fox jumps over the ");

    // Without a stream nothing was said yet.
    api.next(Reply::cut(&["The brown fox jumps ", "over the "]));
    let answer = server.post("/v1/answers", &question(&json!({}))).ok(200);
    assert_eq!(
        (&answer["model"], &answer["degraded"][0]["stage"]),
        (&json!("extractive"), &json!("generator"))
    );
    assert!(answer["answer"].as_str().is_some_and(|text| text.contains("lazy dog")), "{answer}");
    server.stop();
}

#[test]
fn a_client_that_leaves_ends_the_generation_at_the_model() {
    let api = Api::start();
    let mut server = server(builder(&api));
    for reply in [Reply::Hang, Reply::silence(&["The brown fox jumps ", "over the "])] {
        let left = api.left();
        let asked = api.asked().len();
        api.next(reply.clone());
        let mut body = question(&json!({}));
        body["stream"] = json!(true);
        let response = server.request(Method::POST, "/v1/answers").json(&body).send().expect("an answer");
        eventually("the model is asked", || api.asked().len() > asked);
        assert_eq!(api.left(), left);
        let began = Instant::now();
        drop(response); // closes the connection, which is in the middle of a stream
        eventually("the model's connection is closed", || api.left() > left);
        println!("{reply:?}: let go after {:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
    // And a client that waits for the whole answer, but not long enough.
    let (left, asked) = (api.left(), api.asked().len());
    api.next(Reply::Hang);
    let request = server.request(Method::POST, "/v1/answers").json(&question(&json!({})));
    assert!(request.timeout(Duration::from_millis(600)).send().is_err_and(|error| error.is_timeout()));
    assert!(api.asked().len() > asked);
    eventually("the model's connection is closed", || api.left() > left);
    server.stop();
}
