use crate::support::{Server, sse};
use reqwest::Method;
use serde_json::{Value, json};

fn server() -> Server {
    let server = Server::start();
    server.create("ops");
    for (id, text) in [
        (
            "passwords",
            "# Passwords\n\nThe database password is rotated every 90 days by the operations team. \
             Zoë – the “key keeper” – holds a sealed copy in the vault.\n",
        ),
        ("backups", "# Backups\n\nBackups are taken every night at two o'clock and kept for thirty days.\n"),
        ("lunch", "# Lunch\n\nThe canteen serves soup on Mondays and dumplings on Fridays.\n"),
    ] {
        server.put_document("ops", id, &json!({"text": text, "media_type": "text/markdown"})).ok(201);
    }
    server
}

/// What a citation claims is checked against the documents themselves.
fn check(server: &Server, answer: &Value) {
    let text = answer["answer"].as_str().expect("an answer");
    for citation in answer["citations"].as_array().expect("citations") {
        let at = |value: &Value| usize::try_from(value.as_u64().expect("an offset")).expect("small");
        let content = server.content("ops", citation["external_id"].as_str().expect("an id"));
        let quote = citation["quote"].as_str().expect("a quote");
        let span = at(&citation["span"]["start"])..at(&citation["span"]["end"]);
        assert!(!quote.is_empty());
        assert_eq!(&content[span], quote.as_bytes(), "the quote is the document's own bytes");
        let claim = &text[at(&citation["start"])..at(&citation["end"])];
        assert!(
            claim.split_whitespace().count() > 2,
            "a citation supports words of the answer, not {claim:?}"
        );
        let mark = format!("[{}]", citation["index"]);
        assert!(text.contains(&mark), "{mark} is in {text:?}");
        for field in ["chunk_id", "external_id", "title", "uri", "collection"] {
            assert!(citation[field].is_string(), "{field}");
        }
    }
}

#[test]
fn an_answer_is_made_of_cited_sentences_that_are_really_there() {
    let server = server();
    for (question, word, source) in [
        ("How often is the database password rotated?", "90 days", "passwords"),
        ("When are backups taken?", "night", "backups"),
        ("What is served in the canteen on Fridays?", "dumplings", "lunch"),
        ("Who holds a sealed copy in the vault?", "Zoë", "passwords"),
    ] {
        let answer = server.post("/v1/answers", &json!({ "question": question })).ok(200);
        assert_eq!(answer["abstained"], false, "{answer}");
        assert!(answer["answer"].as_str().is_some_and(|text| text.contains(word)), "{question}: {answer}");
        assert_eq!(answer["citations"][0]["external_id"], source, "{answer}");
        check(&server, &answer);
        assert_eq!((&answer["model"], &answer["degraded"]), (&json!("extractive"), &json!([])));
        assert!(answer["id"].is_string() && answer["usage"].is_object(), "{answer}");
    }
}

#[test]
fn what_the_documents_do_not_say_is_not_answered() {
    let server = server();
    for question in [
        "What is the airspeed velocity of an unladen swallow?",
        "Who won the chess championship in 1972?",
        "Wie hoch ist der Mount Everest?",
        "???",
    ] {
        let answer = server.post("/v1/answers", &json!({ "question": question })).ok(200);
        assert_eq!((&answer["abstained"], &answer["citations"]), (&json!(true), &json!([])), "{answer}");
        assert!(answer["answer"].as_str().is_some_and(|text| !text.is_empty()));
    }
    server.create("empty");
    let body = json!({"question": "How often is the password rotated?", "collections": ["empty"]});
    assert_eq!(
        server.post("/v1/answers", &body).ok(200)["abstained"],
        true,
        "nothing from other collections"
    );
}

