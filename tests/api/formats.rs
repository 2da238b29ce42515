//! Documents of other formats than text: read in a process apart, found by page, and harmless when they are hostile.

use crate::support::{Server, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use std::io::{Cursor, Write};
use std::path::PathBuf;
use zip::write::{SimpleFileOptions, ZipWriter};

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

/// Words at places, one list per page.
fn pdf(pages: &[&[(u32, &str)]]) -> Vec<u8> {
    let kids: Vec<String> = (0..pages.len()).map(|n| format!("{} 0 R", 4 + 2 * n)).collect();
    let mut file = "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n".to_owned();
    file +=
        &format!("2 0 obj\n<< /Type /Pages /Kids [{}] /Count {} >>\nendobj\n", kids.join(" "), pages.len());
    file += "3 0 obj\n<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>\nendobj\n";
    for (n, lines) in pages.iter().enumerate() {
        let line = |(y, text): &(u32, &str)| format!("BT /F 10 Tf 1 0 0 1 50 {y} Tm ({text}) Tj ET\n");
        let content: String = lines.iter().map(line).collect();
        let (page, stream) = (4 + 2 * n, 5 + 2 * n);
        file += &format!(
            "{page} 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {stream} 0 R /Resources << /Font << /F 3 0 R >> >> >>\nendobj\n"
        );
        file += &format!(
            "{stream} 0 obj\n<< /Length {} >>\nstream\n{content}\nendstream\nendobj\n",
            content.len()
        );
    }
    file += "trailer\n<< /Root 1 0 R >>\n%%EOF\n"; // without a table, which readers make up for
    file.into_bytes()
}

fn docx(body: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("word/document.xml", SimpleFileOptions::default()).expect("an entry");
    write!(zip, "<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>").expect("it is written");
    zip.finish().expect("an archive").into_inner()
}

fn paragraph(text: &str) -> String {
    format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")
}

fn put(server: &Server, id: &str, media_type: &str, bytes: &[u8]) -> (u16, Value) {
    let path = format!("{}?wait=true", Server::document_path("docs", id));
    let reply = server.send(Method::PUT, &path, media_type, bytes.to_vec());
    let status = reply.status;
    (status, serde_json::from_slice(&reply.body).expect("JSON"))
}

#[test]
fn a_pdf_and_a_word_document_are_found_and_a_hit_says_on_which_page() {
    let server = Server::start();
    server.create("docs");
    let pages: [&[(u32, &str)]; 2] =
        [&[(700, "The lighthouse was built of granite.")], &[(700, "Its keeper fed seventeen puffins.")]];
    assert_eq!(put(&server, "keeper", "application/pdf", &pdf(&pages)).0, 201);
    let word = docx(&[paragraph("A harbour seal slept on the pier."), paragraph("Nobody woke it.")].concat());
    assert_eq!(put(&server, "seal", DOCX, &word).0, 201);
    let found = server.search(&json!({"query": "puffins", "collections": ["docs"], "mode": "lexical"}));
    let hit = &found["results"][0];
    assert_eq!((&hit["external_id"], &hit["location"]), (&json!("keeper"), &json!({"page": 1})), "{hit}");
    let found = server.search(&json!({"query": "harbour seal", "collections": ["docs"]}));
    assert_eq!(found["results"][0]["external_id"], "seal");
    assert_eq!(found["results"][0]["location"], Value::Null);
    let text = String::from_utf8(server.content("docs", "seal")).expect("text");
    assert_eq!(text, "A harbour seal slept on the pier.\n\nNobody woke it.");
}

#[test]
fn hostile_documents_fail_alone_with_a_reason_and_the_next_ones_are_read() {
    let server =
        Server::builder().set("ingest.parser_memory_mb", 256).set("ingest.parser_timeout_ms", 20_000).start();
    server.create("docs");
    let bomb = docx(&paragraph(&" ".repeat(300 << 20)));
    // Within what may be unpacked, and more than its reader may have in memory.
    let greedy = docx(&"<w:p><w:r/></w:p>".repeat(600_000));
    let deep = docx(&"<w:sdt>".repeat(100_000));
    let whole = docx(&paragraph("words"));
    let cut = &whole[..whole.len() / 2];
    let hostile: [(&str, &str, &[u8], &str); 6] = [
        ("bomb", DOCX, &bomb, "out of memory"),
        ("greedy", DOCX, &greedy, "memory"),
        ("deep", DOCX, &deep, "nested"),
        ("cut", DOCX, cut, "not a readable"),
        ("wrong", "application/pdf", &whole, "not a readable PDF"),
        ("scanned", "application/pdf", &pdf(&[&[]]), "OCR"),
    ];
    for (id, media_type, bytes, reason) in hostile {
        let (status, error) = put(&server, id, media_type, bytes);
        let message = error["error"]["message"].as_str().unwrap_or_default();
        assert!(status == 400 && message.contains(reason), "{id}: {status} {error}");
    }
    assert_eq!(put(&server, "good", DOCX, &whole).0, 201);
    let system = server.get("/v1/system").ok(200);
    let actors = system["actors"].as_array().expect("actors");
    assert!(actors.iter().all(|actor| actor["restarts"] == 0), "no actor noticed: {system}");
}

#[test]
fn every_real_document_is_ingested() {
    let shared = std::env::var_os("MCP_RAG_SHARED").map_or_else(|| "../shared".into(), PathBuf::from);
    let Ok(formats) = std::fs::read_dir(shared.join("data/documents")) else { return };
    let server = Server::start();
    server.create("docs");
    let mut files: Vec<PathBuf> = formats
        .flatten()
        .flat_map(|format| std::fs::read_dir(format.path()).into_iter().flatten().flatten())
        .map(|file| file.path())
        .filter(|path| !path.to_string_lossy().ends_with(".expected.md"))
        .collect();
    files.sort();
    for path in &files {
        let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let media_type = match extension.as_str() {
            "docx" => DOCX,
            "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "pdf" => "application/pdf",
            "html" => "text/html",
            "md" => "text/markdown",
            _ => continue,
        };
        let id = path.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = std::fs::read(path).expect("readable");
        let reply = server.send(Method::PUT, &Server::document_path("docs", &id), media_type, bytes);
        assert_eq!(reply.status, 202, "{id}");
    }
    let waiting =
        || server.get("/v1/collections/docs/documents?status=queued&limit=1").ok(200)["data"].clone();
    let running =
        || server.get("/v1/collections/docs/documents?status=running&limit=1").ok(200)["data"].clone();
    eventually("all are read", || waiting() == json!([]) && running() == json!([]));
    let failed = server.get("/v1/collections/docs/documents?status=failed").ok(200)["data"].clone();
    assert_eq!(failed, json!([]));
}
