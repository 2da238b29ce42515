use crate::support::Server;
use serde_json::{Value, json};

#[test]
fn a_collection_is_created_read_changed_and_deleted_with_a_receipt() {
    let mut server = Server::start();
    let created = server.create_with(&json!({
        "name": "handbook", "description": "how we work", "metadata": {"owner": "ops", "year": 2026},
        "chunking": {"max_tokens": 64, "overlap_tokens": 8}, "language": "de",
    }));
    for (field, expected) in [
        ("name", json!("handbook")),
        ("description", json!("how we work")),
        ("metadata", json!({"owner": "ops", "year": 2026})),
        (
            "chunking",
            json!({"strategy": "structure", "max_tokens": 64, "overlap_tokens": 8, "context": "none"}),
        ),
        ("language", json!("de")),
        ("documents", json!(0)),
        ("chunks", json!(0)),
    ] {
        assert_eq!(created[field], expected, "{field} of {created}");
    }
    assert!(created["id"].is_string() && created["created_at"].as_str().is_some_and(|at| at.contains('T')));
    assert_eq!(server.get("/v1/collections/handbook").ok(200), created);

    let changed = server.patch("/v1/collections/handbook", &json!({"description": "new"})).ok(200);
    assert_eq!(changed["description"], "new");
    assert_eq!(changed["metadata"], created["metadata"], "what is not named stays");

    server.ingest("handbook", &[("a", "Der Kaffee steht in der Küche."), ("b", "Das Lager ist im Keller.")]);
    let full = server.get("/v1/collections/handbook").ok(200);
    assert_eq!((&full["documents"], &full["chunks"]), (&json!(2), &json!(2)));

    let receipt = server.delete("/v1/collections/handbook").ok(200);
    assert_eq!(receipt, json!({"deleted": {"documents": 2, "chunks": 2, "embeddings": 2}}));
    server.get("/v1/collections/handbook").error(404, "not_found");
    server.delete("/v1/collections/handbook").error(404, "not_found");
    server.patch("/v1/collections/handbook", &json!({})).error(404, "not_found");
    // The name is free again, and nothing of the old one is left in it.
    assert_eq!(server.create("handbook")["documents"], 0);
    assert!(server.search_in("handbook", "Kaffee", "hybrid").is_empty());
    server.stop();
}

#[test]
fn a_taken_name_is_a_conflict_and_a_bad_one_names_the_parameter() {
    let server = Server::start();
    server.create("a.b-c_D9");
    server.post("/v1/collections", &json!({"name": "a.b-c_D9"})).error(409, "conflict");
    let long = "n".repeat(129);
    for name in ["", "a b", "a/b", "ü", "a\0b", long.as_str()] {
        let error = server.post("/v1/collections", &json!({ "name": name })).error(400, "invalid_request");
        assert_eq!(error["param"], "name", "{name:?}");
    }
    let error = server.post("/v1/collections", &json!({"name": "x", "nmae": 1})).error(400, "unknown_field");
    assert_eq!(error["param"], "nmae");
    let nested = json!({"name": "x", "chunking": {"max": 1}});
    assert_eq!(server.post("/v1/collections", &nested).error(400, "unknown_field")["param"], "max");
    server.post("/v1/collections", &json!({"description": "no name"})).error(400, "invalid_request");
    for (body, param) in [
        (json!({"name": "x", "chunking": {"max_tokens": 8}}), "chunking.max_tokens"),
        (
            json!({"name": "x", "chunking": {"max_tokens": 64, "overlap_tokens": 60}}),
            "chunking.overlap_tokens",
        ),
        (json!({"name": "x", "chunking": {"max_tokens": -1}}), "chunking.max_tokens"),
        (json!({"name": "x", "metadata": []}), "metadata"),
        (json!({"name": "x", "language": ""}), "language"),
        (json!({"name": "x", "description": 1}), "description"),
    ] {
        let error = server.post("/v1/collections", &body).error(400, "invalid_request");
        assert_eq!(error["param"], param, "{body}");
    }
    server.get("/v1/collections/x").error(404, "not_found");
}

#[test]
fn pages_of_collections_hold_each_once_in_either_order() {
    let server = Server::start();
    let names = ["e", "d", "c", "b", "a"];
    for name in names {
        server.create(name);
    }
    let walk = |order: &str| {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = server.get(&format!("/v1/collections?limit=2&order={order}{after}")).ok(200);
            let data = page["data"].as_array().expect("data");
            assert!(data.len() <= 2);
            assert_eq!(page["first_id"], data[0]["id"]);
            assert_eq!(page["last_id"], data[data.len() - 1]["id"]);
            seen.extend(data.iter().map(|one| one["name"].as_str().expect("a name").to_owned()));
            if page["has_more"] == false {
                return seen;
            }
            after = format!("&after={}", page["last_id"].as_str().expect("an id"));
        }
    };
    assert_eq!(walk("asc"), names);
    assert_eq!(walk("desc"), ["a", "b", "c", "d", "e"]);
    let all = server.get("/v1/collections").ok(200);
    assert_eq!(all["data"].as_array().map(Vec::len), Some(5));
    let last = &all["data"][4]["id"];
    let before = server.get(&format!("/v1/collections?before={}", last.as_str().expect("an id"))).ok(200);
    assert_eq!(before["data"].as_array().map(Vec::len), Some(4));
    for query in ["limit=0", "limit=101", "limit=x", "order=up", "after=nonsense", "nonsense=1"] {
        let error = server.get(&format!("/v1/collections?{query}")).error(400, "invalid_request");
        assert!(error["message"] != Value::Null, "{query}");
    }
}

#[test]
fn an_empty_list_is_a_page_without_ids() {
    let server = Server::start();
    let page = server.get("/v1/collections").ok(200);
    assert_eq!(page, json!({"data": [], "has_more": false, "first_id": null, "last_id": null}));
}
