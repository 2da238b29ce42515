use crate::support::Server;
use std::path::{Path, PathBuf};
use std::process::Command;

const TOKEN: &str = "sk-test-openai-clients-2f6c1d";

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn local(path: &str) -> PathBuf {
    checkout().join(".local/openai").join(path)
}

/// Runs a command; what it wrote is shown when it fails.
#[track_caller]
fn run(mut command: Command) {
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

fn server() -> Server {
    run(Command::new(checkout().join("scripts/setup-openai.sh")));
    Server::builder().token(TOKEN).start()
}

/// The client's own settings alone: an address and a key, as anybody would give them.
fn point_at(server: &Server, command: &mut Command) {
    command
        .env("OPENAI_BASE_URL", format!("{}/v1", server.url()))
        .env("OPENAI_API_KEY", TOKEN)
        .env("NO_PROXY", "127.0.0.1")
        .current_dir(server.home());
}

#[test]
fn every_row_of_the_contract_works_with_openai_python() {
    let mut server = server();
    let mut command = Command::new("python3");
    command.arg(checkout().join("tests/openai/clients/all.py"));
    command.env("PYTHONPATH", local("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    point_at(&server, &mut command);
    run(command);
    server.stop();
}
