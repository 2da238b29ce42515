//! Secrets that are planted wherever a server takes one, and looked for wherever it says anything: through every
//! surface, with every dependency well, away, refusing, and repeating what it was sent.

use crate::collector::Collector;
use crate::echo::Echo;
use crate::support::{Server, binary, eventually, secrets};
use crate::tour::tour;
use mcp_rag_chaos::model::{DIMENSIONS, Model};
use mcp_rag_chaos::postgres::Cluster;
use mcp_rag_chaos::redis::Redis;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

const TOKEN: &str = "canary-operator-token-51c0";
const EMBEDDER: &str = "canary-embedder-key-77aa";
const GENERATOR: &str = "canary-generator-key-1b9d";
const RERANKER: &str = "canary-reranker-key-e0f3";
const WEBHOOKS: &str = "canary-webhook-secret-8d42c6";
const DATABASE: &str = "canary-database-password-3e";
const OLD_DATABASE: &str = "canary-former-password-9b";
const CACHE: &str = "canary-redis-password-c4";
/// Shaped like a token of somebody else's identity provider.
pub(crate) const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.canarysignature0123456789";
/// Neither credential nor content of the database.
pub(crate) const QUESTION: &str = "canaryquestion";
/// Content of the database, and of nothing else.
pub(crate) const TEXT: &str = "canarytext";

const CREDENTIALS: [&str; 9] =
    [TOKEN, EMBEDDER, GENERATOR, RERANKER, WEBHOOKS, DATABASE, OLD_DATABASE, CACHE, JWT];
/// Where documents are.
const TABLES_OF_TEXT: [&str; 2] = ["chunks", "document_versions"];

fn put(home: &Path, name: &str, secret: &str) {
    std::fs::create_dir_all(home.join("secrets")).expect("a folder");
    std::fs::write(home.join("secrets").join(name), secret).expect("a secret");
}

