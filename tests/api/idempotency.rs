//! Writes that are sent again: answered again, done once.

use crate::support::{Reply, Server, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const HEADER: &str = "Idempotency-Key";
const REPLAYED: &str = "idempotency-replayed";

fn keyed(server: &Server, key: &str, method: Method, path: &str, body: &Value) -> Reply {
    let request = server.request(method, path).header(HEADER, key).json(body);
    Reply::read(request.send().expect("an answer"))
}

fn bulk(server: &Server, key: &str, lines: &str) -> Reply {
    let request = server.request(Method::POST, "/v1/collections/docs/documents").header(HEADER, key);
    let request = request.header("content-type", "application/x-ndjson").body(lines.to_owned());
    Reply::read(request.send().expect("an answer"))
}

fn post(server: &Server, key: &str, path: &str, body: &Value) -> Reply {
    keyed(server, key, Method::POST, path, body)
}

fn jobs(server: &Server) -> usize {
    server.get("/v1/jobs?limit=100").ok(200)["data"].as_array().expect("jobs").len()
}

#[track_caller]
fn same(first: &Reply, again: &Reply) {
    assert_eq!((again.status, again.text()), (first.status, first.text()));
    assert_eq!(again.header("content-type"), first.header("content-type"));
    assert_eq!((first.header(REPLAYED), again.header(REPLAYED)), ("", "true"));
}

#[test]
fn every_write_that_is_sent_again_is_answered_again_and_done_once() {
    let server = Server::start();
    let new = json!({"name": "docs"});
    let created = post(&server, "c-1", "/v1/collections", &new);
    created.ok(201);
    same(&created, &post(&server, "c-1", "/v1/collections", &new));

    let change = json!({"description": "animals"});
    let changed = keyed(&server, "c-2", Method::PATCH, "/v1/collections/docs", &change);
    changed.ok(200);
    same(&changed, &keyed(&server, "c-2", Method::PATCH, "/v1/collections/docs", &change));

    let lines = "{\"external_id\":\"a\",\"text\":\"Ants.\"}\n{\"nothing\":1}\n{\"external_id\":\"b\",\"text\":\"Bees.\"}";
    let accepted = bulk(&server, "d-1", lines);
    let receipt = accepted.ok(202);
    server.await_job(receipt["job"].as_str().expect("a job"));
    same(&accepted, &bulk(&server, "d-1", lines));
    assert_eq!(jobs(&server), 1, "no second job");

    let path = "/v1/collections/docs/documents/c?wait=true";
    let document = json!({"text": "Cats purr."});
    let put = keyed(&server, "d-2", Method::PUT, path, &document);
    put.ok(201);
    same(&put, &keyed(&server, "d-2", Method::PUT, path, &document));

    let gone = keyed(&server, "d-3", Method::DELETE, "/v1/collections/docs/documents/c", &Value::Null);
    assert_eq!(gone.ok(200)["deleted"]["documents"], 1);
    same(&gone, &keyed(&server, "d-3", Method::DELETE, "/v1/collections/docs/documents/c", &Value::Null));

    let job = format!("/v1/jobs/{}", receipt["job"].as_str().expect("a job"));
    let refused = keyed(&server, "j-1", Method::DELETE, &job, &Value::Null);
    refused.error(409, "conflict");
    same(&refused, &keyed(&server, "j-1", Method::DELETE, &job, &Value::Null));

    let dropped = keyed(&server, "c-3", Method::DELETE, "/v1/collections/docs", &Value::Null);
    assert_eq!(dropped.ok(200)["deleted"]["documents"], 2);
    same(&dropped, &keyed(&server, "c-3", Method::DELETE, "/v1/collections/docs", &Value::Null));
}

#[test]
fn a_key_stands_for_one_request_of_one_caller() {
    let server = Server::builder().token("the-first-token-of-all").start();
    post(&server, "k", "/v1/collections", &json!({"name": "docs"})).ok(201);
    // Another body, path or method, though none of them would be wrong by itself.
    let refused = post(&server, "k", "/v1/collections", &json!({"name": "other"}));
    assert_eq!(refused.error(422, "idempotency_key_reused")["param"], HEADER);
    keyed(&server, "k", Method::PATCH, "/v1/collections/docs", &json!({}))
        .error(422, "idempotency_key_reused");
    server.get("/v1/collections/other").error(404, "not_found");
    // Reads and searches do not know it.
    let search = post(&server, "k", "/v1/search", &json!({"query": "x", "collections": ["docs"]}));
    assert_eq!((search.status, search.header(REPLAYED)), (200, ""));

    for (key, ok) in [("", false), (&*"x".repeat(256), false), (&*"y".repeat(255), true)] {
        let reply = post(&server, key, "/v1/collections", &json!({"name": format!("n{}", key.len())}));
        if ok {
            reply.ok(201);
        } else {
            assert_eq!(reply.error(400, "invalid_request")["param"], HEADER);
        }
    }
    // The same key of another credential, which is accepted for as long as tokens overlap, is another key.
    let stored = server.sql_of_tenant(1, "SELECT count(DISTINCT caller) FROM idempotency_keys");
    assert_eq!(stored, [[Some("1".to_owned())]]);
    let secret = "SELECT count(*) FROM idempotency_keys k WHERE k::text LIKE '%the-first-token%'";
    assert_eq!(server.sql_of_tenant(1, secret), [[Some("0".to_owned())]], "a hash is kept, never the token");
}

#[test]
fn a_request_whose_server_was_lost_after_its_write_is_answered_by_what_it_did() {
    let server = Server::start();
    server.create("docs");
    let new = json!({"name": "made"});
    let first = post(&server, "c", "/v1/collections", &new).ok(201);
    let lines =
        "{\"external_id\":\"a\",\"text\":\"Ants carry.\"}\n{\"external_id\":\"b\",\"text\":\"Bees dance.\"}";
    let accepted = bulk(&server, "d", lines).ok(202);
    server.await_job(accepted["job"].as_str().expect("a job"));
    let path = "/v1/collections/docs/documents/a";
    let deleted = keyed(&server, "x", Method::DELETE, path, &Value::Null).ok(200);
    // As a server leaves it that is killed between its commit and its answer.
    let lost =
        "UPDATE idempotency_keys SET status = NULL, response = NULL, lease_until = now() + interval '2 s'";
    server.sql("mcp_rag_owner", lost).expect("the statement runs");

    let early = post(&server, "c", "/v1/collections", &new);
    early.error(409, "request_in_progress");
    assert!(!early.header("retry-after").is_empty());
    let mut again = Vec::new();
    eventually("the lease of the lost server runs out", || {
        let reply = post(&server, "c", "/v1/collections", &new);
        let over = reply.status != 409;
        again.push(reply);
        over
    });
    let again = again.pop().expect("an answer");
    assert_eq!((again.ok(201), again.header(REPLAYED)), (first, "true"));
    bulk(&server, "d", "{\"external_id\":\"z\",\"text\":\"Other.\"}").error(422, "idempotency_key_reused");
    eventually("the key is free again", || bulk(&server, "d", lines).status == 202);
    assert_eq!(bulk(&server, "d", lines).ok(202), accepted);
    assert_eq!(jobs(&server), 1, "not done twice");
    assert_eq!(keyed(&server, "x", Method::DELETE, path, &Value::Null).ok(200), deleted, "no false 404");
}

#[test]
fn of_many_requests_with_one_key_at_once_one_is_carried_out() {
    let server = Server::start();
    server.create("docs");
    let lines: Vec<String> = (0..200)
        .map(|n| json!({"external_id": format!("d{n}"), "text": format!("Number {n}.")}).to_string())
        .collect();
    let lines = lines.join("\n");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let one = || {
            let reply = bulk(&server, "k", &lines);
            if reply.status == 409 {
                reply.error(409, "request_in_progress");
                assert!(!reply.header("retry-after").is_empty());
            }
            reply.status
        };
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(statuses.iter().all(|status| [202, 409].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&202), "{statuses:?}");
    assert_eq!(jobs(&server), 1);
}

#[test]
fn what_was_kept_long_enough_is_forgotten_and_swept() {
    let server = Server::builder().set("server.idempotency_ttl_ms", 1500).start();
    let new = json!({"name": "docs"});
    post(&server, "k", "/v1/collections", &new).ok(201);
    eventually("the answer is forgotten", || post(&server, "k", "/v1/collections", &new).status == 409);
    post(&server, "swept", "/v1/collections", &new).error(409, "conflict");
    server
        .sql(
            "mcp_rag_owner",
            "UPDATE idempotency_keys SET expires_at = now() - interval '1 h', lease_until = now()",
        )
        .expect("it runs");
    let swept = server.sql("mcp_rag_app", "SELECT sweep_idempotency_keys(1)").expect("it runs");
    assert_eq!(swept, [[Some("1".to_owned())]], "in batches");
    server.sql("mcp_rag_app", "SELECT sweep_idempotency_keys(100)").expect("it runs");
    assert_eq!(server.sql_of_tenant(1, "SELECT count(*) FROM idempotency_keys"), [[Some("0".to_owned())]]);
}
