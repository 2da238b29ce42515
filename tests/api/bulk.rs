use crate::support::{Server, eventually};
use reqwest::Method;
use reqwest::blocking::multipart::{Form, Part};
use serde_json::{Value, json};

const PATH: &str = "/v1/collections/docs/documents";

fn server() -> Server {
    let server = Server::start();
    server.create("docs");
    server
}

#[test]
fn one_bad_line_never_costs_the_good_ones_and_is_named_by_its_number() {
    let server = server();
    let lines = [
        r#"{"external_id":"a","text":"The alder grows."}"#,
        r#"{"external_id":"b","text":"#,
        "",
        r#"{"external_id":"c","text":"The birch grows.","colour":"white"}"#,
        r#"{"text":"The cedar grows."}"#,
        r#"{"external_id":"e","text":"The elm grows.","media_type":"image/png"}"#,
        r#"{"external_id":"","text":"The fir grows."}"#,
        r#"{"external_id":"g\u0000","text":"The gum tree grows."}"#,
        r#"{"external_id":"h","text":"The hazel grows.","attributes":{"a":"\u0000"}}"#,
        r#"{"external_id":"z","text":"The zelkova grows.","attributes":{"height":20}}"#,
    ];
    let receipt = server.ndjson("docs", &lines.join("\r\n")).ok(202);
    assert_eq!(receipt["accepted"], 2, "{receipt}");
    let rejected = receipt["rejected"].as_array().expect("a list");
    let numbers: Vec<_> = rejected.iter().map(|one| one["line"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, [2, 4, 5, 6, 7, 8, 9], "{receipt}");
    assert!(rejected.iter().all(|one| one["error"].as_str().is_some_and(|error| !error.is_empty())));
    assert!(rejected[1]["error"].as_str().is_some_and(|error| error.contains("colour")), "{receipt}");
    server.await_job(receipt["job"].as_str().expect("a job"));
    let mut found = server.search_in("docs", "grows", "lexical");
    found.sort();
    assert_eq!(found, ["a", "z"]);
    assert_eq!(server.document("docs", "z").ok(200)["attributes"]["height"], 20);
}

#[test]
fn a_line_that_is_not_utf_8_is_rejected_alone() {
    let server = server();
    let mut body = br#"{"external_id":"a","text":"good"}"#.to_vec();
    body.extend_from_slice(b"\n{\"external_id\":\"b\",\"text\":\"\xff\"}\n");
    let receipt = server.send(Method::POST, PATH, "application/x-ndjson", body).ok(202);
    assert_eq!((&receipt["accepted"], &receipt["rejected"][0]["line"]), (&json!(1), &json!(2)));
}

#[test]
fn a_request_with_nothing_good_in_it_is_refused() {
    let server = server();
    server.ndjson("docs", "nonsense\n{}").error(400, "invalid_request");
    let empty = server.ndjson("docs", "\n\n").ok(202);
    assert_eq!((&empty["accepted"], &empty["job"]), (&json!(0), &Value::Null));
    server.send(Method::POST, PATH, "application/json", "{}").error(415, "unsupported_media_type");
    server.ndjson("nowhere", "{}").error(404, "not_found");
}

#[test]
fn a_document_that_fails_to_parse_fails_alone() {
    let server = server();
    let form = Form::new()
        .part("file", Part::bytes(b"# Good\n\nThe otter swims.".to_vec()).file_name("good.md"))
        .part("file", Part::bytes(b"The otter \xff\x01\x02\x03".to_vec()).file_name("bad.txt"));
    let receipt = multipart(&server, form).ok(202);
    let job = server.await_job(receipt["job"].as_str().expect("a job"));
    assert_eq!(job["progress"], json!({"done": 2, "failed": 1, "total": 2}), "{job}");
    assert_eq!(job["status"], "succeeded", "{job}");
    assert!(job["error"].as_str().is_some_and(|error| error.contains('1')), "{job}");
    assert_eq!(server.document("docs", "good.md").ok(200)["status"], "ready");
    let bad = server.document("docs", "bad.txt").ok(200);
    assert_eq!(bad["status"], "failed");
    assert!(bad["error"].as_str().is_some_and(|error| error.contains("UTF-8")), "{bad}");
    server.get(&format!("{PATH}/bad.txt/content")).error(404, "not_found");
    assert_eq!(server.search_in("docs", "otter", "hybrid"), ["good.md"]);
}

fn multipart(server: &Server, form: Form) -> crate::support::Reply {
    let request = server.request(Method::POST, PATH).multipart(form);
    crate::support::Reply::read(request.send().expect("an answer"))
}

#[test]
fn files_are_uploaded_together_and_unknown_kinds_rejected_by_their_place() {
    let server = server();
    let file = |name: &'static str, text: &'static str| Part::bytes(text.as_bytes()).file_name(name);
    let form = Form::new()
        .part("a", file("a.md", "# Plum\n\nThe plum ripens."))
        .part("b", file("archive.tar", "xx"))
        .part("c", file("sub/c.html", "<p>The pear ripens.</p>"))
        .text("comment", "a part without a file name");
    let receipt = multipart(&server, form).ok(202);
    assert_eq!(receipt["accepted"], 2, "{receipt}");
    let places: Vec<_> =
        receipt["rejected"].as_array().expect("a list").iter().map(|one| &one["line"]).collect();
    assert_eq!(places, [2, 4], "{receipt}");
    server.await_job(receipt["job"].as_str().expect("a job"));
    let mut found = server.search_in("docs", "ripens", "lexical");
    found.sort();
    assert_eq!(found, ["a.md", "sub/c.html"]);
    server.send(Method::POST, PATH, "multipart/form-data", "x").error(400, "invalid_request");
    let cut = "--b\r\ncontent-disposition: form-data; name=\"f\"; filename=\"f.md\"\r\n\r\nhalf";
    server.send(Method::POST, PATH, "multipart/form-data; boundary=b", cut).error(400, "invalid_request");
}

#[test]
fn the_last_of_several_lines_with_one_id_wins() {
    let server = server();
    let receipt = server
        .ndjson(
            "docs",
            "{\"external_id\":\"a\",\"text\":\"first\"}\n{\"external_id\":\"a\",\"text\":\"second\"}",
        )
        .ok(202);
    let job = server.await_job(receipt["job"].as_str().expect("a job"));
    assert_eq!(job["status"], "succeeded", "{job}");
    assert_eq!(server.content("docs", "a"), b"second");
    assert!(server.search_in("docs", "first", "lexical").is_empty());
    assert_eq!(server.get("/v1/collections/docs").ok(200)["documents"], 1);
}

#[test]
fn uploads_of_the_same_documents_at_once_never_get_in_each_others_way() {
    let server = server();
    let order: Vec<usize> = (0..60).collect();
    let body = |writer: usize, order: &[usize]| {
        let line = |n: &usize| json!({"external_id": format!("d{n}"), "text": format!("mango {n} {writer}")});
        order.iter().map(|n| line(n).to_string()).collect::<Vec<_>>().join("\n")
    };
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let mut order = order.clone();
            if writer % 2 == 1 {
                order.reverse();
            }
            let (server, body) = (&server, &body);
            scope.spawn(move || {
                for round in 0..3 {
                    let receipt = server.ndjson("docs", &body(writer * 10 + round, &order)).ok(202);
                    server.await_job(receipt["job"].as_str().expect("a job"));
                }
            });
        }
    });
    // A job may end a moment before the last of its documents is in the list that others share.
    eventually("every document is counted", || {
        let collection = server.get("/v1/collections/docs").ok(200);
        (&collection["documents"], &collection["chunks"]) == (&json!(60), &json!(60))
    });
    let ready = server.get(&format!("{PATH}?status=ready&limit=100")).ok(200);
    assert_eq!(ready["data"].as_array().map(Vec::len), Some(60), "every document ends up searchable");
}
