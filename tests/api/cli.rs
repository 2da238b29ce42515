//! The command line, against a running server and on its own.

use crate::support::{Server, binary};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

fn run(home: &Path, arguments: &[&str]) -> Output {
    binary(home).args(arguments).output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn good(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}\n{}\n{said}", output.status, stdout(output));
    assert!(!said.contains("panicked"), "{said}");
    stdout(output)
}

#[track_caller]
fn json(output: &Output) -> Value {
    let text = good(output);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// `notes/` with what a folder has: subfolders, hidden files, other kinds.
fn corpus(home: &Path) {
    let write = |path: &str, text: &[u8]| {
        let path = home.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write("notes/vault.md", b"# Vault\n\nThe vault opens every morning at seven.");
    write("notes/deep/er/gate.txt", b"The gate closes at ten in the evening.");
    write("notes/page.html", b"<h1>Bridge</h1><p>The bridge lifts at noon.</p>");
    write("notes/.hidden.md", b"hidden vault");
    write("notes/image.png", b"\x89PNG");
    write("other/a.txt", b"The mill turns.");
    write("other/b.txt", b"The forge glows.");
    write("other/c.md", b"The kiln cools.");
    write("broken/bad.txt", b"caf\xe9\x01\x02");
}

#[test]
fn commands_work_on_a_running_server() {
    let server = Server::start();
    let (home, url) = (server.home(), server.url());
    corpus(home);
    let with = |arguments: &[&str]| run(home, &[arguments, &["--server", &url]].concat());

    let told = json(&with(&["ingest", "notes", "--collection", "notes", "--json"]));
    assert_eq!((&told["files"], &told["unchanged"]), (&3.into(), &0.into()), "{told}");
    let told = json(&with(&["ingest", "notes", "--collection", "notes", "--json"]));
    assert_eq!(told["unchanged"], 3, "{told}");
    let told = good(&with(&["ingest", "other/*.txt", "--collection", "other"]));
    assert!(told.contains("2 of 2"), "{told}");
    assert_eq!(server.get("/v1/collections/notes").ok(200)["documents"], 3);
    assert_eq!(server.get("/v1/collections/other").ok(200)["documents"], 2);
    server.document("notes", "notes/deep/er/gate.txt").ok(200);

    let found = json(&with(&["search", "when does the vault open", "--json", "--collection", "notes"]));
    assert_eq!(found["results"][0]["external_id"], "notes/vault.md");
    let found = json(&with(&["search", "forge", "--json", "-c", "other", "-k", "1", "--mode", "lexical"]));
    assert_eq!(found["results"][0]["external_id"], "other/b.txt");
    let shown = good(&with(&["search", "bridge noon"]));
    assert!(shown.contains("notes/page.html") && shown.contains("score"), "{shown}");

    let answer = json(&with(&["ask", "When does the gate close?", "--json"]));
    assert_eq!(answer["abstained"], false, "{answer}");
    assert_eq!(answer["citations"][0]["external_id"], "notes/deep/er/gate.txt");
    let shown = good(&with(&["ask", "When does the gate close?"]));
    assert!(
        shown.contains("ten in the evening") && shown.contains("[1]") && shown.contains("gate.txt"),
        "{shown}"
    );
    let shown = good(&with(&["ask", "Who discovered penicillin?"]));
    assert!(shown.contains("do not answer"), "{shown}");
}

#[test]
fn commands_that_fail_say_why_and_end_with_a_status_of_their_own() {
    let server = Server::start();
    let (home, url) = (server.home(), server.url());
    corpus(home);
    let failed = |arguments: &[&str], code: i32, said: &str| {
        let output = run(home, arguments);
        let text = format!("{}{}", stdout(&output), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
        assert!(!text.contains("panicked"), "{text}");
    };
    failed(&["search", "x", "--server", "http://127.0.0.1:1"], 1, "no answer from");
    failed(&["search", "x", "--server", &url, "-c", "nowhere"], 1, "404");
    failed(&["search", "x", "--server", &url, "-k", "0"], 2, "top-k");
    failed(&["search", "", "--server", &url], 1, "empty");
    failed(&["ingest", "nowhere.md", "--server", &url], 1, "nowhere.md");
    failed(&["ingest", "notes/image.png", "--server", &url], 1, "not supported");
    failed(&["ingest", "broken", "--server", &url], 1, "UTF-8");
    failed(&["eval", "notes", "--server", &url], 1, "corpus.jsonl");
    failed(&["serve", "--nonsense"], 2, "nonsense");
    failed(&["config", "check", "--set", "server.prot=1"], 78, "prot");
    failed(&["config", "check", "--set", "server.port=many"], 78, "port");
    failed(&["config", "check", "--env", "production"], 78, "auth.token");
    failed(&["config", "check", "--env", "nowhere"], 2, "nowhere");
}

#[test]
fn the_configuration_is_shown_with_its_sources_and_without_its_secrets() {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(home.path().join("secrets")).expect("a directory");
    std::fs::write(home.path().join("secrets/database__url"), "postgres://me:canary@db/rag").expect("a file");
    std::fs::write(home.path().join("secrets/generator__api_key"), "canary").expect("a file");
    std::fs::create_dir(home.path().join("config")).expect("a directory");
    std::fs::write(home.path().join("config/default.toml"), "[search]\nef_search = 77\ncandidates = 60\n")
        .expect("a file");
    std::fs::write(home.path().join("config/staging.toml"), "[search]\nef_search = 78\n").expect("a file");
    let check = |format: &[&str]| {
        let arguments = ["config", "check", "--env", "staging", "--set", "search.deadline_ms=4000"];
        let mut command = binary(home.path());
        command.env("MCP_RAG__AUTH__TOKEN", "canary").env("MCP_RAG__SERVER__PORT", "8181");
        command.args([&arguments, format].concat()).output().expect("it runs")
    };
    let text = good(&check(&[]));
    assert!(!text.contains("canary"), "{text}");
    let all = json(&check(&["--json"]));
    assert!(!all.to_string().contains("canary"), "{all}");
    for (key, value, source) in [
        ("search.ef_search", "78", "staging.toml"),
        ("search.candidates", "60", "default.toml"),
        ("search.deadline_ms", "4000", "command line"),
        ("server.port", "8181", "environment"),
        ("auth.token", "[redacted]", "environment"),
        ("database.url", "postgres://[redacted]@db/rag", "database__url"),
        ("generator.api_key", "[redacted]", "generator__api_key"),
    ] {
        let line = &all[key];
        let shown = line["value"].as_str().map_or_else(|| line["value"].to_string(), str::to_owned);
        assert_eq!(shown, value, "{key}");
        assert!(line["source"].as_str().is_some_and(|told| told.contains(source)), "{key}: {line}");
    }
}

#[test]
fn without_a_server_commands_work_on_the_embedded_database() {
    let home = tempfile::tempdir().expect("a directory");
    corpus(home.path());
    let migrated = json(&run(home.path(), &["migrate", "--json"]));
    assert!(migrated["applied"].as_array().is_some_and(|applied| applied.len() >= 5), "{migrated}");
    let again = json(&run(home.path(), &["migrate", "--json"]));
    assert_eq!(again["applied"].as_array().map(Vec::len), Some(0), "{again}");
    let told = json(&run(home.path(), &["ingest", "notes", "--json"]));
    assert_eq!(told["files"], 3, "{told}");
    let found = json(&run(home.path(), &["search", "bridge", "--json"]));
    assert_eq!(found["results"][0]["external_id"], "notes/page.html");
    let answer = json(&run(home.path(), &["ask", "When does the bridge lift?", "--json"]));
    assert_eq!(answer["citations"][0]["external_id"], "notes/page.html");
    let left = home.path().join("data/postgres/postmaster.pid");
    assert!(!left.exists(), "the embedded database was stopped in order");
}

#[test]
fn a_data_directory_in_use_is_refused_with_the_way_out() {
    let server = Server::start();
    let output = run(server.home(), &["search", "x"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("--server"), "{said}");
    assert_eq!(server.get("/health").ok(200)["status"], "ok", "the running server is none the worse");
}

#[test]
fn the_openapi_document_is_printed_without_a_server() {
    let server = Server::start();
    let printed = json(&run(server.home(), &["openapi"]));
    assert_eq!(printed, server.get("/openapi.json").ok(200));
}

#[test]
fn a_token_for_the_server_is_taken_from_the_settings() {
    let server = Server::builder().token("open-sesame").start();
    let url = server.url();
    let refused = run(server.home(), &["search", "x", "--server", &url]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("401"));
    let mut command = binary(server.home());
    let output =
        command.env("MCP_RAG__AUTH__TOKEN", "open-sesame").args(["search", "x", "--server", &url]).output();
    good(&output.expect("it runs"));
}
