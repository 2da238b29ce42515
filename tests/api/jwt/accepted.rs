use super::issuer::Issuer;
use super::sign::Signer;
use super::{TOKEN, builder, list, refused, send, with};
use crate::support::{Reply, Server, binary, eventually, ids};
use reqwest::Method;
use serde_json::{Value, json};

const SECRET: &str = "a shared secret of at least thirty-two bytes";

#[test]
fn every_algorithm_is_accepted_with_its_own_key_beside_the_token_and_api_keys() {
    let signers = [Signer::rsa("r"), Signer::p256("e"), Signer::ed25519("d")];
    let issuer = Issuer::start(&signers.each_ref());
    let mut server = with(&issuer).env("MCP_RAG__AUTH__JWT__SECRET", SECRET).start();
    let secret = Signer::secret(SECRET);
    for signer in signers.iter().chain([&secret]) {
        let token = signer.token(&json!({}));
        for _ in 0..2 {
            assert_eq!(list(&server, &token).status, 200, "{}", signer.algorithm());
        }
        let client = reqwest::blocking::Client::new();
        let request = client.get(format!("{}/v1/collections", server.url())).header("x-api-key", &token);
        assert_eq!(request.send().expect("an answer").status(), 200, "in the other header");
    }
    // A token need not name its key.
    refused(&server, &Signer::ed25519("").token(&json!({})), "not known");
    let header = json!({"alg": "RS256"});
    assert_eq!(list(&server, &signers[0].sign(&header, &super::sign::claims(&json!({})))).status, 200);

    server.get("/v1/keys").ok(200);
    let made = server.post("/v1/keys", &json!({"name": "k", "scopes": ["search"]})).ok(201);
    list(&server, made["secret"].as_str().expect("a secret")).ok(200);
    list(&server, "nonsense").error(401, "unauthorized");
    list(&server, "non.sense").error(401, "unauthorized");

    let system = server.get("/v1/system").ok(200);
    let named = |list: &str| {
        let all = system[list].as_array().expect("a list");
        all.iter().find(|one| one["name"] == "jwks").cloned().unwrap_or_else(|| panic!("{system}"))
    };
    assert_eq!(
        (&named("actors")["state"], &named("breakers")["state"]),
        (&json!("running"), &json!("closed"))
    );
    let metrics = server.admin("/metrics").text();
    assert!(metrics.contains("mcp_rag_tokens_total{outcome=\"accepted\"}"), "{metrics}");
    assert!(metrics.contains("mcp_rag_jwks_fetches_total{outcome=\"changed\"} 1"), "{metrics}");
    server.stop();
    for signer in signers.iter().chain([&secret]) {
        let token = signer.token(&json!({}));
        let payload = token.split('.').nth(1).expect("a payload");
        assert!(
            !server.log().contains(&payload[..40]) && !server.log().contains("alice"),
            "nothing is logged"
        );
    }
}

#[test]
fn keys_in_a_file_are_read_again_when_they_change_and_a_broken_file_changes_nothing() {
    let (one, two) = (Signer::ed25519("1"), Signer::p256("2"));
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("jwks.json");
    let write = |signer: &Signer| {
        std::fs::write(&file, json!({"keys": [signer.jwk()]}).to_string()).expect("written");
    };
    write(&one);
    let server = builder()
        .set("auth.jwt.jwks_file", file.display())
        .set("auth.jwt.jwks_cooldown_ms", 200)
        .start_in(tempfile::tempdir().expect("a directory"));
    list(&server, &one.token(&json!({}))).ok(200);
    let remembered = one.token(&json!({}));
    list(&server, &remembered).ok(200);
    std::fs::write(&file, "{").expect("written");
    server.log().await_line(0, |line| line.message().contains("cannot be fetched"));
    list(&server, &one.token(&json!({}))).ok(200);
    write(&two);
    eventually("the new key is known", || list(&server, &two.token(&json!({}))).status == 200);
    refused(&server, &remembered, "not known");
    drop(server);
    std::fs::write(&file, "nonsense").expect("written");
    let (code, said) = builder().set("auth.jwt.jwks_file", file.display()).start_refused();
    assert!(code != Some(0) && said.contains("the file of keys cannot be used"), "{code:?}: {said}");
}

