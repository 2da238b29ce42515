use crate::support::{Server, binary};
use serde_json::{Value, json};

/// Every call of the contract's first part.
const ROUTES: [(&str, &[&str]); 17] = [
    ("/health/live", &["get"]),
    ("/health/ready", &["get"]),
    ("/v1/collections", &["get", "post"]),
    ("/v1/collections/{name}", &["get", "patch", "delete"]),
    ("/v1/collections/{name}/documents", &["get", "post"]),
    ("/v1/collections/{name}/documents/delete", &["post"]),
    ("/v1/collections/{name}/documents/{external_id}", &["get", "put", "delete"]),
    ("/v1/collections/{name}/documents/{external_id}/content", &["get"]),
    ("/v1/jobs", &["get"]),
    ("/v1/jobs/{id}", &["get", "delete"]),
    ("/v1/jobs/{id}/events", &["get"]),
    ("/v1/search", &["post"]),
    ("/v1/answers", &["post"]),
    ("/v1/system", &["get"]),
    ("/v1/system/metrics", &["get"]),
    ("/health/startup", &["get"]),
    ("/health", &["get"]),
];

#[test]
fn both_ports_answer_probes_and_metrics_stay_on_the_admin_port() {
    let server = Server::start();
    for path in ["/health", "/health/live", "/health/ready", "/health/startup"] {
        for reply in [server.get(path), server.admin(path)] {
            let body = reply.ok(200);
            assert_eq!(body["status"], "ok", "{path}: {body}");
            let checks = body["checks"].as_object().expect("checks");
            assert!(checks.values().all(|check| check["status"] == "ok"), "{path}: {body}");
            assert_eq!(checks.is_empty(), path == "/health/live", "liveness looks at no dependency");
        }
    }
    server.get("/metrics").error(404, "not_found");
    server.admin("/v1/collections").error(404, "not_found");
}

/// What an image's health check runs, which has no shell and no curl.
#[test]
fn the_command_line_asks_the_probes_and_says_by_its_status_whether_the_server_can_answer() {
    let mut server = Server::start();
    let admin = server.admin_url();
    let ask =
        |arguments: &[&str]| binary(server.home()).arg("health").args(arguments).output().expect("it runs");
    let said = ask(&[&admin]);
    assert!(said.status.success(), "{said:?}");
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(text.starts_with("ok\n") && text.contains("  database: ok"), "{text}");
    // By its settings alone, as in a container: the admin port is where they say.
    let port = format!("admin.port={}", admin.rsplit(':').next().expect("a port"));
    let said = ask(&["--live", "--json", "--set", &port, "--set", "admin.host=0.0.0.0"]);
    assert!(said.status.success() && said.stdout.starts_with(b"{"), "{said:?}");
    server.stop();
    let said = binary(server.home()).args(["health", &admin]).output().expect("it runs");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(String::from_utf8_lossy(&said.stderr).contains("no answer from"), "{said:?}");
}

#[test]
fn metrics_tell_routes_by_their_pattern_and_actors_by_their_name() {
    let server = Server::start();
    server.create("secret-name");
    server.get("/v1/collections/secret-name").ok(200);
    server.get("/v1/collections/other-name").error(404, "not_found");
    let reply = server.admin("/metrics");
    assert!(reply.header("content-type").starts_with("text/plain"));
    let text = reply.text();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (_, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    let has = |parts: &[&str]| text.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(
        has(&["mcp_rag_http_requests_total", "route=\"/v1/collections/{name}\"", "status=\"200\""]),
        "{text}"
    );
    assert!(
        has(&["mcp_rag_http_requests_total", "route=\"/v1/collections/{name}\"", "status=\"404\""]),
        "{text}"
    );
    assert!(has(&["mcp_rag_http_request_seconds_bucket", "le=\"0.01\""]), "{text}");
    assert!(has(&["mcp_rag_actor_up", "actor=\"store\"", " 1"]), "{text}");
    assert!(!text.contains("secret-name"), "a name in a label would be without bound");
}

#[test]
fn the_system_report_lists_every_actor_running() {
    let server = Server::start();
    let system = server.get("/v1/system").ok(200);
    let actors = system["actors"].as_array().expect("actors");
    for name in ["postgres", "store", "cache", "embedder", "generator", "jobs"] {
        let actor = actors.iter().find(|actor| actor["name"] == name);
        let actor = actor.unwrap_or_else(|| panic!("{name} is missing: {system}"));
        assert_eq!((&actor["state"], &actor["restarts"]), (&json!("running"), &json!(0)), "{actor}");
        assert!(
            actor["mailbox"].is_u64() && actor["in_flight"].is_u64() && actor["last_error"] == Value::Null
        );
    }
    assert!(system["breakers"].is_array() && system["pools"].is_object(), "{system}");
    assert!(system["cache"]["entries"].is_u64() && system["build"]["version"].is_string(), "{system}");
}

#[test]
fn the_openapi_document_names_every_route_and_the_page_needs_nothing_from_outside() {
    let server = Server::start();
    let document = server.get("/openapi.json").ok(200);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    for (path, methods) in ROUTES {
        for method in methods {
            assert!(
                document["paths"][path][method]["responses"].is_object(),
                "{method} {path} is not documented"
            );
        }
    }
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap_or_default();
        assert!(schemas.contains_key(name), "{name} is referred to and not there");
    }
    let reply = server.get("/docs");
    assert_eq!(reply.status, 200);
    let page = reply.text();
    assert!(page.contains("openapi.json"), "the page shows the document");
    for outside in ["src=\"http", "href=\"http", "src=\"//", "href=\"//", "url(http", "@import", "cdn"] {
        assert!(!page.contains(outside), "{outside} in the page");
    }
    assert!(reply.header("content-security-policy").contains("default-src 'none'"));
}

#[test]
fn a_draining_server_finishes_what_is_in_flight() {
    let mut server = Server::start();
    server.create("docs");
    let text = "The mill grinds wheat, barley and rye for the villages along the river. ".repeat(600);
    let url = format!("{}/v1/collections/docs/documents/a?wait=true", server.url());
    let log = server.log().clone();
    let before = log.len();
    let put = std::thread::spawn(move || {
        let body = json!({ "text": text });
        reqwest::blocking::Client::new()
            .put(url)
            .json(&body)
            .send()
            .map(|response| response.status().as_u16())
    });
    crate::support::eventually("the request arrived", || {
        !server.sql_of_tenant(1, "SELECT 1 FROM documents").is_empty()
    });
    server.stop();
    assert_eq!(put.join().expect("no panic").expect("an answer"), 201);
    assert!(log.since(before).iter().any(|line| line.message() == "stopped"));
    server.restart();
    assert_eq!(server.document("docs", "a").ok(200)["status"], "ready");
}
