//! A span is bytes of what `GET …/content` answers, for every kind of document.

use crate::support::Server;
use reqwest::Method;
use serde_json::json;

const MARKDOWN: &str = "# Ünïcödé – über alles\n\nDer Käse kostet 3 €; 日本語のテキスト。🦀 crabs walk sideways.\n\n\
## Table\n\n| köpf | wert |\n|---|---|\n| ä | ö |\n\n```rust\nlet π = 3.14; // 円周率\n```\n\n- eins\n- zwei – drei\n";
const HTML: &str = "<html><head><title>Caf&eacute;</title></head><body><h1>Men&uuml; &amp; Preise</h1>\
<p>Ein <b>Kaffee</b> kostet&nbsp;3&nbsp;&euro;.</p><ul><li>Tee 🍵</li><li>Wasser</li></ul>\
<table><tr><td>日本</td><td>茶</td></tr></table><script>hidden()</script></body></html>";

/// Every chunk of the collection, checked against the content of its document.
fn check(server: &Server, collection: &str, query: &str) -> usize {
    let found =
        server.search(&json!({"query": query, "collections": [collection], "mode": "dense", "top_k": 100}));
    let results = found["results"].as_array().expect("results");
    for result in results {
        let id = result["external_id"].as_str().expect("an id");
        let content = server.content(collection, id);
        let at =
            |name: &str| usize::try_from(result["span"][name].as_u64().expect("an offset")).expect("small");
        let (start, end) = (at("start"), at("end"));
        assert!(start < end && end <= content.len(), "{id}: {start}..{end} of {}", content.len());
        let text = result["text"].as_str().expect("text");
        assert_eq!(&content[start..end], text.as_bytes(), "{id}: the chunk is the content at its span");
    }
    results.len()
}

#[test]
fn every_chunk_is_the_content_at_its_span_byte_for_byte() {
    let server = Server::start();
    server.create_with(&json!({"name": "docs", "chunking": {"max_tokens": 32, "overlap_tokens": 8}}));
    let long =
        (0..40).fold(String::new(), |text, n| text + &format!("Größe {n} mißt “{n}” Zoll — 漢字 {n}. "));
    let put = |id: &str, kind: &str, body: Vec<u8>| {
        let path = format!("/v1/collections/docs/documents/{id}?wait=true");
        server.send(Method::PUT, &path, kind, body).ok(201);
    };
    put("a.md", "text/markdown", MARKDOWN.repeat(5).into_bytes());
    put("b.html", "text/html", HTML.into());
    put("c.txt", "text/plain", long.clone().into_bytes());
    let utf16: Vec<u8> = "\u{feff}Füße 🦶".encode_utf16().flat_map(u16::to_le_bytes).collect();
    put("d.txt", "text/plain", utf16);
    put("e.txt", "text/plain", b"\xef\xbb\xbfmark\r\nand\0nul\r\n\r\nnext".to_vec());
    server
        .put_document("docs", "f", &json!({"text": long, "title": "Größen", "media_type": "text/markdown"}))
        .ok(201);
    let chunks = check(&server, "docs", "Größe");
    let counted = server.get("/v1/collections/docs").ok(200)["chunks"].as_u64().expect("a count");
    assert_eq!(chunks as u64, counted.min(100), "every chunk was looked at");
    assert!(chunks > 20, "{chunks}");
    let html = String::from_utf8(server.content("docs", "b.html")).expect("UTF-8");
    assert!(html.contains("Menü & Preise") && html.contains('€') && !html.contains("hidden"), "{html}");
}

#[test]
fn the_chunks_of_a_document_cover_every_visible_character_in_order() {
    let server = Server::start();
    server.create_with(&json!({"name": "docs", "chunking": {"max_tokens": 32, "overlap_tokens": 0}}));
    server
        .put_document("docs", "a", &json!({"text": MARKDOWN.repeat(3), "media_type": "text/markdown"}))
        .ok(201);
    let found =
        server.search(&json!({"query": "Käse", "collections": ["docs"], "mode": "dense", "top_k": 100}));
    let content = server.content("docs", "a");
    let mut covered = vec![false; content.len()];
    for result in found["results"].as_array().expect("results") {
        let at =
            |name: &str| usize::try_from(result["span"][name].as_u64().expect("an offset")).expect("small");
        covered[at("start")..at("end")].fill(true);
    }
    let lost: Vec<u8> = content
        .iter()
        .zip(covered)
        .filter(|(byte, covered)| !covered && !byte.is_ascii_whitespace())
        .map(|(byte, _)| *byte)
        .collect();
    assert!(lost.is_empty(), "in no chunk: {:?}", String::from_utf8_lossy(&lost));
}