/// Says one thing to Redis and returns all it answers.
fn redis(port: u16, said: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("Redis listens");
    stream.write_all(said.as_bytes()).expect("it hears");
    stream.shutdown(Shutdown::Write).expect("it waits for no more");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Every row of every table, by table.
fn dump(cluster: &Cluster) -> Vec<(String, String)> {
    let tables = "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename), tablename::text FROM pg_tables \
                  WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
    let tables = cluster.rows("rag", tables).expect("the tables");
    let table = |row: &tokio_postgres::Row| {
        let (path, name): (String, String) = (row.get(0), row.get(1));
        let rows =
            cluster.rows("rag", &format!("SELECT whole::text FROM {path} AS whole")).expect("its rows");
        (name, rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect())
    };
    tables.iter().map(table).collect()
}

/// As it is, and as PostgreSQL writes bytes.
fn holds(text: &str, secret: &str) -> bool {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    text.contains(secret) || text.contains(&hex)
}

#[test]
fn no_planted_secret_is_told_whatever_happens() {
    let (collector, model) = (Collector::start(), Model::start());
    let echo = Echo::before(&model.url());
    let cluster = Cluster::start();
    cluster.run("postgres", &format!("CREATE ROLE canary LOGIN SUPERUSER PASSWORD '{DATABASE}'"));
    cluster.run("postgres", "CREATE DATABASE rag");
    let mut cache = Redis::start();
    redis(cache.port(), &format!("CONFIG SET requirepass {CACHE}\r\nQUIT\r\n"));
    let home = tempfile::tempdir().expect("a directory");
    put(home.path(), "auth__token", TOKEN);
    put(home.path(), "database__url", &cluster.tcp_url("canary", DATABASE, "rag"));
    put(home.path(), "redis__url", &format!("redis://:{CACHE}@127.0.0.1:{}", cache.port()));
    put(home.path(), "embedder__api_key", EMBEDDER);
    put(home.path(), "generator__api_key", GENERATOR);
    put(home.path(), "reranker__api_key", RERANKER);
    put(home.path(), "webhooks__secret", WEBHOOKS);
    let mut builder = Server::builder()
        .bearer(TOKEN)
        // Everything our own code has to say, and most of what the libraries have.
        .env("MCP_RAG_LOG", "debug,mcp_rag=trace,mcp_rag_actors=trace,mcp_rag_text=trace")
        .set("tracing.endpoint", &collector.url)
        .set("webhooks.allow_private", true)
        .set("reload.interval_ms", 100)
        .set("search.deadline_ms", 1500);
    let url = echo.url();
    for (key, value) in [
        ("embedder.kind", "openai"),
        ("embedder.base_url", url.as_str()),
        ("embedder.model", "hashed"),
        ("embedder.dimensions", &DIMENSIONS.to_string()),
        ("generator.kind", "openai"),
        ("generator.base_url", url.as_str()),
        ("generator.model", "quoting"),
        ("reranker.kind", "jina"),
        ("reranker.base_url", url.as_str()),
        ("reranker.model", "counting"),
    ] {
        builder = builder.set(key, value);
    }
    let mut server = builder.start_in(home);
    server.create("docs");
    let mut said = Vec::new();
    let mut keys = Vec::new();
    let mut went = |server: &Server, phase: &str| {
        let (errors, made) = tour(server, &url, phase);
        let seen = [
            server.admin("/metrics"),
            server.get("/v1/system"),
            server.get("/health"),
            server.admin("/health/ready"),
        ];
        said.extend(errors);
        said.extend(seen.map(|reply| format!("{phase}: {}", reply.text())));
        keys.extend(made);
    };
    went(&server, "all is well");
    assert!(!server.search_in("docs", TEXT, "lexical").is_empty(), "there is something to tell");
    for status in [400, 401, 429, 500, 200, 302] {
        echo.answer_with(status);
        went(&server, &format!("repeated with {status}"));
    }
    echo.pass_on();
    let kept_in_redis = redis(cache.port(), &format!("AUTH {CACHE}\r\nKEYS *\r\nQUIT\r\n"));
    assert!(kept_in_redis.lines().count() > 4, "searches are cached: {kept_in_redis}");
    cache.kill9();
    cache.restart(); // it knows no password any more, and says so to who sends one
    went(&server, "Redis refuses");
    cluster.set_password("canary", OLD_DATABASE); // not the server's any more
    cluster.restart();
    went(&server, "the database refuses");
    cluster.kill9();
    went(&server, "the database is away");
    cluster.restart();
    put(server.home(), "database__url", &cluster.tcp_url("canary", OLD_DATABASE, "rag"));
    eventually("the new password is used", || server.get("/v1/collections/docs").status == 200);
    went(&server, "the password was rotated");
    // A file of settings that is wrong, with a secret in the line that is.
    put(server.home(), "database__url", &format!("postgres://canary:{DATABASE}@127.0.0.1:port/rag"));
    server.log().await_line(0, |line| line.message().starts_with("settings not reloaded"));
    put(server.home(), "redis__url", &format!("redis//:{CACHE}@127.0.0.1"));
    std::thread::sleep(Duration::from_millis(500)); // so that it has been looked at, too
    let checked = binary(server.home()).args(["config", "check"]).output().expect("it runs");
    said.push(String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned());
    put(server.home(), "database__url", &cluster.tcp_url("canary", OLD_DATABASE, "rag"));
    put(server.home(), "redis__url", &format!("redis://:{CACHE}@127.0.0.1:{}", cache.port()));
    let checked = binary(server.home()).args(["config", "check"]).output().expect("it runs");
    said.push(String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned());
    server.stop();

    // All of it was really in danger.
    let repeated = echo.echoed();
    for secret in [EMBEDDER, GENERATOR, RERANKER, QUESTION, TEXT] {
        assert!(repeated.contains(secret), "{secret} was never repeated to the server");
    }
    assert!(keys.len() > 3 && keys.iter().all(|key| key.starts_with("mrag_")), "{}", keys.len());
    let log: Vec<String> = server.log().since(0).into_iter().map(|line| line.raw).collect();
    assert!(
        log.iter().any(|line| line.contains("TRACE") || line.contains("DEBUG")),
        "the log tells everything"
    );
    assert!(collector.bytes().len() > 10_000, "there are traces");
    assert!(said.len() > 100, "there are errors: {}", said.len());

    let traces = String::from_utf8_lossy(&collector.bytes()).into_owned();
    let outside = [
        ("the log", log.join("\n")),
        ("traces", traces),
        ("answers", said.join("\n")),
        ("Redis", kept_in_redis),
    ];
    let database_log = ("the database's log", cluster.log());
    let credentials: Vec<&str> = CREDENTIALS.iter().copied().chain(keys.iter().map(String::as_str)).collect();
    let mut found = Vec::new();
    for (place, text) in outside.iter().chain([&database_log]) {
        // What a client itself put where it does not belong, an error may name to it.
        let contents = if *place == "answers" { [TEXT].as_slice() } else { &[QUESTION, TEXT] };
        for secret in credentials.iter().chain(contents) {
            found.extend(
                text.lines().find(|line| line.contains(secret)).map(|line| format!("{place}: {line}")),
            );
        }
    }
    let mut with_text = Vec::new();
    for (table, rows) in dump(&cluster) {
        for secret in credentials.iter().chain(&[QUESTION]) {
            found.extend(rows.lines().find(|row| holds(row, secret)).map(|row| format!("{table}: {row}")));
        }
        if holds(&rows, TEXT) {
            with_text.push(table);
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
    with_text.sort();
    assert_eq!(with_text, TABLES_OF_TEXT, "texts are where documents are");
}

#[test]
#[should_panic(expected = "its log tells")]
fn a_server_whose_log_tells_a_secret_fails_its_test() {
    // The host is not a secret to the server, and so is logged.
    let mut server = Server::builder().env("A_SECRET", "127.0.0.1").start();
    server.stop();
}

#[test]
#[should_panic(expected = "a secret is in the clear in")]
fn a_server_whose_files_hold_a_secret_fails_its_test() {
    let mut server = Server::builder().start();
    let key = format!("mrag_{}_{}", "a".repeat(12), "B".repeat(43));
    std::fs::write(server.home().join("data/note"), format!("before {key} after")).expect("a file");
    server.stop();
}

#[test]
#[should_panic(expected = "an error tells")]
fn a_server_whose_errors_tell_a_secret_fails_its_test() {
    let server = Server::builder().env("A_TOKEN", "no collection").env("B_TOKEN", "not found").start();
    server.get("/v1/collections/none").error(404, "not_found");
    server.get("/v1/jobs/none");
}

#[test]
fn secrets_are_found_however_they_are_written() {
    let key = format!("mrag_{}_{}", "a2".repeat(6), "Zz-".repeat(14) + "0");
    let secrets = ["hunter2hunter2".to_owned()];
    let text = format!("x hunter2hunter2 {key}, mrag_short_one mrag_{}", "a".repeat(12));
    assert_eq!(secrets::told(&text, &secrets), ["hunter2hunter2", &key]);
    assert!(secrets::told("nothing to see", &secrets).is_empty());
}
