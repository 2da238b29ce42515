//! API keys and their scopes, over the API and by the command line.

use crate::support::calls::send;
use crate::support::{Reply, Server, binary, eventually, ids};
use reqwest::Method;
use serde_json::{Value, json};

const TOKEN: &str = "operator-token-for-tests";

fn server() -> Server {
    Server::builder().token(TOKEN).set("auth.key_ttl_ms", 300).start()
}

fn get(server: &Server, path: &str, credential: &str) -> Reply {
    send(server, Method::GET, path, credential, None)
}

#[test]
fn every_route_of_the_openapi_document_refuses_a_credential_without_its_scope() {
    let server = server();
    let api = server.get("/openapi.json").ok(200);
    let secrets: Vec<(&str, String)> = ["search", "ingest", "admin"]
        .map(|scope| (scope, server.key(&json!({"name": scope, "scopes": [scope]})).1))
        .into();
    let mut asked = 0;
    for (path, item) in api["paths"].as_object().expect("paths") {
        if !path.starts_with("/v1/") {
            continue;
        }
        for (method, operation) in item.as_object().expect("operations") {
            // What the document says is needed: the scopes beside a credential's name.
            let named = |requirement: &Value| requirement["bearer"][0].as_str().map(str::to_owned);
            let needed: Vec<String> =
                operation["security"].as_array().expect("security").iter().filter_map(named).collect();
            assert!(!needed.is_empty(), "{method} {path} needs no scope");
            assert!(
                operation["responses"]["403"].is_object(),
                "{method} {path} does not document its refusal"
            );
            let at =
                path.replace("{name}", "nowhere").replace("{external_id}", "x").replace("{id}", "job_999");
            let at = at.replace("{vector_store_id}", "vs_999").replace("{file_id}", "file-999");
            let at = at.replace("{batch_id}", "vsfb_999").replace("{model}", "nowhere");
            for (scope, secret) in &secrets {
                let wanted = *scope == "admin" || needed.iter().any(|one| one == scope);
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
                let reply = send(&server, method.clone(), &at, secret, None);
                if wanted {
                    assert!(
                        ![401, 403].contains(&reply.status),
                        "{method} {at} with {scope}: {}",
                        reply.text()
                    );
                } else {
                    let error = reply.error(403, "forbidden");
                    assert_eq!(error["type"], "permission_error", "{method} {at} with {scope}");
                }
                asked += 1;
            }
        }
    }
    assert!(asked > 90, "{asked}");
    // What is no route at all is nobody's but the administrator's to find out.
    get(&server, "/v1/nowhere", &secrets[0].1).error(403, "forbidden");
    get(&server, "/v1/nowhere", &secrets[2].1).error(404, "not_found");
}

#[test]
fn a_key_is_shown_once_kept_as_a_hash_and_ends_when_it_is_revoked_or_expires() {
    let mut server = server();
    let another = server.post("/v1/keys", &json!({"name": "another", "scopes": ["search"]}));
    assert_eq!(another.header("cache-control"), "no-store");
    server.delete(&format!("/v1/keys/{}", another.ok(201)["id"].as_str().expect("an id"))).ok(200);
    let (id, secret) = server.key(&json!({"name": "reader", "scopes": ["search"]}));
    assert!(secret.starts_with("mrag_"), "the form of a key");
    let listed = server.get("/v1/keys").ok(200);
    assert_eq!(
        (&listed["data"][0]["id"], &listed["data"][0]["name"]),
        (&id.clone().into(), &"reader".into())
    );
    assert!(secret.contains(listed["data"][0]["prefix"].as_str().expect("a prefix")));
    assert!(!listed.to_string().contains(&secret), "a secret is not listed");
    get(&server, "/v1/collections", &secret).ok(200);
    // Every character counts.
    let last = if secret.ends_with('A') { 'B' } else { 'A' };
    let wrong = format!("{}{last}", &secret[..secret.len() - 1]);
    get(&server, "/v1/collections", &wrong).error(401, "unauthorized");
    let rows = server.sql("mcp_rag_owner", "SELECT * FROM api_keys").expect("readable");
    assert!(!format!("{rows:?}").contains(&secret[18..]), "the database does not know the secret");

    eventually("its use is written down", || {
        server.get("/v1/keys").ok(200)["data"][0]["last_used_at"].is_string()
    });
    let revoked = server.delete(&format!("/v1/keys/{id}")).ok(200);
    assert!(revoked["revoked_at"].is_string(), "{revoked}");
    get(&server, "/v1/collections", &secret).error(401, "unauthorized");
    assert_eq!(server.delete(&format!("/v1/keys/{id}")).ok(200)["revoked_at"], revoked["revoked_at"]);
    server.delete("/v1/keys/key_999").error(404, "not_found");

    let soon = time::OffsetDateTime::now_utc() + time::Duration::seconds(2);
    let soon = soon.format(&time::format_description::well_known::Rfc3339).expect("a time");
    let (_, short) = server.key(&json!({"name": "short", "scopes": ["search"], "expires_at": soon}));
    get(&server, "/v1/collections", &short).ok(200);
    eventually("it has expired", || get(&server, "/v1/collections", &short).status == 401);
    server.stop();
    for canary in [&secret, &short] {
        assert!(!server.log().contains(canary), "a key is never logged");
    }
}

