//! The audit log, and why somebody can or cannot see something.

use crate::support::calls::send;
use crate::support::{Server, binary, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const TOKEN: &str = "operator-token-for-tests";

fn server() -> Server {
    Server::builder().token(TOKEN).start()
}

fn log(server: &Server, query: &str) -> Vec<Value> {
    let page = server.get(&format!("/v1/audit?limit=100{query}")).ok(200);
    page["data"].as_array().expect("entries").clone()
}

fn is(entry: &Value, actor: &str, action: &str, status: u16) -> bool {
    entry["actor"] == actor && entry["action"] == action && entry["status"] == status
}

#[test]
fn writes_are_in_the_log_when_they_are_acknowledged_and_searches_are_not() {
    let server = server();
    let (id, secret) = server.key(&json!({"name": "w", "scopes": ["ingest", "search"]}));
    send(&server, Method::POST, "/v1/collections", &secret, Some(&json!({"name": "docs"}))).ok(201);
    let document = json!({"text": "A canary text about quokkas."});
    let path = "/v1/collections/docs/documents/a%20b?wait=true";
    let put = send(&server, Method::PUT, path, &secret, Some(&document));
    put.ok(201);
    let entries = log(&server, &format!("&actor={id}"));
    let written = entries
        .iter()
        .find(|entry| is(entry, &id, "PUT /v1/collections/{name}/documents/{external_id}", 201))
        .expect("the write is there");
    assert_eq!(written["target"], "/v1/collections/docs/documents/a%20b");
    assert_eq!(written["request_id"], put.header("x-request-id"));
    assert_eq!(written["peer"], "127.0.0.1");
    assert!(entries.iter().any(|entry| is(entry, &id, "POST /v1/collections", 201)));
    let made = log(&server, "&actor=token");
    assert!(
        made.iter().any(|entry| is(entry, "token", "POST /v1/keys", 201) && entry["target"] == id.as_str())
    );
    let search = json!({"query": "quokkas"});
    send(&server, Method::POST, "/v1/search", &secret, Some(&search)).ok(200);
    send(&server, Method::GET, "/v1/collections/docs/export", &secret, None);
    eventually("an export is told", || {
        log(&server, "").iter().any(|entry| is(entry, &id, "GET /v1/collections/{name}/export", 200))
    });
    let all = json!(log(&server, "")).to_string();
    assert!(!all.contains("/v1/search"), "searches are not told");
    assert!(!all.contains("quokkas") && !all.contains(&secret), "neither texts nor secrets");
    let newest = &log(&server, "")[0];
    let rest = log(&server, &format!("&after={}", newest["id"].as_str().expect("an id")));
    assert!(!rest.is_empty() && rest.iter().all(|entry| entry["id"] != newest["id"]));
}

#[test]
fn denials_and_the_use_of_keys_are_in_the_log_and_nobody_reads_another_tenants() {
    let server = server();
    let (id, secret) = server.key(&json!({"name": "r", "scopes": ["search"]}));
    send(&server, Method::GET, "/v1/collections", &secret, None).ok(200);
    send(&server, Method::POST, "/v1/collections", &secret, Some(&json!({"name": "x"})))
        .error(403, "forbidden");
    send(&server, Method::GET, "/v1/audit", &secret, None).error(403, "forbidden");
    send(&server, Method::GET, "/v1/collections", "wrong-token", None).error(401, "unauthorized");
    eventually("both denials are written down", || {
        let denied = log(&server, "&denied=true");
        let told = |action: &str| denied.iter().any(|entry| is(entry, &id, action, 403));
        assert!(denied.iter().all(|entry| entry["status"] == 403), "nobody's is not this tenant's");
        told("POST /v1/collections") && told("GET /v1/audit")
    });
    eventually("the key's use is told once", || {
        log(&server, &format!("&actor={id}")).iter().filter(|entry| entry["action"] == "use of a key").count()
            == 1
    });
    eventually("nobody's denial is written down, too", || {
        let nobodys = server.sql_of_tenant(0, "SELECT actor, status FROM audit_log");
        nobodys == [[Some("none".to_owned()), Some("401".to_owned())]]
    });
    // The server's own role can add, and change nothing.
    for statement in ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"] {
        assert!(server.sql("mcp_rag_app", statement).is_err(), "{statement}");
    }
}

