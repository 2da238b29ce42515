use crate::support::{Server, ids};
use serde_json::{Value, json};

/// 600 near-identical documents; attributes tell them apart.
fn server() -> Server {
    let server = Server::start();
    server.create("docs");
    let document = |n: usize| {
        json!({
            "external_id": format!("d{n:03}"), "text": format!("The parcel number {n} is on its way."),
            "attributes": {
                "n": n, "parity": if n.is_multiple_of(2) { "even" } else { "odd" }, "big": n >= 500, "ratio": n as f64 / 8.0,
                "rare": if n % 50 == 7 { json!("yes") } else { Value::Null }, "tags": ["t", format!("m{}", n % 3)],
            },
        })
    };
    server.ingest_json("docs", &(0..600).map(document).collect::<Vec<_>>());
    server
}

fn search(server: &Server, filters: &Value, mode: &str, top_k: usize) -> Vec<usize> {
    let body = json!({"query": "parcel on its way", "filters": filters, "mode": mode, "top_k": top_k});
    ids(&server.search(&body)).iter().map(|id| id[1..].parse().expect("a number")).collect()
}

/// A selective filter still fills the page, and what comes back matches.
#[test]
fn each_form_selects_what_it_says_and_fills_the_page_in_every_mode() {
    type Expected = fn(usize) -> bool;
    let server = server();
    let table: Vec<(Value, Expected)> = vec![
        (json!({"type": "eq", "key": "parity", "value": "odd"}), |n| n % 2 == 1),
        (json!({"type": "ne", "key": "parity", "value": "odd"}), |n| n % 2 == 0),
        (json!({"type": "eq", "key": "rare", "value": "yes"}), |n| n % 50 == 7),
        (json!({"type": "eq", "key": "big", "value": true}), |n| n >= 500),
        (json!({"type": "eq", "key": "n", "value": 123}), |n| n == 123),
        (json!({"type": "gt", "key": "n", "value": 588}), |n| n > 588),
        (json!({"type": "gte", "key": "n", "value": 588}), |n| n >= 588),
        (json!({"type": "lt", "key": "ratio", "value": 1.25}), |n| n < 10),
        (json!({"type": "lte", "key": "ratio", "value": 1.25}), |n| n <= 10),
        (json!({"type": "in", "key": "n", "value": [3, 5, 599, 1000]}), |n| [3, 5, 599].contains(&n)),
        (json!({"type": "nin", "key": "parity", "value": ["odd", "none"]}), |n| n % 2 == 0),
        (json!({"type": "gt", "key": "parity", "value": "even"}), |n| n % 2 == 1),
        (
            json!({"type": "and", "filters": [
                {"type": "gte", "key": "n", "value": 100}, {"type": "lt", "key": "n", "value": 120},
                {"type": "eq", "key": "parity", "value": "even"}]}),
            |n| (100..120).contains(&n) && n % 2 == 0,
        ),
        (
            json!({"type": "or", "filters": [
                {"type": "eq", "key": "n", "value": 1},
                {"type": "and", "filters": [
                    {"type": "gt", "key": "n", "value": 590}, {"type": "ne", "key": "parity", "value": "odd"}]}]}),
            |n| n == 1 || (n > 590 && n % 2 == 0),
        ),
    ];
    for (filters, expected) in table {
        let matching = (0..600).filter(|n| expected(*n)).count();
        for mode in ["hybrid", "dense", "lexical"] {
            let found = search(&server, &filters, mode, 100);
            assert!(found.iter().all(|n| expected(*n)), "{mode} {filters}: {found:?}");
            assert_eq!(found.len(), matching.min(100), "{mode} {filters} fills the page");
        }
    }
}

#[test]
fn what_matches_nothing_finds_nothing_without_an_error() {
    let server = server();
    for filters in [
        json!({"type": "eq", "key": "absent", "value": "x"}),
        json!({"type": "gt", "key": "parity", "value": 1}),
        json!({"type": "in", "key": "n", "value": []}),
        json!({"type": "eq", "key": "n", "value": "123"}),
        json!({"type": "eq", "key": "a'b\"c\\d; DROP TABLE documents", "value": "'; --"}),
    ] {
        assert!(search(&server, &filters, "hybrid", 10).is_empty(), "{filters}");
    }
    // What lacks the attribute is not equal to anything.
    assert_eq!(
        search(&server, &json!({"type": "ne", "key": "absent", "value": "x"}), "lexical", 100).len(),
        100
    );
    assert_eq!(search(&server, &json!({"type": "nin", "key": "n", "value": []}), "lexical", 100).len(), 100);
}

