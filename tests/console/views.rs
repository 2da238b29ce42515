//! Each view, as a person uses it.

use crate::support::{Server, eventually};
use crate::{TOKEN, browse};
use mcp_rag_chaos::model::{Model, Reply};
use reqwest::Method;
use serde_json::{Value, json};

/// A server that asks for a credential, with documents about animals.
fn server() -> Server {
    let server = Server::builder().token(TOKEN).start();
    server.create_with(&json!({"name": "notes", "description": "About animals"}));
    let far = format!(
        "{}The quick brown fox jumps over the lazy dog.\n",
        "Nothing of note happens here. ".repeat(400)
    );
    let documents = [
        json!({"external_id": "fox", "title": "Fox", "text": far}),
        json!({"external_id": "bees", "title": "Bees", "text": "Bees dance to tell where flowers are."}),
        json!({"external_id": "ants/äö.txt", "text": "Ameisen tragen das Fünfzigfache. Ants carry fifty times their weight."}),
    ];
    server.ingest_json("notes", &documents);
    server
}

#[test]
fn an_answer_is_streamed_and_its_citation_opens_the_source_at_the_span_that_proves_it() {
    browse(&server(), "ask", &Value::Null);
}

#[test]
fn what_a_model_has_written_so_far_is_there_with_its_citations_and_can_be_stopped() {
    let model = Model::start();
    let server = Server::builder()
        .token(TOKEN)
        .set("generator.kind", "openai")
        .set("generator.base_url", model.url())
        .set("generator.model", "tiny-chat")
        .start();
    server.create("notes");
    server.ingest("notes", &[("fox", "The quick brown fox jumps over the lazy dog.")]);
    model.next(Reply::silence(&["The quick brown fox jumps ", "over the lazy dog [1]. ", "And it is"]));
    let left = model.left();
    browse(&server, "stream", &Value::Null);
    eventually("stopping has ended the work of the model", || model.left() > left);
}

#[test]
fn a_search_is_gone_through_by_keyboard_and_says_what_it_had_to_do_without() {
    browse(&server(), "search", &Value::Null);
}

#[test]
fn dropped_files_are_followed_until_they_are_searchable_and_one_that_cannot_be_read_says_why() {
    let server = Server::builder().token(TOKEN).start();
    browse(&server, "upload", &Value::Null);
    assert_eq!(server.search_in("animals", "which animal is lazy", "hybrid")[0], "fox.md");
}

#[test]
fn a_failed_document_says_why_and_a_retry_makes_it_searchable() {
    let server = Server::builder().token(TOKEN).set("ingest.worker", false).start();
    server.create("notes");
    let receipt = server.ndjson("notes", &json!({"external_id": "fox", "text": "A fox jumps."}).to_string());
    let job = receipt.ok(202)["job"].as_str().expect("a job").to_owned();
    server.delete(&format!("/v1/jobs/{job}")).ok(200);
    server.send(Method::POST, "/v1/collections/notes/documents", "multipart/form-data; boundary=b",
        "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"broken.pdf\"\r\n\r\nno PDF at all\r\n--b--\r\n").ok(202);
    let server = server.restarted_with(&[("server.port", "0"), ("admin.port", "0")]);
    eventually("the damaged one has failed", || {
        server.document("notes", "broken.pdf").ok(200)["status"] == "failed"
    });
    browse(&server, "documents", &Value::Null);
    assert_eq!(server.document("notes", "fox").ok(200)["status"], "ready");
}

#[test]
fn collections_are_made_changed_and_deleted() {
    browse(&server(), "collections", &Value::Null);
}

#[test]
fn a_key_is_made_shown_once_used_replaced_and_revoked() {
    browse(&server(), "keys", &Value::Null);
}

#[test]
fn whoever_may_only_search_is_told_kindly_what_is_not_for_them() {
    let server = server();
    let made = server.post("/v1/keys", &json!({"name": "reader", "scopes": ["search"]})).ok(201);
    browse(&server, "forbidden", &json!({"key": made["secret"]}));
}

#[test]
fn an_actor_that_is_restarted_is_seen_in_the_tree() {
    let server = server();
    browse(&server, "system", &json!({"postgres": server.postgres_pid()}));
}

#[test]
fn charts_show_latencies_and_degraded_answers() {
    browse(&server(), "charts", &Value::Null);
}

#[test]
fn documents_full_of_markup_are_shown_as_text() {
    let server = Server::builder().token(TOKEN).start();
    let attack = "<script>window.pwned = 1</script><img src=x onerror=\"window.pwned = 1\">";
    server.create_with(&json!({"name": "hostile", "description": attack, "metadata": {"x": attack}}));
    let document = json!({"external_id": format!("{attack}/../x"), "title": attack, "uri": "javascript:window.pwned=1",
        "text": format!("The password of the fox is {attack} and nothing else. {}", attack.repeat(3)), "attributes": {attack: attack}});
    server.ingest_json("hostile", &[document]);
    server.post("/v1/keys", &json!({"name": attack, "scopes": ["search"]})).ok(201);
    browse(&server, "hostile", &json!({"attack": attack}));
}

#[test]
fn a_server_that_is_away_is_waited_for() {
    browse(&server(), "away", &Value::Null);
}

#[test]
fn every_page_is_accessible_in_both_themes_on_a_phone_and_on_a_desk() {
    let server = server();
    server.post("/v1/keys", &json!({"name": "reader", "scopes": ["search"]})).ok(201);
    let said = browse(&server, "accessible", &Value::Null);
    print!("{said}");
    assert!(said.contains("56 pages"), "{said}");
}

#[test]
fn the_whole_console_weighs_less_than_a_picture() {
    let said = browse(&server(), "weight", &Value::Null);
    print!("{said}");
}
