use crate::support::Server;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const TOKEN: &str = "sk-test-openai-clients-2f6c1d";

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn local(path: &str) -> PathBuf {
    checkout().join(".local/openai").join(path)
}

/// Runs a command; what it wrote is shown when it fails.
#[track_caller]
pub(crate) fn run(mut command: Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{:?} ended with {}\n{}{}",
        command.get_program(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The clients, unless they are there already.
fn install() {
    run(Command::new(checkout().join("scripts/setup-openai.sh")));
}

fn server() -> Server {
    Server::builder().token(TOKEN).set("ingest.max_document_bytes", 1 << 20).start()
}

/// The client's own settings alone: an address and a key, as anybody would give them.
fn point_at(server: &Server, command: &mut Command) {
    command
        .env("OPENAI_BASE_URL", format!("{}/v1", server.url()))
        .env("OPENAI_API_KEY", TOKEN)
        .env("NO_PROXY", "127.0.0.1")
        .current_dir(server.home());
}

/// A script of `clients/` with openai-python.
pub(crate) fn python(server: &Server, script: &str) -> Command {
    install();
    let mut command = Command::new("python3");
    command.arg(checkout().join("tests/openai/clients").join(script));
    command.env("PYTHONPATH", local("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    point_at(server, &mut command);
    command
}

/// A script of `clients/` with one of the packages of openai-node.
pub(crate) fn node(server: &Server, package: &str, script: &str) -> Command {
    install();
    let mut command = Command::new(local("bin/node"));
    command.arg(checkout().join("tests/openai/clients").join(script));
    command.env("OPENAI_CLIENT", local("node_modules").join(package));
    point_at(server, &mut command);
    command
}

#[test]
fn every_row_of_the_contract_works_with_openai_python() {
    let mut server = server();
    run(python(&server, "all.py"));
    server.stop();
}

#[test]
fn every_row_of_the_contract_works_with_openai_node_6() {
    let mut server = server();
    run(node(&server, "openai6", "all.mjs"));
    server.stop();
}

#[test]
fn every_row_of_the_contract_works_with_openai_node_7() {
    let mut server = server();
    run(node(&server, "openai7", "all.mjs"));
    server.stop();
}