#[test]
fn a_mistake_in_a_filter_is_a_400_that_names_the_field() {
    let server = Server::start();
    let mut deep = json!({"type": "eq", "key": "n", "value": 1});
    for _ in 0..50 {
        deep = json!({"type": "and", "filters": [deep]});
    }
    let wide = json!({"type": "or", "filters": vec![json!({"type": "eq", "key": "n", "value": 1}); 100]});
    let many: Vec<usize> = (0..300).collect();
    for filters in [
        json!(1),
        json!([]),
        json!("n = 1"),
        json!({}),
        json!({"type": "like", "key": "n", "value": 1}),
        json!({"type": "eq", "key": "n"}),
        json!({"type": "eq", "key": "n", "value": null}),
        json!({"type": "eq", "key": "n", "value": [1]}),
        json!({"type": "eq", "key": "n", "value": {"$gt": 1}}),
        json!({"type": "eq", "key": "n", "value": 1, "extra": 1}),
        json!({"type": "eq", "value": 1}),
        json!({"type": "eq", "key": 1, "value": 1}),
        json!({"type": "eq", "key": "a\0b", "value": 1}),
        json!({"type": "eq", "key": "n", "value": "a\0b"}),
        json!({"type": "in", "key": "n", "value": 1}),
        json!({"type": "in", "key": "n", "value": [[1]]}),
        json!({"type": "in", "key": "n", "value": many}),
        json!({"type": "eq", "key": "$size", "value": 1}),
        json!({"type": "gt", "key": "$created_at", "value": "yesterday"}),
        json!({"type": "contains", "key": "n", "value": [1]}),
        json!({"type": "exists", "key": "n", "value": "yes"}),
        json!({"type": "and", "filters": []}),
        json!({"type": "and", "filters": {"type": "eq"}}),
        json!({"type": "or"}),
        deep,
        wide,
    ] {
        let error = server.post("/v1/search", &json!({"query": "x", "filters": filters}));
        assert_eq!(error.error(400, "invalid_request")["param"], "filters", "{filters}");
    }
}

/// The document's own fields have names of their own, and attributes of the same names stay within reach.
#[test]
fn a_documents_own_fields_select_beside_attributes_of_the_same_names() {
    let server = Server::start();
    server.create("docs");
    let document = |id: &str, kind: &str| {
        json!({"external_id": id, "text": "A parcel.", "title": format!("Title of {id}"), "uri": format!("https://x.test/{id}"),
            "media_type": kind, "acl": [format!("group-{id}"), "everyone"], "attributes": {"title": "mine", "$title": "odd"}})
    };
    server.ingest_json("docs", &[document("a", "text/plain"), document("b", "text/markdown")]);
    let created = server.document("docs", "a").ok(200)["created_at"].as_str().expect("a time").to_owned();
    let found = |filters: Value| {
        let mut ids = ids(&server.search(&json!({"query": "parcel", "filters": filters})));
        ids.sort();
        ids.concat()
    };
    for (filters, expected) in [
        (json!({"type": "eq", "key": "$title", "value": "Title of a"}), "a"),
        (json!({"type": "eq", "key": "title", "value": "mine"}), "ab"),
        (json!({"type": "eq", "key": "$$title", "value": "odd"}), "ab"),
        (json!({"type": "in", "key": "$external_id", "value": ["b", "c"]}), "b"),
        (json!({"type": "gte", "key": "$uri", "value": "https://x.test/b"}), "b"),
        (json!({"type": "eq", "key": "$media_type", "value": "text/markdown"}), "b"),
        (json!({"type": "contains", "key": "$acl", "value": "group-b"}), "b"),
        (json!({"type": "contains", "key": "$acl", "value": "everyone"}), "ab"),
        (json!({"type": "contains", "key": "$acl", "value": "every"}), ""),
        (json!({"type": "exists", "key": "$acl"}), "ab"),
        (json!({"type": "gte", "key": "$created_at", "value": created}), "ab"),
        (json!({"type": "lt", "key": "$created_at", "value": created}), ""),
        (json!({"type": "gt", "key": "$updated_at", "value": "2020-01-01"}), "ab"),
        (json!({"type": "lt", "key": "$updated_at", "value": "2020-01-01T00:00:00+01:00"}), ""),
    ] {
        assert_eq!(found(filters.clone()), expected, "{filters}");
    }
    // A new version is found by what it has now.
    server.put_document("docs", "a", &json!({"text": "Another parcel.", "acl": ["group-b"]})).ok(200);
    assert_eq!(found(json!({"type": "contains", "key": "$acl", "value": "everyone"})), "b");
    assert_eq!(found(json!({"type": "exists", "key": "title", "value": false})), "a");
}

