//! The protocol's own inspector, over HTTP and by starting the program.

use crate::clients::installed;
use crate::rpc::fill;
use crate::support::Server;
use serde_json::{Value, json};
use std::process::Command;

const LAUNCHER: &str = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js";
const TOKEN: &str = "correct-horse-battery-staple";

/// Options of the inspector's, and what it is to talk to.
type Target<'a> = (&'a [&'a str], &'a [&'a str]);

/// What it prints for a method.
#[track_caller]
fn inspect(home: &std::path::Path, (options, target): Target<'_>, method: &[&str]) -> Value {
    let mut command = Command::new(installed("node"));
    command.arg(installed(LAUNCHER)).arg("--cli").args(options).arg("--method").args(method);
    // Behind this nothing is an option of the inspector's own.
    command.arg("--").args(target);
    // It keeps settings in the home directory.
    command.env("HOME", home).env("NO_PROXY", "127.0.0.1,localhost").current_dir(home);
    let output = command.output().expect("the inspector runs");
    let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{method:?}: {out}{said}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out}\n{said}"))
}

#[test]
fn the_inspector_lists_and_calls_tools_over_http_and_stdio() {
    let server = Server::builder().token(TOKEN).start();
    fill(&server);
    let url = format!("{}/mcp", server.url());
    let header = format!("Authorization: Bearer {TOKEN}");
    let (program, token) = (env!("CARGO_BIN_EXE_mcp-rag"), format!("MCP_RAG__AUTH__TOKEN={TOKEN}"));
    let base = server.url();
    let over_http: Target<'_> = (&["--transport", "http", "--header", &header], &[&url]);
    let over_stdio: Target<'_> = (&["-e", &token], &[program, "mcp", "--server", &base]);
    for target in [over_http, over_stdio] {
        let listed = inspect(server.home(), target, &["tools/list"]);
        let names: Vec<&str> = listed["tools"]
            .as_array()
            .expect("tools")
            .iter()
            .filter_map(|tool| tool["name"].as_str())
            .collect();
        assert!(names.contains(&"search") && names.contains(&"fetch"), "{names:?}");
        let asked = ["tools/call", "--tool-name", "search", "--tool-arg", "query=what jumps over the dog"];
        let found = inspect(server.home(), target, &asked);
        assert_eq!(found["structuredContent"]["results"][0]["url"], "https://example.com/fox", "{found}");
        let resources = inspect(server.home(), target, &["resources/list"]);
        assert_eq!(resources["resources"].as_array().map(Vec::len), Some(3));
        let prompts = inspect(server.home(), target, &["prompts/list"]);
        assert_eq!(prompts["prompts"][0]["name"], json!("answer_from_documents"));
    }
}
