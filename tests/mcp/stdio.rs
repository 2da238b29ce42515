//! `mcp-rag mcp`, as hosts start it.

use crate::clients::{CLIENTS, check, talk};
use crate::rpc::{LEGACY, fill};
use crate::support::{Server, alive, binary, eventually};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// The relay to a server.
fn relay(server: &Server) -> Command {
    let mut command = binary(server.home());
    command.args(["mcp", "--server", &server.url()]);
    command
}

fn spawn(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

fn say(host: &mut Child, message: &Value) {
    let input = host.stdin.as_mut().expect("its input");
    writeln!(input, "{message}").expect("it reads");
}

/// Everything written until it ended, each line a message.
fn hear(host: Child) -> Vec<Value> {
    let output = host.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no message: {line}")))
        .collect()
}

fn hello() -> Value {
    json!({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {"protocolVersion": LEGACY, "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"}}})
}

#[test]
fn the_clients_that_people_use_work_over_stdio_in_both_eras() {
    let server = Server::start();
    fill(&server);
    let program = env!("CARGO_BIN_EXE_mcp-rag");
    for (client, _) in CLIENTS {
        check(&talk(client, &["stdio", program, "mcp", "--server", &server.url()]));
    }
}

#[test]
fn without_a_server_it_brings_its_own_and_takes_it_away_at_the_end_of_input() {
    let home = tempfile::tempdir().expect("a directory");
    let mut command = binary(home.path());
    command.args(["mcp", "--set", "database.embedded.memory_mb=512"]);
    let mut host = spawn(command);
    say(&mut host, &hello());
    say(&mut host, &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    let list = json!({"name": "list_collections", "arguments": {}});
    say(&mut host, &json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": list}));
    let pid = home.path().join("data/postgres/postmaster.pid");
    eventually("its database runs", || pid.exists());
    let database = std::fs::read_to_string(&pid).expect("a file");
    let database: u32 = database.lines().next().and_then(|line| line.parse().ok()).expect("a pid");
    drop(host.stdin.take());
    let mut heard = hear(host);
    heard.sort_by_key(|message| message["id"].to_string());
    let [hello, list] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(hello["result"]["serverInfo"]["name"], "mcp-rag");
    assert_eq!(list["result"]["structuredContent"]["collections"], json!([]));
    eventually("the database has ended", || !alive(database));
}

#[test]
fn what_is_no_message_is_answered_and_costs_nothing_else() {
    let server = Server::start();
    let mut command = relay(&server);
    command.args(["--set", "mcp.max_request_bytes=2048"]);
    let mut host = spawn(command);
    let input = host.stdin.as_mut().expect("its input");
    for line in ["{", "", "[]", "17", "{\"id\":5}", "{\"jsonrpc\":\"2.0\",\"id\":6,\"result\":{}}"] {
        writeln!(input, "{line}").expect("it reads");
    }
    writeln!(input, "{{\"x\":\"{}\"}}", "y".repeat(10_000)).expect("it reads");
    say(&mut host, &json!({"jsonrpc": "2.0", "id": 7, "method": "ping"}));
    drop(host.stdin.take());
    let heard = hear(host);
    let codes: Vec<&Value> = heard.iter().map(|message| &message["error"]["code"]).collect();
    assert_eq!(codes[..5], [-32700, -32600, -32600, -32600, -32600], "{heard:?}");
    assert_eq!((heard.len(), &heard[5]["id"], &heard[5]["result"]), (6, &json!(7), &json!({})), "{heard:?}");
}

#[test]
fn a_server_that_is_away_or_refuses_is_told_as_an_error_of_the_request() {
    let mut server = Server::builder().token("correct-horse-battery-staple").start();
    let mut host = spawn(relay(&server)); // without the token
    say(&mut host, &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}));
    let mut out = BufReader::new(host.stdout.take().expect("its output")).lines();
    let mut next =
        || -> Value { serde_json::from_str(&out.next().expect("a line").expect("text")).expect("JSON") };
    let refused = next();
    assert_eq!(refused["id"], 1);
    assert!(refused["error"]["message"].as_str().is_some_and(|text| text.ends_with("(401)")), "{refused}");
    server.stop();
    say(&mut host, &json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}));
    let away = next();
    assert_eq!((&away["id"], &away["error"]["code"]), (&json!(2), &json!(-32010)), "{away}");
    drop(host.stdin.take());
    assert!(host.wait().expect("it ends").success());
}
