//! Schemathesis, every check on every operation: no fault of the server, no answer that is not documented, nothing refused
//! that the document allows, nothing taken that it does not. What a schema cannot say is in `hooks.py`.

use crate::support::Server;
use crate::{TOKEN, checkout, installed, run};
use serde_json::json;
use std::process::Command;

/// Cases for each operation in the fuzzing and the stateful phase; `MCP_RAG_EXAMPLES` asks for more.
fn examples(usual: u32) -> u32 {
    std::env::var("MCP_RAG_EXAMPLES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn server() -> Server {
    let server = Server::builder().token(TOKEN).start();
    // Names that the document's examples use, so that they are answered with more than 404.
    server.post("/v1/collections", &json!({"name": "notes"})).ok(201);
    let text = json!({"title": "Fox", "text": "The quick brown fox jumps over the lazy dog."});
    server.put("/v1/collections/notes/documents/fox?wait=true", &text).ok(201);
    server
}

fn schemathesis(server: &Server, examples: u32) -> Command {
    let here = checkout().join("tests/contract");
    let mut command = Command::new(installed("python/bin/st"));
    command.arg("--config-file").arg(here.join("schemathesis.toml"));
    command.args(["--no-color", "run", &format!("{}/openapi.json", server.url())]);
    command.args(["--checks", "all", "--generation-database", "none", "--warnings", "off"]);
    command.args(["--max-examples", &examples.to_string()]);
    command
        .env("CONTRACT_HOOKS", here.join("hooks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "127.0.0.1")
        .current_dir(server.home());
    command
}

/// The lines that say how much was tested; a run that tested nothing has not passed.
#[expect(clippy::print_stderr, reason = "for whoever runs it longer")]
fn counted(report: &str) {
    let tested = report.lines().find(|line| line.contains("generated")).unwrap_or_default();
    let number = tested.split_whitespace().next().and_then(|word| word.parse::<u32>().ok());
    assert!(number.is_some_and(|number| number > 500), "too little was tested\n{report}");
    eprintln!("{tested}");
}

#[test]
fn a_fuzzer_with_a_credential_finds_nothing() {
    let mut server = server();
    let mut fuzz = schemathesis(&server, examples(6));
    fuzz.args(["--header", &format!("Authorization: Bearer {TOKEN}")]);
    counted(&run(&mut fuzz));
    server.stop();
}

#[test]
fn a_fuzzer_without_a_credential_gets_nowhere() {
    let mut server = server();
    let mut fuzz = schemathesis(&server, examples(2));
    fuzz.env("CONTRACT_CREDENTIAL", "none").args(["--phases", "examples,coverage,fuzzing"]);
    counted(&run(&mut fuzz));
    server.stop();
}
