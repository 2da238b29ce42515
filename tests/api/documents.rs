use crate::support::Server;
use crate::support::calls::segment;
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/v1/collections/docs/documents";

fn server() -> Server {
    let server = Server::start();
    server.create("docs");
    server
}

/// How many texts were embedded so far, as the embedder's own histogram says.
fn embedded_texts(server: &Server) -> f64 {
    let metrics = server.admin("/metrics").text();
    let lines = metrics.lines().filter(|line| line.starts_with("mcp_rag_embedder_batch_texts_sum"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[test]
fn a_document_is_created_left_alone_replaced_and_deleted() {
    let server = server();
    let body = json!({
        "text": "# Vaults\n\nThe master key is kept in the north vault.", "title": "Keys", "uri": "https://x/keys",
        "media_type": "text/markdown", "attributes": {"team": "ops", "level": 3}, "acl": ["group:ops"],
    });
    let created = server.put_document("docs", "keys", &body).ok(201);
    assert_eq!((&created["unchanged"], &created["document"]["version"]), (&json!(false), &json!(1)));
    let document = &created["document"];
    for field in ["title", "uri", "media_type", "attributes", "acl"] {
        assert_eq!(document[field], body[field], "{field}");
    }
    assert_eq!((&document["status"], &document["error"]), (&json!("ready"), &Value::Null));
    assert!(document["chunks"].as_i64() > Some(0));
    assert_eq!(server.document("docs", "keys").ok(200), *document);

    let before = embedded_texts(&server);
    assert!(before > 0.0, "the counter is there");
    let again = server.put_document("docs", "keys", &body).ok(200);
    assert_eq!((&again["unchanged"], &again["job"]), (&json!(true), &Value::Null));
    assert_eq!(again["document"], *document, "no new version, not even a new date");
    assert!((embedded_texts(&server) - before).abs() < 0.5, "nothing was embedded");

    let mut other = body.clone();
    other["text"] = json!("# Vaults\n\nThe master key is kept in the south vault.");
    let replaced = server.put_document("docs", "keys", &other).ok(200);
    assert_eq!((&replaced["unchanged"], &replaced["document"]["version"]), (&json!(false), &json!(2)));
    assert_eq!(server.search_in("docs", "south", "lexical"), ["keys"]);
    assert!(server.search_in("docs", "north", "lexical").is_empty(), "the old text is gone");

    // Attributes are content too, but need no embedding.
    let before = embedded_texts(&server);
    other["attributes"] = json!({"team": "security"});
    let replaced = server.put_document("docs", "keys", &other).ok(200);
    assert_eq!(replaced["document"]["version"], 3);
    assert_eq!(server.document("docs", "keys").ok(200)["attributes"], json!({"team": "security"}));
    assert!((embedded_texts(&server) - before).abs() < 0.5, "unchanged chunks keep their embeddings");

    let chunks = &replaced["document"]["chunks"];
    let receipt = server.delete(&Server::document_path("docs", "keys")).ok(200);
    assert_eq!(receipt["deleted"], json!({"documents": 1, "chunks": chunks, "embeddings": chunks}));
    server.document("docs", "keys").error(404, "not_found");
    server.delete(&Server::document_path("docs", "keys")).error(404, "not_found");
    server.get(&format!("{PATH}/keys/content")).error(404, "not_found");
    assert!(server.search_in("docs", "vault", "hybrid").is_empty());
}

#[test]
fn raw_bytes_with_their_content_type_are_a_document_too() {
    let server = server();
    for (id, kind, text) in [
        ("guide.md", "text/markdown", "# Ferry guide\n\nThe ferry leaves at noon."),
        ("page.html", "text/html; charset=utf-8", "<h1>Ferry page</h1><p>The ferry leaves at noon.</p>"),
        ("note.txt", "text/plain", "The ferry leaves at noon."),
    ] {
        let path = format!("{PATH}/{id}?wait=true&title=T%20{id}&uri=file%3A%2F%2F{id}");
        let created = server.send(Method::PUT, &path, kind, text).ok(201);
        let document = &created["document"];
        assert_eq!(document["title"], format!("T {id}"));
        assert_eq!(document["uri"], format!("file://{id}"));
        assert_eq!(document["media_type"], kind.split(';').next().unwrap_or_default());
    }
    let mut found = server.search_in("docs", "ferry noon", "hybrid");
    found.sort();
    assert_eq!(found, ["guide.md", "note.txt", "page.html"]);
    // Without a title the document's own is taken.
    let own =
        server.send(Method::PUT, &format!("{PATH}/own?wait=true"), "text/markdown", "# My own\n\nText.");
    assert_eq!(own.ok(201)["document"]["title"], "My own");
    let refused = server.send(Method::PUT, &format!("{PATH}/x"), "application/x-tar", "x");
    refused.error(415, "unsupported_media_type");
    let declared = json!({"text": "x", "media_type": "application/x-tar"});
    server.put_document("docs", "x", &declared).error(415, "unsupported_media_type");
}

#[test]
fn without_waiting_a_document_is_accepted_with_its_job() {
    let server = server();
    let accepted = server.put(&format!("{PATH}/a"), &json!({"text": "Lanterns glow."})).ok(202);
    assert_eq!(accepted["document"]["external_id"], "a");
    let job = server.await_job(accepted["job"].as_str().expect("a job"));
    assert_eq!(job["status"], "succeeded", "{job}");
    assert_eq!(server.document("docs", "a").ok(200)["status"], "ready");
    assert_eq!(server.search_in("docs", "lanterns", "hybrid"), ["a"]);
}

#[test]
fn a_list_of_documents_is_paged_and_filtered_by_status() {
    let server = server();
    server.ingest("docs", &[("a", "one"), ("b", "two"), ("c", "three"), ("d", "four"), ("e", "five")]);
    server.send(Method::PUT, &format!("{PATH}/bad?wait=true"), "text/plain", b"caf\xe9\x01\x02".to_vec());
    let list = |query: &str| {
        let page = server.get(&format!("{PATH}?{query}")).ok(200);
        let data = page["data"].as_array().expect("data").clone();
        let ids: Vec<String> =
            data.iter().map(|one| one["external_id"].as_str().expect("an id").to_owned()).collect();
        (ids, page)
    };
    assert_eq!(list("status=ready").0, ["a", "b", "c", "d", "e"]);
    assert_eq!(list("status=failed").0, ["bad"]);
    assert!(list("status=queued").0.is_empty() && list("status=running").0.is_empty());
    let (first, page) = list("limit=4&order=desc");
    assert_eq!(first, ["bad", "e", "d", "c"]);
    assert_eq!(page["has_more"], true);
    let (rest, page) =
        list(&format!("limit=4&order=desc&after={}", page["last_id"].as_str().expect("an id")));
    assert_eq!(rest, ["b", "a"]);
    assert_eq!(page["has_more"], false);
    for query in ["status=nonsense", "limit=0", "after=nonsense"] {
        server.get(&format!("{PATH}?{query}")).error(400, "invalid_request");
    }
    server.get("/v1/collections/nowhere/documents").error(404, "not_found");
}

#[test]
fn a_document_that_cannot_be_read_fails_with_its_reason_and_the_old_version_stays() {
    let server = server();
    server.put_document("docs", "a", &json!({"text": "The heron stands in the reeds."})).ok(201);
    let broken = || {
        server.send(
            Method::PUT,
            &format!("{PATH}/a?wait=true"),
            "text/plain",
            b"the heron \xff\x01\x02\x03".to_vec(),
        )
    };
    let error = broken().error(400, "invalid_request");
    assert!(error["message"].as_str().is_some_and(|message| message.contains("UTF-8")), "{error}");
    let document = server.document("docs", "a").ok(200);
    assert_eq!((&document["status"], &document["version"]), (&json!("failed"), &json!(2)));
    assert!(document["error"].as_str().is_some_and(|reason| reason.contains("UTF-8")), "{document}");
    assert_eq!(server.search_in("docs", "heron reeds", "hybrid"), ["a"], "the old version is still found");
    assert_eq!(server.content("docs", "a"), b"The heron stands in the reeds.");
    // The same bytes again are tried again; good ones heal the document.
    broken().error(400, "invalid_request");
    let healed = server.put_document("docs", "a", &json!({"text": "The heron flew away."})).ok(200);
    assert_eq!(
        (&healed["document"]["status"], &healed["document"]["error"]),
        (&json!("ready"), &Value::Null)
    );
    assert!(server.search_in("docs", "reeds", "lexical").is_empty());
    assert_eq!(server.get("/v1/collections/docs").ok(200)["documents"], 1);
}

#[test]
fn external_ids_may_hold_slashes_spaces_and_any_script() {
    let server = server();
    let long = "ü".repeat(256);
    let ids = ["docs/a/b.md", "with space?&#%", "日本語/文書", "🦀", "a+b=c", "...", long.as_str()];
    for id in ids {
        let text = format!("The beacon {} shines.", segment(id).len());
        server.put_document("docs", id, &json!({ "text": text })).ok(201);
        assert_eq!(server.document("docs", id).ok(200)["external_id"], id);
        assert_eq!(server.content("docs", id), text.as_bytes());
    }
    let mut found = server.search_in("docs", "beacon", "lexical");
    found.sort();
    let mut expected = ids.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(found, expected);
    for id in ids {
        server.delete(&Server::document_path("docs", id)).ok(200);
    }
    assert_eq!(server.get("/v1/collections/docs").ok(200)["documents"], 0);
}

#[test]
fn an_empty_document_is_ready_and_found_by_nothing() {
    let server = server();
    let empty = server.put_document("docs", "empty", &json!({"text": ""})).ok(201);
    assert_eq!((&empty["document"]["status"], &empty["document"]["chunks"]), (&json!("ready"), &json!(0)));
    server.put_document("docs", "blank", &json!({"text": " \n\t\n", "media_type": "text/markdown"})).ok(201);
    assert!(server.search_in("docs", "anything", "hybrid").is_empty());
    assert_eq!(server.content("docs", "empty"), b"");
}

#[test]
fn a_document_is_readable_as_text_only_so_that_it_cannot_act_as_a_page() {
    let server = server();
    let body = json!({"text": "<script>alert(1)</script><p>Visible.</p>", "media_type": "text/html"});
    server.put_document("docs", "page", &body).ok(201);
    let reply = server.get(&format!("{PATH}/page/content"));
    assert!(reply.header("content-type").starts_with("text/plain"));
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert!(!reply.text().contains("alert"), "{}", reply.text());
}
