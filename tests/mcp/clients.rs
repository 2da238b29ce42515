//! Clients of other languages, unmodified, over HTTP.

use crate::rpc::fill;
use crate::support::Server;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn installed(what: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".local/mcp").join(what);
    assert!(path.exists(), "run scripts/setup-mcp.sh first: {} is missing", path.display());
    path
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp/clients").join(name)
}

/// Runs a client to its end; what it printed last is JSON.
#[track_caller]
pub(crate) fn talk(client: &str, place: &[&str]) -> Value {
    let mut command = match client.strip_prefix("pypi-") {
        Some(mode) => {
            let mut command = Command::new(installed("python/bin/python"));
            command.arg(script("talk.py")).arg(mode);
            command
        }
        None => {
            let mut command = Command::new(installed("node"));
            command.arg(script("talk.mjs")).arg(client);
            command
        }
    };
    let output =
        command.args(place).env("NO_PROXY", "127.0.0.1,localhost").output().expect("the client runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{client}: {said}");
    let last = String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned();
    serde_json::from_str(&last).unwrap_or_else(|error| panic!("{client}: {error} in {last:?}\n{said}"))
}

/// What every client must have seen, of a server that [`fill`] filled.
#[track_caller]
pub(crate) fn check(told: &Value) {
    let tools = json!(["search", "fetch", "ask", "list_collections", "ingest_document", "delete_document"]);
    assert_eq!((&told["server"], &told["tools"]), (&json!("mcp-rag"), &tools), "{told}");
    assert_eq!(told["search"]["results"][0]["url"], "https://example.com/fox");
    assert_eq!(told["fetch"]["text"], "The quick brown fox jumps over the lazy dog.");
    assert_eq!(told["ask"]["citations"][0]["url"], "https://example.com/fox", "{told}");
    // The SDKs lose news that arrive together with the result (`protocol` looks at the wire itself).
    let news = told["progress"].as_array().map_or(&[][..], Vec::as_slice);
    assert!(news.iter().all(|message| message == "looking for an answer"), "{told}");
    assert_eq!((&told["wrong"]["error"]["code"], &told["unknown"]), (&json!("not_found"), &json!(-32602)));
    assert_eq!(told["resources"].as_array().map(Vec::len), Some(3));
    assert_eq!(told["read"], "Bees dance to tell where flowers are.");
    assert_eq!(told["templates"], json!(["mcp-rag://documents/{collection}/{external_id}"]));
    assert_eq!(told["prompts"], json!(["answer_from_documents", "summarize_document"]));
    assert!(told["prompt"].as_str().is_some_and(|text| text.contains("What jumps?")));
    assert_eq!(told["completed"], json!(["notes"]));
}

/// Every client in every mode, with the version it is to speak.
pub(crate) const CLIENTS: [(&str, Option<&str>); 5] = [
    ("sdk", Some("2025-11-25")),
    ("client", Some("2025-11-25")),
    ("client-2026-07-28", Some("2026-07-28")),
    ("pypi-legacy", Some("2025-11-25")),
    ("pypi-auto", Some("2026-07-28")),
];

#[test]
fn the_clients_that_people_use_work_over_http_in_both_eras() {
    const TOKEN: &str = "correct-horse-battery-staple";
    let server = Server::builder().token(TOKEN).start();
    fill(&server);
    let url = format!("{}/mcp", server.url());
    for (client, version) in CLIENTS {
        let told = talk(client, &["http", &url, TOKEN]);
        check(&told);
        assert_eq!(told["version"].as_str(), version, "{client}");
    }
}
