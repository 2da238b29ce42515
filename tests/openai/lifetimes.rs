//! What ends by itself, what survives the server, and what there is no room for.

use crate::support::{Reply, Server, eventually};
use reqwest::Method;
use reqwest::blocking::multipart::{Form, Part};
use serde_json::{Value, json};

const TEXT: &str = "The brown fox jumps over the lazy dog.";

fn upload(server: &Server, name: &str, content: &[u8], extra: &[(&'static str, &'static str)]) -> Reply {
    let file = Part::bytes(content.to_vec()).file_name(name.to_owned());
    let form = Form::new().text("purpose", "assistants").part("file", file);
    let form = extra.iter().fold(form, |form, (name, value)| form.text(*name, *value));
    let sent = server.request(Method::POST, "/v1/files").multipart(form).send();
    Reply::read(sent.expect("an answer"))
}

fn id(object: &Value) -> String {
    object["id"].as_str().expect("an id").to_owned()
}

/// A vector store with one searchable file.
fn filled(server: &Server, name: &str, file: &str) -> String {
    let store = id(&server.post("/v1/vector_stores", &json!({"name": name, "file_ids": [file]})).ok(200));
    await_files(server, &store);
    store
}

fn await_files(server: &Server, store: &str) {
    eventually("the files are searchable", || {
        server.get(&format!("/v1/vector_stores/{store}")).ok(200)["status"] == "completed"
    });
}

fn hits(server: &Server, store: &str) -> usize {
    let found = server.post(&format!("/v1/vector_stores/{store}/search"), &json!({"query": "fox"})).ok(200);
    found["data"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_vector_store_that_nobody_uses_expires_with_its_files() {
    let server = Server::start();
    let file = id(&upload(&server, "fox.txt", TEXT.as_bytes(), &[]).ok(200));
    let store = filled(&server, "short", &file);
    let path = format!("/v1/vector_stores/{store}");
    let expires = json!({"expires_after": {"anchor": "last_active_at", "days": 2}});
    server.post(&path, &expires).ok(200);
    let age = |days: i32| {
        let sql = format!("UPDATE vector_stores SET last_active_at = now() - interval '{days} days'");
        server.sql("postgres", &sql).expect("the query runs");
    };
    age(1);
    assert_eq!(hits(&server, &store), 1);
    eventually("a search is use", || {
        let now = server.get(&path).ok(200);
        now["expires_at"].as_i64() > now["created_at"].as_i64().map(|at| at + 86_400)
    });
    age(3);
    assert_eq!(server.get(&path).ok(200)["status"], "expired");
    for (path, body) in [
        (format!("{path}/search"), json!({"query": "fox"})),
        (format!("{path}/files"), json!({"file_id": file})),
        (path.clone(), json!({"name": "again"})),
    ] {
        let error = server.post(&path, &body).error(400, "invalid_request");
        assert_eq!(error["param"], "vector_store_id", "{path}");
    }
    let chat = json!({"model": "mcp-rag/short", "messages": [{"role": "user", "content": "What jumps?"}]});
    server.post("/v1/chat/completions", &chat).error(400, "invalid_request");
    eventually("its documents are deleted", || server.get(&path).ok(200)["file_counts"]["total"] == 0);
    assert!(server.search_in("short", "fox", "lexical").is_empty(), "by the REST API too");
    assert_eq!(server.get(&format!("/v1/files/{file}")).ok(200)["id"], json!(file), "the upload stays");
}

#[test]
fn an_upload_that_expires_takes_its_documents_with_it() {
    let server = Server::start();
    let ends = [("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3600")];
    let file = id(&upload(&server, "fox.txt", TEXT.as_bytes(), &ends).ok(200));
    let store = filled(&server, "ends", &file);
    assert_eq!(hits(&server, &store), 1);
    // An hour later.
    for table in ["files", "documents"] {
        let sql = format!("UPDATE {table} SET expires_at = now() - interval '1 second'");
        server.sql("postgres", &sql).expect("the query runs");
    }
    server.get(&format!("/v1/files/{file}")).error(404, "not_found");
    server.get(&format!("/v1/files/{file}/content")).error(404, "not_found");
    let again = json!({"file_id": file});
    server.post(&format!("/v1/vector_stores/{store}/files"), &again).error(404, "not_found");
    eventually("both are deleted", || {
        let left =
            server.sql("postgres", "SELECT (SELECT count(*) FROM files) + (SELECT count(*) FROM documents)");
        left.expect("the query runs")[0][0].as_deref() == Some("0")
    });
}

#[test]
fn uploads_and_their_documents_survive_the_death_of_the_server() {
    let mut server = Server::builder().set("ingest.lease_ms", 1000).start();
    let file = id(&upload(&server, "fox.txt", TEXT.as_bytes(), &[]).ok(200));
    let store = id(&server.post("/v1/vector_stores", &json!({"name": "kept", "file_ids": [file]})).ok(200));
    server.kill9();
    server.restart();
    assert_eq!(server.get(&format!("/v1/files/{file}/content")).text(), TEXT);
    await_files(&server, &store);
    assert_eq!(hits(&server, &store), 1);
}

#[test]
fn uploads_are_bounded_together_and_room_is_made_by_deleting() {
    let server = Server::builder().set("files.max_bytes", 100).start();
    let first = id(&upload(&server, "a.txt", &[b'a'; 60], &[]).ok(200));
    let error = upload(&server, "b.txt", &[b'b'; 60], &[]).error(413, "payload_too_large");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("files.max_bytes")), "{error}");
    server.delete(&format!("/v1/files/{first}")).ok(200);
    upload(&server, "b.txt", &[b'b'; 60], &[]).ok(200);
}

#[test]
fn forms_that_are_no_upload_are_refused_with_a_reason() {
    let server = Server::start();
    let send = |form: Form| {
        Reply::read(server.request(Method::POST, "/v1/files").multipart(form).send().expect("an answer"))
    };
    let file = || Part::bytes(b"x".to_vec()).file_name("a.txt");
    for (form, param) in [
        (Form::new().text("purpose", "assistants"), "file"),
        (Form::new().part("file", file()), "purpose"),
        (Form::new().text("purpose", "assistants").text("file", "no name"), "file"),
        (Form::new().text("purpose", "x".repeat(5000)).part("file", file()), "purpose"),
    ] {
        assert_eq!(send(form).error(400, "invalid_request")["param"], param);
    }
    let unknown = Form::new().text("colour", "red").part("file", file());
    assert_eq!(send(unknown).error(400, "unknown_field")["param"], "colour");
    server.post("/v1/files", &json!({"file": "x"})).error(415, "unsupported_media_type");
    let content = server.send(Method::POST, "/v1/files", "multipart/form-data; boundary=x", "--x\r\nbroken");
    assert_eq!(content.status, 400, "{}", content.text());
    assert_eq!(server.patch("/v1/files", &json!({})).status, 405);
}