#[test]
fn a_rotated_key_and_its_successor_work_side_by_side_for_the_overlap() {
    let server = server();
    let (id, old) = server.key(&json!({"name": "app", "scopes": ["ingest"], "collections": ["notes"]}));
    let rotated = server.post(&format!("/v1/keys/{id}/rotate"), &json!({"overlap_seconds": 3})).ok(201);
    let new = rotated["secret"].as_str().expect("a secret");
    assert_eq!((&rotated["rotated_from"], &rotated["scopes"]), (&id.clone().into(), &json!(["ingest"])));
    assert_eq!(rotated["collections"], json!(["notes"]));
    for secret in [&old, new] {
        get(&server, "/v1/jobs", secret).ok(200);
    }
    server.post(&format!("/v1/keys/{id}/rotate"), &json!({})).error(409, "conflict");
    eventually("the overlap is over", || get(&server, "/v1/jobs", &old).status == 401);
    get(&server, "/v1/jobs", new).ok(200);
    server.post(&format!("/v1/keys/{id}/rotate"), &json!({})).error(409, "conflict");
    // Stolen: without an overlap the old one ends at once.
    let id = rotated["id"].as_str().expect("an id");
    server.post(&format!("/v1/keys/{id}/rotate"), &json!({"overlap_seconds": 0})).ok(201);
    get(&server, "/v1/jobs", new).error(401, "unauthorized");
}

#[test]
fn bad_requests_for_keys_are_refused_by_name_and_lists_have_pages() {
    let server = server();
    for (body, param) in [
        (json!({"name": "", "scopes": ["search"]}), "name"),
        (json!({"name": "x".repeat(129), "scopes": ["search"]}), "name"),
        (json!({"name": "a", "scopes": []}), "scopes"),
        (json!({"name": "a", "scopes": ["root"]}), "scopes[0]"),
        (json!({"name": "a", "scopes": ["search"], "collections": []}), "collections"),
        (json!({"name": "a", "scopes": ["admin"], "collections": ["b"]}), "collections"),
        (json!({"name": "a", "scopes": ["search"], "principals": [""]}), "principals"),
        (json!({"name": "a", "scopes": ["search"], "expires_at": "2001-01-01T00:00:00Z"}), "expires_at"),
    ] {
        assert_eq!(server.post("/v1/keys", &body).error(400, "invalid_request")["param"], param, "{body}");
    }
    let made: Vec<String> =
        (0..5).map(|n| server.key(&json!({"name": format!("k{n}"), "scopes": ["search"]})).0).collect();
    let (mut seen, mut path) = (Vec::new(), "/v1/keys?limit=2".to_owned());
    loop {
        let page = server.get(&path).ok(200);
        seen.extend(
            page["data"]
                .as_array()
                .expect("data")
                .iter()
                .map(|key| key["id"].as_str().expect("an id").to_owned()),
        );
        if page["has_more"] == false {
            break;
        }
        path = format!("/v1/keys?limit=2&after={}", page["last_id"].as_str().expect("an id"));
    }
    assert_eq!(seen, made.into_iter().rev().collect::<Vec<_>>());
}