#[test]
fn whoever_asks_learns_why_they_see_something_and_an_administrator_why_others_do_not() {
    let server = server();
    server.create("docs");
    let document = json!({"text": "The heron stands still.", "acl": ["user:alice"]});
    send(&server, Method::PUT, "/v1/collections/docs/documents/heron?wait=true", TOKEN, Some(&document))
        .ok(201);
    let (alice, alices) =
        server.key(&json!({"name": "a", "scopes": ["search"], "principals": ["user:alice"]}));
    let (bob, bobs) = server.key(&json!({"name": "b", "scopes": ["search"], "principals": ["user:bob"]}));
    let about = "/v1/explain-access?collection=docs&external_id=heron";
    let explain = |credential: &str, more: &str| {
        send(&server, Method::GET, &format!("{about}{more}"), credential, None)
    };
    let passes = |told: &Value, name: &str| {
        let checks = told["checks"].as_array().expect("checks");
        checks.iter().find(|check| check["check"] == name).expect("the check")["passes"] == true
    };
    let told = explain(&alices, "").ok(200);
    assert!(told["visible"] == true && passes(&told, "acl"), "{told}");
    let hidden = explain(&bobs, "");
    hidden.error(404, "not_found");
    let unknown =
        send(&server, Method::GET, "/v1/explain-access?collection=docs&external_id=nothing", &bobs, None);
    assert_eq!(
        hidden.json(),
        unknown.json(),
        "what is hidden and what is not there are told apart by nothing"
    );
    explain(&bobs, "&principals=user:alice").error(403, "forbidden");
    let told = explain(TOKEN, &format!("&key={bob}")).ok(200);
    assert!(told["visible"] == false && !passes(&told, "acl") && passes(&told, "scope"), "{told}");
    assert!(told.to_string().contains("user:alice"), "{told}");
    assert_eq!(explain(TOKEN, &format!("&key={alice}")).ok(200)["visible"], true);
    assert_eq!(explain(TOKEN, "&principals=user:carol,user:alice").ok(200)["visible"], true);
    server.delete(&format!("/v1/keys/{alice}")).ok(200);
    let told = explain(TOKEN, &format!("&key={alice}")).ok(200);
    assert!(told["visible"] == false && !passes(&told, "credential"), "{told}");
    let search = json!({"query": "heron"});
    let found = send(&server, Method::POST, "/v1/search", TOKEN, Some(&search)).ok(200);
    let chunk = found["results"][0]["chunk_id"].as_str().expect("a chunk");
    let by_chunk = format!("/v1/explain-access?chunk_id={chunk}&principals=user:bob");
    assert_eq!(send(&server, Method::GET, &by_chunk, TOKEN, None).ok(200)["visible"], false);
    explain(TOKEN, "&chunk_id=chk_1").error(400, "invalid_request");
}

#[test]
fn the_command_line_prints_a_tenants_log_and_on_the_database_nobodys_too() {
    let server = server();
    server.create("docs");
    send(&server, Method::GET, "/v1/system", "wrong", None).error(401, "unauthorized");
    let audit = |arguments: &[&str]| {
        let mut command = binary(server.home());
        command.arg("audit").args(arguments).env("MCP_RAG__AUTH__TOKEN", TOKEN);
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let told = audit(&["--server", &server.url()]);
    assert!(told.contains("token      201 POST /v1/collections /v1/collections 127.0.0.1"), "{told}");
    eventually("a refusal of nobody's is on the database", || {
        audit(&["--unknown"]).contains("401 GET /v1/system")
    });
}
