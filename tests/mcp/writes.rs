use crate::rpc::{call, notes, refusal};
use serde_json::json;

#[test]
fn a_document_that_a_model_writes_is_found_at_once_replaced_and_deleted() {
    let server = notes();
    let new = json!({"collection": "notes", "external_id": "moon", "title": "Moon", "text": "The moon has quakes.",
        "url": "https://example.com/moon", "attributes": {"lang": "en"}});
    let written = call(&server, "ingest_document", new.clone());
    assert_eq!((&written["status"], &written["unchanged"]), (&json!("ready"), &json!(false)), "{written}");
    assert_eq!((&written["url"], &written["chunks"]), (&json!("https://example.com/moon"), &json!(1)));
    let found = call(&server, "search", json!({"query": "lunar quakes", "top_k": 1}));
    assert_eq!(found["results"][0]["source"]["external_id"], "moon");
    assert_eq!(call(&server, "ingest_document", new)["unchanged"], true, "the same again");
    let deleted = call(&server, "delete_document", json!({"id": written["id"]}));
    assert_eq!(deleted["deleted"]["documents"], 1, "{deleted}");
    assert_eq!(refusal(&server, "fetch", json!({"id": written["id"]}))["code"], "not_found");
    assert_eq!(refusal(&server, "delete_document", json!({"id": written["id"]}))["code"], "not_found");
}

#[test]
fn what_cannot_be_taken_in_says_why() {
    let server = notes();
    for (arguments, code, param) in [
        (json!({"collection": "nowhere", "external_id": "a", "text": "x"}), "not_found", json!(null)),
        (
            json!({"collection": "notes", "external_id": "", "text": "x"}),
            "invalid_request",
            json!("external_id"),
        ),
        (json!({"collection": "notes", "external_id": "a"}), "invalid_request", json!(null)),
        (
            json!({"collection": "notes", "external_id": "a", "text": "x", "media_type": "x/y"}),
            "unsupported_media_type",
            json!("media_type"),
        ),
        (
            json!({"collection": "notes", "external_id": "a", "text": "x", "attributes": []}),
            "invalid_request",
            json!("attributes"),
        ),
    ] {
        let error = refusal(&server, "ingest_document", arguments.clone());
        assert_eq!(error["code"], code, "{arguments}: {error}");
        if !param.is_null() {
            assert_eq!(error["param"], param, "{arguments}: {error}");
        }
    }
}

#[test]
fn collections_are_listed_in_pages() {
    let server = notes();
    for n in 0..105 {
        server.create(&format!("more-{n}"));
    }
    let first = call(&server, "list_collections", json!({}));
    assert_eq!(first["collections"].as_array().map(Vec::len), Some(100));
    assert_eq!(
        (&first["collections"][0]["name"], &first["collections"][0]["documents"]),
        (&json!("notes"), &json!(3))
    );
    let second = call(&server, "list_collections", json!({"cursor": first["cursor"]}));
    assert_eq!((second["collections"].as_array().map(Vec::len), &second["cursor"]), (Some(6), &json!(null)));
}
