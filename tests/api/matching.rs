//! Documents deleted by a filter.

use crate::support::{Reply, Server, ids};
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/v1/collections/docs/documents/delete";

/// The same collections and documents with the same ids.
const ANOTHER_TENANT: &str = "INSERT INTO tenants (name) VALUES ('other'); \
    INSERT INTO collections (tenant_id, collection_id, name, language, max_tokens, overlap_tokens) OVERRIDING SYSTEM VALUE \
        SELECT 2, collection_id, name, language, max_tokens, overlap_tokens FROM collections WHERE tenant_id = 1; \
    INSERT INTO documents (tenant_id, document_id, collection_id, external_id, published_version, status, media_type, attributes) \
        OVERRIDING SYSTEM VALUE SELECT 2, document_id, collection_id, external_id, 1, 'ready', media_type, attributes \
        FROM documents WHERE tenant_id = 1";

/// The same 500 documents in two collections.
fn server() -> Server {
    let server = Server::start();
    let document = |n: usize| {
        json!({"external_id": format!("d{n:03}"), "text": format!("The parcel number {n} is on its way."),
               "attributes": {"n": n, "parity": if n.is_multiple_of(2) { "even" } else { "odd" }}})
    };
    for name in ["docs", "others"] {
        server.create(name);
        server.ingest_json(name, &(0..500).map(document).collect::<Vec<_>>());
    }
    server
}

fn less_than(n: usize) -> Value {
    json!({"type": "lt", "key": "n", "value": n})
}

/// The numbers of all documents, from the list and from searches, which must agree.
#[track_caller]
fn left(server: &Server, name: &str) -> Vec<usize> {
    let mut left = Vec::new();
    let mut after = String::new();
    loop {
        let page = server.get(&format!("/v1/collections/{name}/documents?limit=100{after}")).ok(200);
        let data = page["data"].as_array().expect("documents");
        left.extend(data.iter().map(|one| one["attributes"]["n"].as_u64().expect("a number") as usize));
        if page["has_more"] != true {
            break;
        }
        after = format!("&after={}", data.last().expect("one")["id"].as_str().expect("an id"));
    }
    left.sort_unstable();
    let collection = server.get(&format!("/v1/collections/{name}")).ok(200);
    assert_eq!(collection["documents"], left.len());
    for (mode, from) in [("lexical", 0), ("dense", 0), ("hybrid", 240), ("lexical", 480)] {
        let range = json!({"type": "and", "filters": [
            {"type": "gte", "key": "n", "value": from}, {"type": "lt", "key": "n", "value": from + 20}]});
        let query = json!({"query": "parcel on its way", "collections": [name], "filters": range, "mode": mode, "top_k": 20});
        let mut found: Vec<usize> =
            ids(&server.search(&query)).iter().map(|id| id[1..].parse().expect("a number")).collect();
        found.sort_unstable();
        let expected: Vec<usize> = left.iter().copied().filter(|n| (from..from + 20).contains(n)).collect();
        assert_eq!(found, expected, "{mode} from {from}");
    }
    left
}

/// Without how far the collection was then.
fn receipt(mut reply: Value) -> Value {
    reply.as_object_mut().expect("an object").remove("consistency");
    reply
}

#[test]
fn exactly_what_fulfils_the_filter_is_deleted_in_this_collection_of_this_tenant_alone() {
    let mut server = server();
    server.sql("postgres", ANOTHER_TENANT).expect("the statements run");
    let everything: Vec<usize> = (0..500).collect();
    let delete = |filter: &Value, dry_run: bool| {
        receipt(server.post(PATH, &json!({"filter": filter, "dry_run": dry_run})).ok(200))
    };
    let counts = |n: usize| json!({"documents": n, "chunks": n, "embeddings": n});

    // A dry run counts and deletes nothing.
    let odd = json!({"type": "and", "filters": [{"type": "ne", "key": "parity", "value": "even"},
                                                {"type": "gte", "key": "n", "value": 10}]});
    assert_eq!(delete(&odd, true), json!({"would_delete": counts(245)}));
    assert_eq!(left(&server, "docs"), everything);

    // More than one batch.
    assert_eq!(delete(&odd, false), json!({"deleted": counts(245), "complete": true}));
    let kept: Vec<usize> = (0..500).filter(|n| n % 2 == 0 || *n < 10).collect();
    assert_eq!(left(&server, "docs"), kept);
    assert_eq!(delete(&odd, false), json!({"deleted": counts(0), "complete": true}));
    assert_eq!(delete(&odd, true), json!({"would_delete": counts(0)}));

    // The document's own fields, as in a search; values are values.
    let one = json!({"type": "in", "key": "$external_id", "value": ["d004", "d007", "absent"]});
    assert_eq!(delete(&one, false)["deleted"], counts(2));
    let hostile = json!({"type": "eq", "key": "a') OR true --", "value": "'; DROP TABLE documents; --"});
    assert_eq!(delete(&hostile, false)["deleted"], counts(0));
    let kept: Vec<usize> = kept.into_iter().filter(|n| ![4, 7].contains(n)).collect();
    assert_eq!(left(&server, "docs"), kept);
    assert_eq!(left(&server, "others"), everything);

    // A whole number of batches.
    let rest = json!({"type": "exists", "key": "n"});
    server.post("/v1/collections/others/documents/delete", &json!({"filter": less_than(400)})).ok(200);
    assert_eq!(left(&server, "others"), (400..500).collect::<Vec<_>>());
    assert_eq!(delete(&rest, false)["deleted"], counts(kept.len()));
    assert!(left(&server, "docs").is_empty());
    let others = server.sql("postgres", "SELECT count(*) FROM documents WHERE tenant_id = 2");
    assert_eq!(others.expect("a count"), [[Some("1000".to_owned())]]);
    server.stop();
}