/// One document in a collection of its own beside thousands of chunks that lie nearer: whatever walks past them
/// must still end with it, and say that this was all.
#[test]
fn a_small_selection_among_much_else_is_found_whole_with_and_without_a_filter() {
    let server = Server::start();
    server.create("many");
    server.create("few");
    let near: Vec<Value> = (0..300)
        .map(|n| json!({"external_id": format!("n{n}"), "text": format!("The red fox number {n} jumps.")}))
        .collect();
    server.ingest_json("many", &near);
    let far = |n: usize| json!({"external_id": format!("f{n}"), "text": format!("Tax law, chapter {n}."), "attributes": {"kind": "law"}});
    server.ingest_json("few", &(0..12).map(far).collect::<Vec<_>>());
    for mode in ["dense", "hybrid"] {
        let few = json!({"query": "which fox jumps", "collections": ["few"], "mode": mode});
        let law = json!({"query": "which fox jumps", "mode": mode, "filters": {"type": "eq", "key": "kind", "value": "law"}});
        for body in [few, law] {
            let found = server.search(&body);
            assert_eq!(ids(&found).len(), 10, "{body}");
            assert!(ids(&found).iter().all(|id| id.starts_with('f')), "{body}");
            assert_eq!(
                (&found["complete"], &found["timings"]["plan"]),
                (&json!(true), &json!("exact")),
                "{body}"
            );
        }
    }
}

/// More chunks than are ever compared one by one.
#[test]
fn a_filter_that_lets_most_of_a_large_collection_through_walks_the_index_and_fills_the_page() {
    const CHUNKS: usize = 25;
    let server = Server::start();
    let chunking = json!({"strategy": "tokens", "max_tokens": 32, "overlap_tokens": 0});
    server.create_with(&json!({"name": "docs", "chunking": chunking}));
    let text = |n: usize| -> String {
        let sentence =
            |part| format!("Parcel {n} part {part} is {}. ", "on its way to the harbour ".repeat(4));
        (0..CHUNKS).map(sentence).collect()
    };
    let document = |n: usize| {
        let kind = if n < 95 { "sent" } else { "lost" };
        json!({"external_id": format!("d{n}"), "text": text(n), "attributes": {"kind": kind}})
    };
    server.ingest_json("docs", &(0..100).map(document).collect::<Vec<_>>());
    let stored = server.get("/v1/collections/docs").ok(200);
    assert!(stored["chunks"].as_u64() > Some(2_300), "{stored}");
    for (kind, plan) in [("sent", "index"), ("lost", "exact")] {
        for mode in ["dense", "hybrid"] {
            let filters = json!({"type": "eq", "key": "kind", "value": kind});
            let body =
                json!({"query": "parcel to the harbour", "mode": mode, "filters": filters, "top_k": 50});
            let found = server.search(&body);
            assert_eq!(found["timings"]["plan"], plan, "{mode} {kind}");
            let results = found["results"].as_array().expect("results");
            assert!(results.iter().all(|one| one["attributes"]["kind"] == kind), "{mode} {kind}");
            assert_eq!((results.len(), &found["complete"]), (50, &json!(true)), "{mode} {kind}");
        }
    }
}