#[test]
fn a_key_that_is_limited_to_collections_sees_no_other_anywhere() {
    let server = server();
    for name in ["mine", "theirs"] {
        server.create(name);
        server.ingest(name, &[(&format!("doc-{name}"), &format!("The {name} lantern glows at night."))]);
    }
    let (_, secret) = server
        .key(&json!({"name": "limited", "scopes": ["search", "ingest"], "collections": ["mine", "new"]}));
    let call = |method: Method, path: &str, body: Value| send(&server, method, path, &secret, Some(&body));
    let listed = get(&server, "/v1/collections", &secret).ok(200);
    assert_eq!(listed["data"].as_array().expect("data").len(), 1, "{listed}");
    let found = call(Method::POST, "/v1/search", json!({"query": "lantern glows"})).ok(200);
    assert_eq!(ids(&found), ["doc-mine"]);
    let theirs = json!({"query": "lantern", "collections": ["theirs"]});
    call(Method::POST, "/v1/search", theirs).error(404, "not_found");
    for (method, path) in [
        (Method::GET, "/v1/collections/theirs"),
        (Method::GET, "/v1/collections/theirs/documents"),
        (Method::GET, "/v1/collections/theirs/documents/doc-theirs/content"),
        (Method::GET, "/v1/collections/theirs/export"),
        (Method::DELETE, "/v1/collections/theirs"),
        (Method::DELETE, "/v1/collections/theirs/documents/doc-theirs"),
        (Method::POST, "/v1/collections/theirs/reindex"),
    ] {
        let reply = send(&server, method.clone(), path, &secret, None);
        assert_eq!(reply.status, 404, "{method} {path}: {}", reply.text());
    }
    let stores = server.get("/v1/vector_stores").ok(200)["data"].clone();
    let named = |name: &str| {
        let stores = stores.as_array().expect("stores");
        stores.iter().find(|one| one["name"] == name).and_then(|one| one["id"].as_str()).expect("an id")
    };
    let (mine, others) = (named("mine"), named("theirs"));
    let ask = |store: &str| {
        call(Method::POST, &format!("/v1/vector_stores/{store}/search"), json!({"query": "lantern"}))
    };
    assert_eq!(ask(mine).ok(200)["data"][0]["filename"], "doc-mine");
    ask(others).error(404, "not_found");
    for path in [format!("/v1/vector_stores/{others}"), format!("/v1/vector_stores/{others}/files")] {
        get(&server, &path, &secret).error(404, "not_found");
    }
    let chat = json!({"model": "mcp-rag/theirs", "messages": [{"role": "user", "content": "What glows?"}]});
    call(Method::POST, "/v1/chat/completions", chat).error(404, "not_found");
    // Uploaded files belong to no collection, so a key of some has none.
    for path in ["/v1/vector_stores".to_owned(), "/v1/files".to_owned()] {
        get(&server, &path, &secret).error(403, "forbidden");
    }
    let put = json!({"file_id": "file-1"});
    call(Method::POST, &format!("/v1/vector_stores/{mine}/files"), put).error(403, "forbidden");
    call(Method::POST, "/v1/collections", json!({"name": "other"})).error(403, "forbidden");
    call(Method::POST, "/v1/collections", json!({"name": "new"})).ok(201);
    let jobs =
        |secret: &str| get(&server, "/v1/jobs", secret).ok(200)["data"].as_array().expect("data").clone();
    let (all, own) = (jobs(TOKEN), jobs(&secret));
    assert_eq!((all.len(), own.len()), (2, 1));
    let other = all.iter().find(|job| **job != own[0]).expect("the other one")["id"].as_str().expect("an id");
    for (method, path) in
        [(Method::GET, ""), (Method::DELETE, ""), (Method::POST, "/retry"), (Method::GET, "/events")]
    {
        let reply = send(&server, method.clone(), &format!("/v1/jobs/{other}{path}"), &secret, None);
        reply.error(404, "not_found");
    }
}

