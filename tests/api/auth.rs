use crate::support::{Reply, Server, binary};
use reqwest::Method;

const TOKEN: &str = "correct-horse-battery-staple";

fn production() -> Server {
    Server::builder()
        .env("MCP_RAG_ENV", "production")
        .set("server.host", "127.0.0.1")
        .set("admin.host", "127.0.0.1")
        .set("database.migrate", true)
        .token(TOKEN)
        .start()
}

#[test]
fn outside_development_every_call_needs_the_token() {
    let server = production();
    let with = |name: &str, value: &str, path: &str| {
        let client = reqwest::blocking::Client::new();
        let request = client.get(format!("{}{path}", server.url()));
        let request = if name.is_empty() { request } else { request.header(name, value) };
        Reply::read(request.send().expect("an answer"))
    };
    for path in ["/v1/collections", "/v1/system", "/v1/jobs", "/v1/search", "/v1/nowhere"] {
        for (name, value) in [
            ("", ""),
            ("authorization", "Bearer wrong"),
            ("authorization", "Bearer "),
            ("authorization", "Basic Y29ycmVjdA=="),
            ("authorization", TOKEN),
            ("authorization", "Bearer correct-horse-battery-stapl"),
            ("authorization", "Bearer correct-horse-battery-staple2"),
            ("x-api-key", "wrong"),
            ("x-api-key", ""),
        ] {
            let reply = with(name, value, path);
            let error = reply.error(401, "unauthorized");
            assert_eq!(error["type"], "authentication_error");
            assert_eq!(reply.header("www-authenticate"), "Bearer");
        }
    }
    for (name, value) in [
        ("authorization", format!("Bearer {TOKEN}")),
        ("authorization", format!("bearer {TOKEN}")),
        ("x-api-key", TOKEN.to_owned()),
    ] {
        with(name, &value, "/v1/collections").ok(200);
    }
    for open in ["/health", "/health/live", "/health/ready", "/openapi.json", "/docs"] {
        assert_eq!(with("", "", open).status, 200, "{open} needs no token");
    }
    // The helpers of the test send the token: the whole way works.
    server.create("docs");
    server.ingest("docs", &[("a", "Behind the door.")]);
    assert_eq!(server.search_in("docs", "door", "hybrid"), ["a"]);
    assert!(!server.log().contains(TOKEN), "the token is never logged");
}

#[test]
fn an_unauthorised_body_is_not_even_read() {
    let server = production();
    let client = reqwest::blocking::Client::new();
    let request = client.request(Method::POST, format!("{}/v1/search", server.url())).body("{{{ not json");
    Reply::read(request.send().expect("an answer")).error(401, "unauthorized");
}

#[test]
fn without_a_credential_a_production_server_refuses_to_start_and_says_what_to_do() {
    let (code, said) = Server::builder().env("MCP_RAG_ENV", "production").start_refused();
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("auth.token") && said.contains("MCP_RAG__AUTH__TOKEN"), "{said}");
    let (code, said) = Server::builder()
        .env("MCP_RAG_ENV", "production")
        .set("auth.keys_only", true)
        .set("database.migrate", true)
        .start_refused();
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("mcp-rag keys create"), "{said}");
    let (code, said) = Server::builder().set("server.prot", 1).start_refused();
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("prot"), "{said}");
}

#[test]
fn a_token_in_a_secret_file_is_the_token() {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(home.path().join("secrets")).expect("a directory");
    std::fs::write(home.path().join("secrets/auth__token"), format!("{TOKEN}\n")).expect("a file");
    let check =
        binary(home.path()).args(["config", "check", "--env", "production"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success(), "{said}{}", String::from_utf8_lossy(&check.stderr));
    assert!(!said.contains(TOKEN), "{said}");
    let line = said.lines().find(|line| line.starts_with("auth.token")).expect("listed");
    assert!(line.contains("redacted") && line.contains("auth__token"), "{line}");
    let server = Server::builder().start_in(home);
    let client = reqwest::blocking::Client::new();
    let ask = |token: &str| {
        let request = client.get(format!("{}/v1/collections", server.url())).bearer_auth(token);
        Reply::read(request.send().expect("an answer"))
    };
    ask(TOKEN).ok(200);
    ask("wrong").error(401, "unauthorized");
}