#[test]
fn a_token_is_good_for_its_own_tenant_scopes_and_collections_alone() {
    let signer = Signer::ed25519("1");
    let issuer = Issuer::start(&[&signer]);
    let server = with(&issuer).start();
    let made = binary(server.home()).args(["tenants", "create", "acme", "--json"]).output().expect("it runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let acme: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    for name in ["mine", "theirs"] {
        server.create(name);
        server.ingest(name, &[(&format!("doc-{name}"), &format!("The {name} lantern glows at night."))]);
    }
    let query = json!({"query": "lantern glows"});
    let search = |token: &str| send(&server, Method::POST, "/v1/search", token, Some(&query));
    let found = |token: &str| {
        let mut found = ids(&search(token).ok(200));
        found.sort();
        found
    };
    assert_eq!(found(&signer.token(&json!({}))), ["doc-mine", "doc-theirs"]);
    assert_eq!(found(&signer.token(&json!({"collections": ["mine"]}))), ["doc-mine"]);
    for tenant in [json!("acme"), acme["id"].clone()] {
        assert!(found(&signer.token(&json!({"tenant": tenant, "groups": ["eng"]}))).is_empty(), "{tenant}");
    }
    let theirs = signer.token(&json!({"tenant": "acme", "scope": "search ingest"}));
    send(&server, Method::POST, "/v1/collections", &theirs, Some(&json!({"name": "plans"}))).ok(201);
    server.get("/v1/collections/plans").error(404, "not_found");
    for tenant in ["nobody", "ten_999"] {
        refused(&server, &signer.token(&json!({ "tenant": tenant })), "tenant does not exist");
    }

    let create = json!({"name": "new"});
    let reading = send(&server, Method::POST, "/v1/collections", &signer.token(&json!({})), Some(&create));
    assert_eq!(reading.header("www-authenticate"), "Bearer error=\"insufficient_scope\"");
    reading.error(403, "forbidden");
    search(&signer.token(&json!({"scope": "ingest"}))).error(403, "forbidden");
    search(&signer.token(&json!({"scope": null}))).error(403, "forbidden");
    let admin = signer.token(&json!({"scope": ["admin"]}));
    send(&server, Method::GET, "/v1/keys", &admin, None).ok(200);
    server.get("/v1/keys").ok(200);
}

#[test]
fn a_write_that_is_repeated_with_a_renewed_token_is_done_once() {
    let signer = Signer::secret(SECRET);
    let server = builder().env("MCP_RAG__AUTH__JWT__SECRET", SECRET).start();
    let create = |claims: Value| {
        let client = reqwest::blocking::Client::new();
        let request = client.post(format!("{}/v1/collections", server.url()));
        let request = request.bearer_auth(signer.token(&claims)).header("idempotency-key", "one");
        Reply::read(request.json(&json!({"name": "notes"})).send().expect("an answer"))
    };
    let first = create(json!({"scope": "ingest"})).ok(201);
    assert_eq!(create(json!({"scope": "ingest", "exp": super::sign::now() + 400})).ok(201), first);
    create(json!({"scope": "ingest", "sub": "bob"})).error(409, "conflict");
}

#[test]
fn outside_development_tokens_alone_let_a_server_start_for_one_configured_tenant() {
    let signer = Signer::secret(SECRET);
    let home = tempfile::tempdir().expect("a directory");
    let plain = Server::builder().start_in(home).restarted_in(
        "production",
        &[
            ("server.port", "0"),
            ("admin.port", "0"),
            ("server.host", "127.0.0.1"),
            ("admin.host", "127.0.0.1"),
            ("database.migrate", "true"),
            ("server.drain_delay_ms", "0"),
            ("auth.jwt.issuer", super::ISSUER),
            ("auth.jwt.audience", "rag"),
            ("auth.jwt.secret", SECRET),
            ("auth.jwt.tenant", "default"),
            ("auth.jwt.scope_prefix", "rag:"),
        ],
    );
    list(&plain, &signer.token(&json!({"tenant": "somebody else", "scope": "rag:search"}))).ok(200);
    list(&plain, &signer.token(&json!({"scope": "search"}))).error(403, "forbidden");
    plain.get("/v1/collections").error(401, "unauthorized");
    list(&plain, TOKEN).error(401, "unauthorized");
}
