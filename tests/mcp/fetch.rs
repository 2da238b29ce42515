use crate::rpc::{call, notes, refusal};
use crate::support::Server;
use serde_json::{Value, json};

/// About forty thousand tokens.
fn book() -> String {
    (0..4000).map(|n| format!("Line {n} tells of harbour number {}.\n", n * 7)).collect()
}

#[test]
fn a_long_document_is_read_in_parts_that_make_the_whole() {
    let server = Server::start();
    server.create("books");
    let book = book();
    server.ingest("books", &[("book", &book)]);
    let (mut read, mut parts, mut cursor) = (String::new(), 0, Value::Null);
    loop {
        let mut arguments = json!({"id": "books/book", "max_tokens": 8000});
        if !cursor.is_null() {
            arguments["cursor"] = cursor;
        }
        let part = call(&server, "fetch", arguments);
        assert_eq!(part["truncated"], true);
        let text = part["text"].as_str().expect("text");
        assert!(text.len() <= 8000 * 6, "{} bytes", text.len());
        assert_eq!(part["metadata"]["span"], format!("{}-{}", read.len(), read.len() + text.len()));
        read.push_str(text);
        parts += 1;
        cursor = part["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(read, book);
    assert!(parts > 3, "{parts} parts");
}

#[test]
fn a_passage_is_in_the_first_part_of_its_document() {
    let server = Server::start();
    server.create("books");
    server.ingest("books", &[("book", &book())]);
    let found = call(&server, "search", json!({"query": "Line 3500", "mode": "lexical", "top_k": 1}));
    let passage = &found["results"][0];
    let part = call(&server, "fetch", json!({"id": passage["id"], "max_tokens": 2000}));
    let text = part["text"].as_str().expect("text");
    assert!(text.contains(passage["text"].as_str().expect("text")), "{passage}");
    assert!(text.starts_with("Line "), "it begins where a line does: {:?}", &text[..20]);
}

#[test]
fn a_cursor_ends_with_the_version_of_its_document() {
    let server = Server::start();
    server.create("books");
    let book = book();
    server.ingest("books", &[("book", &book)]);
    let part = call(&server, "fetch", json!({"id": "books/book", "max_tokens": 1000}));
    server.ingest("books", &[("book", &book.replace("harbour", "orchard"))]);
    let error = refusal(&server, "fetch", json!({"id": "books/book", "cursor": part["cursor"]}));
    assert_eq!((&error["code"], &error["param"]), (&json!("invalid_request"), &json!("cursor")), "{error}");
}

#[test]
fn whatever_has_no_document_is_not_found_and_names_with_slashes_are() {
    let server = notes();
    for id in
        ["", "notes", "notes/none", "nowhere/fox", "notes/%zz", "https://example.com/fox", "notes/fox#x"]
    {
        assert_eq!(refusal(&server, "fetch", json!({"id": id}))["code"], "not_found", "{id}");
    }
    for id in
        ["notes/dir/a tide.md", "notes/dir%2Fa%20tide.md", "mcp-rag://documents/notes/dir%2Fa%20tide.md"]
    {
        let document = call(&server, "fetch", json!({"id": id}));
        assert_eq!(document["text"], "The harbour records the tides twice a day.");
        assert_eq!(document["url"], "mcp-rag://documents/notes/dir%2Fa%20tide.md");
        assert_eq!(document["title"], "dir/a tide.md");
    }
    for tokens in [0, 32_001] {
        let error = refusal(&server, "fetch", json!({"id": "notes/fox", "max_tokens": tokens}));
        assert_eq!(error["param"], "max_tokens");
    }
}
