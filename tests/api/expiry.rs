//! Documents that end by themselves, and metadata that changes without any embedding.

use crate::support::{Server, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const PATH: &str = "/v1/collections/docs/documents";

fn after(seconds: i64) -> (OffsetDateTime, String) {
    let time = OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
    (time, time.format(&Rfc3339).expect("a time"))
}

fn server() -> Server {
    let server = Server::start();
    server.create("docs");
    server
}

fn embedded(server: &Server) -> f64 {
    let metrics = server.admin("/metrics").text();
    let lines = metrics.lines().filter(|line| line.starts_with("mcp_rag_embedder_batch_texts_sum"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[test]
fn a_document_is_found_until_it_expires_and_not_a_moment_longer_and_then_it_is_deleted() {
    let server = server();
    server.put_document("docs", "stays", &json!({"text": "The comet returns in winter."})).ok(201);
    let (end, text) = after(12);
    let body = json!({"text": "The comet returns in summer.", "expires_at": text});
    let created = server.put_document("docs", "ends", &body).ok(201);
    let shown = created["document"]["expires_at"].as_str().expect("a time");
    assert_eq!(
        OffsetDateTime::parse(shown, &Rfc3339).expect("a time").unix_timestamp(),
        end.unix_timestamp()
    );
    let ndjson = json!({"external_id": "line", "text": "The comet returns in spring.", "expires_at": text});
    server.ingest_json("docs", &[ndjson]);
    let raw = format!("{PATH}/raw?wait=true&expires_at={}", text.replace('+', "%2B"));
    server.send(Method::PUT, &raw, "text/plain", "The comet returns in autumn.").ok(201);

    let query = json!({"query": "when does the comet return", "collections": ["docs"], "mode": "hybrid"});
    let ids = |found: &Value| {
        let mut ids = crate::support::ids(found);
        ids.sort();
        ids
    };
    let mut cached = false;
    while OffsetDateTime::now_utc() < end - Duration::from_millis(700) {
        let found = server.search(&query);
        if OffsetDateTime::now_utc() < end {
            assert_eq!(ids(&found), ["ends", "line", "raw", "stays"], "{found}");
        }
        cached |= found["cached"] == true;
    }
    assert!(cached, "the cache was in use");
    eventually("its time is over", || OffsetDateTime::now_utc() > end);
    for _ in 0..20 {
        let found = server.search(&query);
        assert_eq!(ids(&found), ["stays"], "not even from the cache: {found}");
    }
    let answer = server.post("/v1/answers", &json!({"question": "when does the comet return"})).ok(200);
    assert!(!answer.to_string().contains("summer"), "{answer}");
    eventually("it is deleted", || server.document("docs", "ends").status == 404);
    eventually("all are", || server.get("/v1/collections/docs").ok(200)["documents"] == 1);
    assert_eq!(server.get("/v1/collections/docs").ok(200)["chunks"], 1);
    let told = server.admin("/metrics").text();
    assert!(told.contains("mcp_rag_expired_documents_total 3"), "{told}");
    let left = server.sql("mcp_rag_owner", "SELECT count(*) FROM lexical_chunks").expect("it runs");
    assert_eq!(left, [[Some("1".to_owned())]]);
}

#[test]
fn a_time_that_is_none_is_refused_and_a_document_may_be_given_more_time_or_less() {
    let server = server();
    let wrong = json!({"text": "x", "expires_at": "tomorrow"});
    assert_eq!(server.put_document("docs", "a", &wrong).error(400, "invalid_request")["param"], "expires_at");
    let path = format!("{PATH}/a?expires_at=tomorrow");
    assert_eq!(
        server.send(Method::PUT, &path, "text/plain", "x").error(400, "invalid_request")["param"],
        "expires_at"
    );

    let (_, soon) = after(8);
    server.put_document("docs", "a", &json!({"text": "The kettle sings.", "expires_at": soon})).ok(201);
    let before = embedded(&server);
    let (_, late) = after(3600);
    let more =
        server.put_document("docs", "a", &json!({"text": "The kettle sings.", "expires_at": late})).ok(200);
    assert_eq!((&more["unchanged"], &more["job"]), (&json!(false), &Value::Null), "{more}");
    let end = OffsetDateTime::parse(&soon, &Rfc3339).expect("a time") + Duration::from_secs(3);
    eventually("its first time is well over", || OffsetDateTime::now_utc() > end);
    assert_eq!(server.search_in("docs", "kettle", "lexical"), ["a"]);
    let never = server.put_document("docs", "a", &json!({"text": "The kettle sings."})).ok(200);
    assert_eq!(never["document"]["expires_at"], Value::Null);
    assert!((embedded(&server) - before).abs() < 0.5, "nothing was embedded again");
    // Less time, down to none.
    let (_, past) = after(-1);
    server.put_document("docs", "a", &json!({"text": "The kettle sings.", "expires_at": past}));
    assert!(server.search_in("docs", "kettle", "hybrid").is_empty());
    eventually("it is deleted", || server.document("docs", "a").status == 404);
}

#[test]
fn one_sweeper_works_through_more_than_a_batch_and_leaves_what_was_given_more_time() {
    let server = server();
    let documents = |ends: Option<String>| -> Vec<Value> {
        let id = |n: usize| format!("d{n}");
        (0..450)
            .map(|n| json!({"external_id": id(n), "text": format!("Page {n}."), "expires_at": ends}))
            .collect()
    };
    server.ingest_json("docs", &documents(None));
    let mut ended = documents(Some(after(-1).1));
    ended[7]["expires_at"] = json!(after(3600).1);
    server.ingest_json("docs", &ended);
    eventually("the others are gone", || server.get("/v1/collections/docs").ok(200)["documents"] == 1);
    assert_eq!(server.document("docs", "d7").ok(200)["status"], "ready");
    assert_eq!(server.search_in("docs", "page 7", "lexical"), ["d7"]);
    let owner =
        server.sql("mcp_rag_owner", "SELECT count(*) FROM leases WHERE name = 'sweep'").expect("it runs");
    assert_eq!(owner, [[Some("1".to_owned())]]);
    let taken =
        server.sql("mcp_rag_app", "SELECT take_lease('sweep', 'another', interval '1 s')").expect("it runs");
    assert_eq!(taken, [[Some("f".to_owned())]], "it is held");
}

#[test]
fn new_metadata_is_in_force_at_once_without_a_job_and_searches_show_it() {
    let server = server();
    let text = "# Otters\n\nThe otter sleeps on its back.";
    let body = |extra: Value| {
        let mut body = json!({"text": text, "media_type": "text/markdown"});
        body.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        body
    };
    server.put_document("docs", "otter", &body(json!({"attributes": {"seen": 1}}))).ok(201);
    let jobs = || server.get("/v1/jobs").ok(200)["data"].as_array().expect("jobs").len();
    let query = json!({"query": "otter", "collections": ["docs"], "mode": "lexical"});
    assert_eq!(server.search(&query)["results"][0]["attributes"], json!({"seen": 1}));
    let (before, jobs_before) = (embedded(&server), jobs());
    for (version, extra) in [
        (2, json!({"attributes": {"seen": 2}})),
        (3, json!({"attributes": {"seen": 2}, "uri": "https://x/otter"})),
        (4, json!({"attributes": {"seen": 2}, "uri": "https://x/otter", "acl": ["group:zoo"]})),
    ] {
        let changed = server.put_document("docs", "otter", &body(extra.clone())).ok(200);
        let document = &changed["document"];
        assert_eq!((&changed["unchanged"], &changed["job"]), (&json!(false), &Value::Null), "{changed}");
        assert_eq!((&document["version"], &document["status"]), (&json!(version), &json!("ready")));
        for (name, value) in extra.as_object().expect("an object") {
            assert_eq!(document[name], *value);
        }
        let found = server.search(&query);
        assert_eq!(found["results"][0]["attributes"], extra["attributes"], "not an older cached result");
    }
    assert_eq!((jobs(), server.content("docs", "otter")), (jobs_before, text.as_bytes().to_vec()));
    assert!((embedded(&server) - before).abs() < 0.5, "nothing was embedded");
    // In bulk too, beside documents that are new.
    let other = body(json!({"external_id": "otter", "attributes": {"seen": 3}}));
    server.ingest_json("docs", &[other, json!({"external_id": "new", "text": "The badger digs."})]);
    assert_eq!(server.search(&query)["results"][0]["attributes"], json!({"seen": 3}));
    // The title is embedded, so a new one is work.
    let titled = server.put_document("docs", "otter", &body(json!({"title": "Sea otters"}))).ok(200);
    assert!(titled["job"].is_string(), "{titled}");
    assert!(embedded(&server) > before);
}
