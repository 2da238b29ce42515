use crate::support::{Server, eventually, sse};
use reqwest::Method;
use serde_json::{Value, json};

fn many(count: usize) -> String {
    let sentence = "The quarry ships granite, slate and limestone to the harbour every second morning. ";
    let line =
        |n: usize| json!({"external_id": format!("d{n}"), "text": format!("{n} {}", sentence.repeat(40))});
    (0..count).map(|n| line(n).to_string()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_job_reports_its_progress_and_stays_listed() {
    let server = Server::start();
    server.create("docs");
    let mut jobs = Vec::new();
    for n in 0..3 {
        let receipt =
            server.ndjson("docs", &json!({"external_id": n.to_string(), "text": "pine"}).to_string());
        jobs.push(receipt.ok(202)["job"].as_str().expect("a job").to_owned());
    }
    for id in &jobs {
        let job = server.await_job(id);
        assert_eq!((&job["kind"], &job["status"]), (&json!("ingest"), &json!("succeeded")));
        assert_eq!(job["progress"], json!({"done": 1, "failed": 0, "total": 1}));
        assert_eq!((&job["attempts"], &job["error"]), (&json!(1), &Value::Null));
    }
    let page = server.get("/v1/jobs?limit=2").ok(200);
    let listed: Vec<_> = page["data"].as_array().expect("data").iter().map(|job| job["id"].clone()).collect();
    assert_eq!(listed, [json!(jobs[2]), json!(jobs[1])], "newest first");
    assert_eq!(page["has_more"], true);
    let rest = server.get(&format!("/v1/jobs?limit=2&after={}", jobs[1])).ok(200);
    assert_eq!((&rest["data"][0]["id"], &rest["has_more"]), (&json!(jobs[0]), &json!(false)));
    for unknown in ["/v1/jobs/nonsense", "/v1/jobs/job_999999", "/v1/jobs/nonsense/events"] {
        server.get(unknown).error(404, "not_found");
    }
    server.delete("/v1/jobs/nonsense").error(404, "not_found");
    server.delete(&format!("/v1/jobs/{}", jobs[0])).error(409, "conflict");
}

#[test]
fn a_jobs_events_show_progress_and_end_with_done() {
    let server = Server::start();
    server.create("docs");
    let receipt = server.ndjson("docs", &many(40)).ok(202);
    let job = receipt["job"].as_str().expect("a job");
    let path = format!("/v1/jobs/{job}/events");
    let response = server.request(Method::GET, &path).send().expect("a stream");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let events: Vec<_> = sse::events(response).collect();
    let (last, before) = events.split_last().expect("events");
    assert_eq!(last.name, "done");
    assert_eq!(last.data["status"], "succeeded");
    assert_eq!(last.data["progress"], json!({"done": 40, "failed": 0, "total": 40}));
    assert!(before.iter().all(|event| event.name == "progress" && event.data["id"] == job), "{before:?}");
    assert!(!before.is_empty(), "a job of 40 documents is seen under way");
    let done: Vec<_> = before.iter().map(|event| event.data["progress"]["done"].as_i64()).collect();
    assert!(done.is_sorted(), "{done:?}");
    // A job that is over has one event.
    let again: Vec<_> = sse::events(server.request(Method::GET, &path).send().expect("a stream")).collect();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].name, "done");
}

#[test]
fn a_cancelled_job_stops_and_what_was_searchable_before_stays() {
    let server = Server::start();
    server.create("docs");
    server.ingest("docs", &[("d399", "The beacon of the first version.")]);
    let receipt = server.ndjson("docs", &many(400)).ok(202);
    let path = format!("/v1/jobs/{}", receipt["job"].as_str().expect("a job"));
    eventually("the job runs", || server.get(&path).ok(200)["status"] != "queued");
    let cancelled = server.delete(&path).ok(200);
    assert_eq!(cancelled["status"], "cancelled");
    server.delete(&path).error(409, "conflict");
    let last = server.document("docs", "d399").ok(200);
    assert_eq!((&last["status"], &last["error"]), (&json!("failed"), &json!("cancelled")));
    assert_eq!(server.search_in("docs", "beacon", "lexical"), ["d399"]);
    // The worker has gone on to other work.
    server.put_document("docs", "new", &json!({"text": "The lantern."})).ok(201);
    let ready = server.get("/v1/collections/docs").ok(200)["documents"].as_i64().expect("a count");
    assert!(ready < 402, "cancelled before its end");
    eventually("nothing of the job is under way", || {
        server.get("/v1/collections/docs/documents?status=running").ok(200)["data"] == json!([])
    });
    assert_eq!(server.get(&path).ok(200)["status"], "cancelled");
}
