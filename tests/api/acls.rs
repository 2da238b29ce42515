//! Documents that are for some: who sees them by which way, and what row-level security does by itself.

use crate::support::calls::send;
use crate::support::{Reply, Server};
use reqwest::Method;
use serde_json::{Value, json};

const TOKEN: &str = "operator-token-for-tests";
const COLLECTION: &str = "/v1/collections/docs";

fn server() -> Server {
    Server::builder().token(TOKEN).start()
}

/// The secret of a key that speaks for these.
#[track_caller]
fn key(server: &Server, scopes: &[&str], principals: &[&str]) -> String {
    let body = json!({"name": "k", "scopes": scopes, "principals": principals});
    server.post("/v1/keys", &body).ok(201)["secret"].as_str().expect("a secret").to_owned()
}

fn get(server: &Server, path: &str, credential: &str) -> Reply {
    send(server, Method::GET, path, credential, None)
}

#[track_caller]
fn put(server: &Server, credential: &str, id: &str, body: &Value) -> Reply {
    send(server, Method::PUT, &format!("{COLLECTION}/documents/{id}?wait=true"), credential, Some(body))
}

#[track_caller]
fn found(server: &Server, credential: &str, mode: &str) -> Vec<String> {
    let search = json!({"query": "how deep does the whale dive", "mode": mode, "top_k": 50});
    let body = send(server, Method::POST, "/v1/search", credential, Some(&search)).ok(200);
    assert_eq!(body["degraded"], json!([]), "{body}");
    let ids = body["results"].as_array().expect("results").iter();
    let mut ids: Vec<String> =
        ids.map(|one| one["external_id"].as_str().expect("an id").to_owned()).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// One for everybody, one for alice, one for the group, one for both, all about the same.
fn filled() -> Server {
    let server = server();
    server.create("docs");
    for (id, acl) in [
        ("all", json!([])),
        ("alice", json!(["user:alice"])),
        ("crew", json!(["group:crew"])),
        ("both", json!(["user:alice", "group:crew"])),
    ] {
        let text = format!("The whale of {id} dives two thousand metres deep.");
        let body =
            json!({"text": text, "title": format!("{id} whale"), "acl": acl, "attributes": {"of": id}});
        put(&server, TOKEN, id, &body).ok(201);
    }
    server
}

#[test]
fn a_document_is_found_read_listed_and_counted_by_whom_its_acl_names_alone() {
    let server = filled();
    let everything = ["alice", "all", "both", "crew"];
    for (principals, sees) in [
        (&[][..], &["all"][..]),
        (&["user:bob"], &["all"]),
        (&["user:alice"], &["alice", "all", "both"]),
        (&["group:crew", "user:bob"], &["all", "both", "crew"]),
        (&["*"], &everything),
    ] {
        let reader = key(&server, &["search"], principals);
        for mode in ["hybrid", "dense", "lexical", "hybrid"] {
            assert_eq!(found(&server, &reader, mode), sees, "{principals:?} {mode}");
        }
        let listed = get(&server, &format!("{COLLECTION}/documents"), &reader).ok(200);
        assert_eq!(listed["data"].as_array().expect("documents").len(), sees.len(), "{principals:?}");
        let counts = get(&server, COLLECTION, &reader).ok(200);
        assert_eq!((&counts["documents"], &counts["chunks"]), (&json!(sees.len()), &json!(sees.len())));
        let counts = get(&server, "/v1/collections", &reader).ok(200);
        assert_eq!(counts["data"][0]["documents"], json!(sees.len()));
        let export = get(&server, &format!("{COLLECTION}/export?vectors=true"), &reader).text();
        for id in everything {
            let seen = sees.contains(&id);
            assert_eq!(export.contains(&format!("whale of {id}")), seen, "{principals:?} exports {id}");
            for part in ["", "/content"] {
                let reply = get(&server, &format!("{COLLECTION}/documents/{id}{part}"), &reader);
                assert_eq!(reply.status, if seen { 200 } else { 404 }, "{principals:?} {id}{part}");
            }
        }
        let ask = json!({"question": "how deep does the whale of crew dive"});
        let answer = send(&server, Method::POST, "/v1/answers", &reader, Some(&ask)).ok(200).to_string();
        assert_eq!(answer.contains("whale of crew"), sees.contains(&"crew"), "{principals:?}: {answer}");
    }
    assert_eq!(found(&server, TOKEN, "hybrid"), everything, "administrators see all");
    let administrator = key(&server, &["admin"], &[]);
    assert_eq!(found(&server, &administrator, "hybrid"), everything);
}

#[test]
fn a_change_of_an_acl_alone_shows_at_once_in_every_mode() {
    let server = filled();
    let (alice, bob) = (key(&server, &["search"], &["user:alice"]), key(&server, &["search"], &["user:bob"]));
    assert_eq!(found(&server, &alice, "hybrid"), ["alice", "all", "both"]);
    let change = |acl: Value| {
        let text = "The whale of all dives two thousand metres deep.";
        let body = json!({"text": text, "title": "all whale", "acl": acl, "attributes": {"of": "all"}});
        put(&server, TOKEN, "all", &body).ok(200);
    };
    change(json!(["user:bob"]));
    for mode in ["hybrid", "dense", "lexical"] {
        assert_eq!(found(&server, &alice, mode), ["alice", "both"], "{mode}");
        assert_eq!(found(&server, &bob, mode), ["all"], "{mode}");
    }
    change(json!([]));
    assert_eq!(found(&server, &alice, "hybrid"), ["alice", "all", "both"]);
}

#[test]
fn a_writer_neither_changes_nor_deletes_what_it_may_not_see_and_cannot_hide_from_itself() {
    let server = filled();
    let writer = key(&server, &["search", "ingest"], &["user:bob"]);
    let body = json!({"text": "Another text."});
    let refused = put(&server, &writer, "alice", &body);
    assert_eq!(refused.error(403, "forbidden")["param"], "acl");
    let unseen = put(&server, &writer, "mine", &json!({"text": "For others.", "acl": ["user:alice"]}));
    unseen.error(403, "forbidden");
    put(&server, &writer, "mine", &json!({"text": "For me.", "acl": ["user:bob", "user:alice"]})).ok(201);
    send(&server, Method::DELETE, &format!("{COLLECTION}/documents/crew"), &writer, None)
        .error(404, "not_found");
    // A bad line never costs the good ones.
    let lines = "{\"external_id\":\"crew\",\"text\":\"x\"}\n{\"external_id\":\"good\",\"text\":\"y\"}\n\
                 {\"external_id\":\"far\",\"text\":\"z\",\"acl\":[\"user:alice\"]}\n";
    let client = reqwest::blocking::Client::new();
    let request = client.post(format!("{}{COLLECTION}/documents", server.url())).bearer_auth(&writer);
    let request = request.header("content-type", "application/x-ndjson").body(lines);
    let bulk = Reply::read(request.send().expect("an answer")).ok(202);
    assert_eq!(bulk["accepted"], 1, "{bulk}");
    assert_eq!((&bulk["rejected"][0]["line"], &bulk["rejected"][1]["line"]), (&json!(1), &json!(3)));
    // By a filter only what is seen is counted and deleted.
    let matching = json!({"filter": {"type": "in", "key": "of", "value": ["alice", "crew", "both"]}});
    let deleted =
        send(&server, Method::POST, &format!("{COLLECTION}/documents/delete"), &writer, Some(&matching));
    assert_eq!(deleted.ok(200)["deleted"]["documents"], 0);
    send(&server, Method::DELETE, COLLECTION, &writer, None).error(403, "forbidden");
    assert_eq!(
        get(&server, &format!("{COLLECTION}/documents/alice/content"), TOKEN).text(),
        "The whale of alice dives two thousand metres deep."
    );
    // A connector that speaks for everybody writes for anyone.
    let connector = key(&server, &["ingest"], &["*"]);
    put(&server, &connector, "alice", &json!({"text": "Newer.", "acl": ["user:alice"]})).ok(200);
    put(&server, &connector, "x", &json!({"text": "x", "acl": ["*"]})).error(400, "invalid_request");
}

#[test]
fn row_level_security_alone_hides_every_row_of_what_is_not_ones_own() {
    let server = filled();
    let count = |sees: &str, table: &str| {
        let sql = format!("SELECT set_config('mcp_rag.sees', '{sees}', false); SELECT count(*) FROM {table}");
        let rows = server.sql_of_tenant(1, &sql);
        rows.last().and_then(|row| row[0].clone()).expect("a count").parse::<i64>().expect("a number")
    };
    for table in ["documents", "document_versions", "chunks", "embeddings", "lexical_chunks"] {
        for (sees, rows) in
            [("", 1), ("user:bob", 1), ("user:alice", 3), ("user:bob\u{1f}group:crew", 3), ("*", 4)]
        {
            assert_eq!(count(sees, table), rows, "{table} for {sees:?}");
        }
        let unset = server.sql_of_tenant(1, &format!("SELECT count(*) FROM {table}"));
        assert_eq!(unset.last().and_then(|row| row[0].clone()).as_deref(), Some("1"), "{table} unset");
    }
    let words = "document_attributes WHERE key = 'of' AND word = 'alice'";
    assert_eq!((count("user:bob", words), count("user:alice", words)), (0, 1));
    // Writing through a statement of one's own is no way around it.
    let steal = "SELECT set_config('mcp_rag.sees', 'user:bob', false); \
                 WITH gone AS (UPDATE documents SET acl = '{}' WHERE external_id = 'crew' RETURNING 1) SELECT count(*) FROM gone";
    let rows = server.sql_of_tenant(1, steal);
    assert_eq!(rows.last().and_then(|row| row[0].clone()).as_deref(), Some("0"));
}

#[test]
fn many_hidden_documents_neither_fill_nor_empty_the_results_of_who_may_see_few() {
    let server = server();
    server.create("docs");
    let mut lines = String::new();
    for at in 0..400 {
        let acl = if at % 20 == 0 { "user:alice" } else { "user:bob" };
        lines.push_str(&json!({"external_id": format!("d{at:03}"), "text": format!("Whale number {at} dives deep."), "acl": [acl]}).to_string());
        lines.push('\n');
    }
    let reply = server.ndjson("docs", &lines).ok(202);
    server.await_job(reply["job"].as_str().expect("a job"));
    let alice = key(&server, &["search"], &["user:alice"]);
    for mode in ["hybrid", "dense", "lexical"] {
        let found = found(&server, &alice, mode);
        assert_eq!(found.len(), 20, "{mode}: {found:?}");
    }
}