#[test]
fn a_streamed_answer_is_the_same_answer_piece_by_piece() {
    let server = server();
    let mut body = json!({"question": "How often is the database password rotated?"});
    let whole = server.post("/v1/answers", &body).ok(200);
    body["stream"] = json!(true);
    let response = server.request(Method::POST, "/v1/answers").json(&body).send().expect("a stream");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    assert!(!response.headers()["x-request-id"].is_empty());
    let events: Vec<_> = sse::events(response).collect();
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names.first(), Some(&"search"), "{names:?}");
    assert_eq!(names.last(), Some(&"done"), "{names:?}");
    assert!(names[1..names.len() - 1].iter().all(|name| ["delta", "citation"].contains(name)), "{names:?}");
    assert!(!events[0].data["results"].as_array().expect("results").is_empty());
    let first_delta = names.iter().position(|name| *name == "delta").expect("a delta");
    let first_citation = names.iter().position(|name| *name == "citation").expect("a citation");
    assert!(first_delta < first_citation, "{names:?}");
    let text: String = events
        .iter()
        .filter(|event| event.name == "delta")
        .map(|event| event.data["text"].as_str().expect("text"))
        .collect();
    let done = &events[events.len() - 1].data;
    assert_eq!(text, done["answer"].as_str().expect("the answer"), "the deltas make up the answer");
    let citations: Vec<&Value> =
        events.iter().filter(|event| event.name == "citation").map(|event| &event.data).collect();
    assert_eq!(citations, done["citations"].as_array().expect("citations").iter().collect::<Vec<_>>());
    for field in ["answer", "citations", "abstained", "model"] {
        assert_eq!(done[field], whole[field], "{field}");
    }
    check(&server, done);
}

#[test]
fn a_streamed_abstention_and_a_refused_question_keep_to_the_contract() {
    let server = server();
    let ask =
        |body: Value| server.request(Method::POST, "/v1/answers").json(&body).send().expect("an answer");
    let events: Vec<_> =
        sse::events(ask(json!({"question": "Who painted Guernica?", "stream": true}))).collect();
    let done = events.last().expect("events");
    assert_eq!((done.name.as_str(), &done.data["abstained"]), ("done", &json!(true)));
    assert_eq!(done.data["citations"], json!([]));
    // A mistake in the request is an answer of its own and no stream.
    let refused = crate::support::Reply::read(ask(json!({"question": "", "stream": true})));
    assert_eq!(refused.error(400, "invalid_request")["param"], "question");
    // What is found out after the stream began is its last event, or a plain error before it.
    let unknown = ask(json!({"question": "Why?", "stream": true, "collections": ["nowhere"]}));
    if unknown.status() == 200 {
        let events: Vec<_> = sse::events(unknown).collect();
        assert_eq!(events.len(), 1);
        assert_eq!(
            (events[0].name.as_str(), &events[0].data["error"]["code"]),
            ("error", &json!("not_found"))
        );
    } else {
        crate::support::Reply::read(unknown).error(404, "not_found");
    }
    for (body, param) in [
        (json!({"question": "x", "query": "x"}), "query"),
        (json!({"question": "x", "instruction": "x"}), "instruction"),
    ] {
        assert_eq!(server.post("/v1/answers", &body).error(400, "unknown_field")["param"], param);
    }
    for (body, param) in [
        (json!({"question": "x", "max_output_tokens": 0}), "max_output_tokens"),
        (json!({"question": "x", "instructions": "y".repeat(5000)}), "instructions"),
        (json!({"question": "x", "top_k": 0}), "top_k"),
    ] {
        assert_eq!(server.post("/v1/answers", &body).error(400, "invalid_request")["param"], param);
    }
}

#[test]
fn the_search_fields_narrow_what_is_answered_from() {
    let server = server();
    let question = "How often is the database password rotated?";
    server
        .put_document(
            "ops",
            "old",
            &json!({
                "text": "The database password is rotated every 30 days by the operations team.",
                "attributes": {"archive": true},
            }),
        )
        .ok(201);
    let filters = json!({"type": "eq", "key": "archive", "value": true});
    let old = server.post("/v1/answers", &json!({"question": question, "filters": filters})).ok(200);
    assert!(old["answer"].as_str().is_some_and(|text| text.contains("30") && !text.contains("90")), "{old}");
    let filters = json!({"type": "ne", "key": "archive", "value": true});
    let new = server.post("/v1/answers", &json!({"question": question, "filters": filters})).ok(200);
    assert!(new["answer"].as_str().is_some_and(|text| text.contains("90") && !text.contains("30")), "{new}");
    check(&server, &new);
}
