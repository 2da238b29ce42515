//! docs/CLIENTS.md: each snippet is taken from the page and run.

use crate::clients::point_at;
use crate::support::{Server, binary};
use crate::{TOKEN, checkout, installed, run};
use reqwest::blocking::Client;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const ADDRESS: &str = "http://127.0.0.1:8080";

/// The code blocks of a section, in a language.
#[track_caller]
fn snippets(section: &str, language: &str) -> Vec<String> {
    let page = std::fs::read_to_string(checkout().join("docs/CLIENTS.md")).expect("the page");
    let heading = format!("\n## {section}\n");
    let rest = page.split(&heading).nth(1).unwrap_or_else(|| panic!("no {section}"));
    let section = rest.split("\n## ").next().unwrap_or_default();
    let fence = format!("```{language}\n");
    let blocks = section.split(&fence).skip(1);
    let found: Vec<String> =
        blocks.map(|block| block.split("\n```").next().unwrap_or_default().to_owned()).collect();
    assert!(!found.is_empty(), "no {language} in it");
    found
}

#[track_caller]
fn only(section: &str, language: &str) -> String {
    let mut found = snippets(section, language);
    assert_eq!(found.len(), 1, "{section}");
    found.remove(0)
}

fn server() -> Server {
    let server = Server::builder().token(TOKEN).start();
    server.post("/v1/collections", &json!({"name": "notes"})).ok(201);
    let text = json!({"text": "The quick brown fox jumps over the lazy dog."});
    server.put("/v1/collections/notes/documents/fox?wait=true", &text).ok(201);
    server
}

/// What a program prints.
#[track_caller]
fn said(server: &Server, program: &Path, file: &str, code: &str) -> String {
    let path = server.home().join(file);
    std::fs::write(&path, code).expect("room for it");
    run(point_at(server, Command::new(program).arg(path)))
}

#[test]
fn snippets_of_the_page_work_as_they_stand() {
    let mut server = server();
    let shell = format!("set -euo pipefail\n{}", only("curl", "bash"));
    let told = said(&server, Path::new("bash"), "curl.sh", &shell);
    for piece in ["\"external_id\":\"fox\"", "\"abstained\":false", "event: done", "\"deleted\""] {
        assert!(told.contains(piece), "{piece}: {told}");
    }
    let python = installed("python/bin/python");
    let told = said(&server, &python, "plain.py", &only("Python", "python"));
    assert!(told.contains("1 fox ") && told.contains("lazy dog"), "{told}");
    let told = said(&server, &installed("node"), "plain.mts", &only("TypeScript", "ts"));
    assert!(told.contains(" fox The quick brown fox"), "{told}");
    let told = said(&server, &python, "langchain.py", &only("LangChain", "python"));
    assert!(told.contains(" fox The quick brown fox"), "{told}");
    server.stop();
}

/// 220 MB with what it needs: `scripts/setup-contract.sh --llama-index` installs it.
#[test]
fn the_snippet_for_llamaindex_works_where_that_is_installed() {
    let snippet = only("LlamaIndex", "python");
    let python = checkout().join(".local/contract/llama-index/bin/python");
    if !python.exists() {
        return;
    }
    let mut server = server();
    let told = said(&server, &python, "llama.py", &snippet);
    assert!(told.contains(" fox The quick brown fox"), "{told}");
    server.stop();
}

/// What hosts put in for a token, ours.
fn filled(text: &str, server: &Server) -> String {
    let mut text = text.replace(ADDRESS, &server.url());
    for token in ["${MCP_RAG_TOKEN}", "${env:MCP_RAG_TOKEN}", "${input:mcp-rag-token}", "mrag_…"] {
        text = text.replace(token, TOKEN);
    }
    text
}

fn hello() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25",
        "capabilities": {}, "clientInfo": {"name": "host", "version": "1"}}})
}

fn list() -> Value {
    json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
}

/// Both answers, as a host gets them by HTTP.
fn by_http(entry: &Value) -> Vec<Value> {
    let http = Client::builder().no_proxy().build().expect("an HTTP client");
    let ask = |message: Value| {
        let mut request = http.post(entry["url"].as_str().expect("an address"));
        for (name, value) in entry["headers"].as_object().into_iter().flatten() {
            request = request.header(name, value.as_str().expect("a header"));
        }
        request = request.header("accept", "application/json, text/event-stream");
        let answer =
            request.header("mcp-protocol-version", "2025-11-25").json(&message).send().expect("an answer");
        answer.json().expect("JSON")
    };
    vec![ask(hello()), ask(list())]
}

/// The same of a program that the host starts.
fn by_pipe(entry: &Value, server: &Server) -> Vec<Value> {
    assert_eq!(entry["command"], "mcp-rag");
    let home = tempfile::tempdir().expect("a directory");
    let mut command = binary(home.path());
    command.args(entry["args"].as_array().into_iter().flatten().filter_map(Value::as_str));
    let env = entry["env"].as_object().into_iter().flatten();
    command.envs(env.map(|(name, value)| (name, value.as_str().unwrap_or_default())));
    command.env("MCP_RAG__DATABASE__EMBEDDED__MEMORY_MB", "512").current_dir(server.home());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut host = command.spawn().expect("it starts");
    let mut input = host.stdin.take().expect("its input");
    for message in [hello(), list()] {
        writeln!(input, "{message}").expect("it reads");
    }
    drop(input);
    let output = host.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    lines.lines().map(|line| serde_json::from_str(line).expect("a message")).collect()
}

#[test]
fn the_configurations_of_mcp_hosts_lead_to_the_tools() {
    let mut server = server();
    let configurations = snippets("MCP hosts", "json");
    assert_eq!(configurations.len(), 5);
    for text in configurations {
        let all: Value =
            serde_json::from_str(&filled(&text, &server)).unwrap_or_else(|error| panic!("{error}: {text}"));
        let servers = all["mcpServers"].as_object().or(all["servers"].as_object()).expect("servers");
        for entry in servers.values() {
            let answers = if entry["url"].is_string() { by_http(entry) } else { by_pipe(entry, &server) };
            let result =
                |id: i64| answers.iter().find(|answer| answer["id"] == id).map(|answer| &answer["result"]);
            assert_eq!(result(1).expect("a welcome")["serverInfo"]["name"], "mcp-rag", "{answers:?}");
            let tools = result(2).expect("a list")["tools"].to_string();
            assert!(tools.contains("\"search\"") && tools.contains("\"ask\""), "{tools}");
        }
    }
    server.stop();
}