#[test]
fn a_document_that_is_being_written_is_waited_for_and_deleted_too() {
    let server = server();
    // What a worker holds while it writes a document's chunks.
    let write = "BEGIN; SELECT 1 FROM documents WHERE external_id IN ('d003', 'd250') FOR KEY SHARE; \
                 SELECT pg_sleep(3); COMMIT";
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| server.sql("postgres", write).expect("the statements run"));
        let held = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        crate::support::eventually("they are locked", || {
            server.sql("postgres", held).expect("a count") == [[Some("1".to_owned())]]
        });
        let deleted = server.post(PATH, &json!({"filter": less_than(300)})).ok(200);
        assert_eq!((&deleted["deleted"]["documents"], &deleted["complete"]), (&json!(300), &json!(true)));
        writing.join().expect("it wrote");
    });
    assert_eq!(left(&server, "docs"), (300..500).collect::<Vec<_>>());
    assert_eq!(left(&server, "others").len(), 500);
}

#[test]
fn a_deletion_without_conditions_is_refused_and_a_document_may_be_called_delete() {
    let server = Server::start();
    server.create("docs");
    server.ingest("docs", &[("delete", "Something to keep."), ("other", "Something else.")]);
    for body in [
        json!({}),
        json!({"dry_run": true}),
        json!({"filter": null}),
        json!({"filter": {}}),
        json!({"filter": []}),
        json!({"filter": {"type": "and", "filters": []}}),
        json!({"filter": {"type": "or", "filters": []}}),
        json!({"filter": {"type": "all"}}),
    ] {
        let error = server.post(PATH, &body).error(400, "invalid_request");
        assert!(error["message"].as_str().is_some_and(|text| text.contains("filter")), "{body}: {error}");
    }
    let unknown = json!({"filter": less_than(1), "filters": less_than(2)});
    server.post(PATH, &unknown).error(400, "unknown_field");
    server
        .post("/v1/collections/absent/documents/delete", &json!({"filter": less_than(1)}))
        .error(404, "not_found");
    assert_eq!(server.get("/v1/collections/docs").ok(200)["documents"], 2);

    assert_eq!(server.document("docs", "delete").ok(200)["status"], "ready");
    let changed = server.put_document("docs", "delete", &json!({"text": "Something new."})).ok(200);
    assert_eq!(changed["document"]["version"], 2);
    server.delete(&Server::document_path("docs", "delete")).ok(200);
    server.document("docs", "delete").error(404, "not_found");
    server.document("docs", "other").ok(200);
}

#[test]
fn a_deletion_that_is_sent_again_is_answered_again_and_done_once() {
    let server = server();
    let body = json!({"filter": less_than(300)});
    let send = |key: &str, body: &Value| {
        let request = server.request(Method::POST, PATH).header("Idempotency-Key", key).json(body);
        Reply::read(request.send().expect("an answer"))
    };
    let first = send("k", &body);
    assert_eq!(first.ok(200)["deleted"]["documents"], 300);
    // What fits the filter by now came later.
    server.put_document("docs", "d001", &json!({"text": "Back again.", "attributes": {"n": 1}})).ok(201);
    let again = send("k", &body);
    assert_eq!((again.text(), again.header("idempotency-replayed")), (first.text(), "true"));
    server.document("docs", "d001").ok(200);
    send("k", &json!({"filter": less_than(301)})).error(422, "idempotency_key_reused");
    // The answer was lost with its server, the effect was not.
    server
        .sql(
            "mcp_rag_owner",
            "UPDATE idempotency_keys SET status = NULL, response = NULL, lease_until = now()",
        )
        .expect("as if it had been lost");
    assert_eq!(receipt(send("k", &body).ok(200)), receipt(first.ok(200)));
    server.document("docs", "d001").ok(200);
    assert_eq!(send("another", &body).ok(200)["deleted"]["documents"], 1);
}