#[test]
fn tenants_and_first_keys_are_made_on_the_database_of_a_running_server_and_see_nothing_of_each_other() {
    let server = Server::builder().token(TOKEN).start();
    let run = |arguments: &[&str]| {
        let output = binary(server.home()).args(arguments).arg("--json").output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    run(&["tenants", "create", "acme"]);
    let names: Vec<Value> = run(&["tenants", "list"])["data"]
        .as_array()
        .expect("data")
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    assert_eq!(names, ["default", "acme"]);
    let made = run(&["keys", "create", "first", "--scope", "admin", "--tenant", "acme"]);
    let acme = made["secret"].as_str().expect("a secret");
    send(&server, Method::POST, "/v1/collections", acme, Some(&json!({"name": "plans"}))).ok(201);
    let line = json!({"external_id": "a", "text": "The acmecanary plan."}).to_string();
    let client = reqwest::blocking::Client::new();
    let upload = client
        .post(format!("{}/v1/collections/plans/documents", server.url()))
        .bearer_auth(acme)
        .header("content-type", "application/x-ndjson");
    let receipt = Reply::read(upload.body(line).send().expect("an answer")).ok(202);
    let job = format!("/v1/jobs/{}", receipt["job"].as_str().expect("a job"));
    eventually("it is searchable", || get(&server, &job, acme).ok(200)["status"] == "succeeded");
    let query = json!({"query": "acmecanary plan"});
    assert_eq!(ids(&send(&server, Method::POST, "/v1/search", acme, Some(&query)).ok(200)), ["a"]);
    assert_eq!(ids(&server.search(&query)), Vec::<String>::new());
    server.get(&job).error(404, "not_found");
    server.get("/v1/collections/plans").error(404, "not_found");
    assert_eq!(server.get("/v1/keys").ok(200)["data"], json!([]));
    server.delete(&format!("/v1/keys/{}", made["id"].as_str().expect("an id"))).error(404, "not_found");

    let url = server.url();
    let over = |arguments: &[&str]| {
        let mut command = binary(server.home());
        command.env("MCP_RAG__AUTH__TOKEN", acme).args(arguments).args(["--server", &url]);
        let output = command.output().expect("it runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (good, text) = over(&[
        "keys",
        "create",
        "second",
        "--scope",
        "search",
        "--collection",
        "plans",
        "--expires-in",
        "30",
    ]);
    assert!(good && text.contains("mrag_") && text.contains("only plans"), "{text}");
    let id = text.split_whitespace().next().expect("an id").to_owned();
    let (good, text) = over(&["keys", "rotate", &id, "--overlap", "0"]);
    assert!(good && text.contains("mrag_"), "{text}");
    let (good, text) = over(&["keys", "revoke", &id]);
    assert!(good && text.contains("revoked"), "{text}");
    let (good, text) = over(&["keys", "list"]);
    assert!(good && text.lines().count() == 3, "{text}");
}

#[test]
fn a_key_is_credential_enough_for_a_production_server_to_start() {
    let server = Server::start();
    let output = binary(server.home())
        .args(["keys", "create", "only", "--scope", "admin", "--json"])
        .output()
        .expect("it runs");
    let made: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let secret = made["secret"].as_str().expect("a secret");
    // In development it is not needed, and good all the same; a wrong one is wrong.
    get(&server, "/v1/collections", secret).ok(200);
    get(&server, "/v1/collections", &secret.replace("mrag_", "mrag_x")).ok(200);
    let unknown = format!("mrag_{}_{}", "a".repeat(12), "b".repeat(43));
    get(&server, "/v1/collections", &unknown).error(401, "unauthorized");
    let server = server.restarted_in(
        "production",
        &[
            ("auth.keys_only", "true"),
            ("server.host", "127.0.0.1"),
            ("admin.host", "127.0.0.1"),
            ("database.migrate", "true"),
        ],
    );
    server.get("/v1/collections").error(401, "unauthorized");
    get(&server, "/v1/collections", secret).ok(200);
}
